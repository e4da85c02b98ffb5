-- What the pipeline keeps about its own work: files taken in, days published, rows set aside, views refreshed.

CREATE TABLE ops.imported_files (
    domain        text        NOT NULL,
    content_hash  text        NOT NULL,
    table_name    text        NOT NULL,
    source_file   text        NOT NULL,
    bytes         bigint      NOT NULL,
    rows          bigint      NOT NULL,
    imported_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, content_hash)
);
COMMENT ON TABLE ops.imported_files IS 'Raw files taken in, by the SHA-256 of their bytes: a file is taken in once.';

CREATE TABLE ops.raw_fragments (
    sequence      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain        text   NOT NULL,
    table_name    text   NOT NULL,
    day           date   NOT NULL,
    path          text   NOT NULL,
    rows          bigint NOT NULL,
    content_hash  text   NOT NULL,
    FOREIGN KEY (domain, content_hash) REFERENCES ops.imported_files (domain, content_hash) ON DELETE CASCADE
);
CREATE INDEX raw_fragments_by_day ON ops.raw_fragments (domain, table_name, day);
COMMENT ON TABLE ops.raw_fragments IS
    'The rows of one raw file on one day, as a Parquet file of the lake. A fragment that is not listed here does not exist.';

CREATE TABLE ops.published_days (
    domain          text        NOT NULL,
    table_name      text        NOT NULL,
    day             date        NOT NULL,
    rows_in         bigint      NOT NULL,
    published       bigint      NOT NULL,
    quarantined     bigint      NOT NULL,
    duplicates      bigint      NOT NULL,
    content_hash    text        NOT NULL,
    raw_sequence    bigint      NOT NULL,
    not_judged      text[]      NOT NULL DEFAULT '{}',
    run_id          text        NOT NULL,
    published_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, table_name, day),
    CONSTRAINT nothing_lost CHECK (rows_in = published + quarantined + duplicates)
);
COMMENT ON TABLE ops.published_days IS
    'What is published of each table and day: rows in = published + quarantined + exact duplicates, held by a constraint.';
COMMENT ON COLUMN ops.published_days.raw_sequence IS
    'Newest raw fragment that was known when the day was worked out; a day with newer fragments is stale.';
COMMENT ON COLUMN ops.published_days.not_judged IS
    'Rules that could not be asked, since nothing was published of the table they refer to; asked again once something is.';
COMMENT ON COLUMN ops.published_days.published_at IS 'When the content last changed.';

CREATE TABLE ops.stale_days (
    domain          text        NOT NULL,
    table_name      text        NOT NULL,
    day             date        NOT NULL,
    because         text        NOT NULL,
    noted_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, table_name, day)
);
COMMENT ON TABLE ops.stale_days IS
    'Days to be worked out again since rows of other days were published; noted with those rows, gone once it is done.';

CREATE TABLE ops.quarantine (
    domain          text        NOT NULL,
    table_name      text        NOT NULL,
    day             date        NOT NULL,
    rule            text        NOT NULL,
    rules           text[]      NOT NULL,
    reason          text        NOT NULL,
    source_file     text        NOT NULL,
    source_row      bigint      NOT NULL,
    row_key         text        NOT NULL,
    mended          boolean     NOT NULL DEFAULT false,
    content         jsonb       NOT NULL,
    quarantined_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantine_by_day ON ops.quarantine (domain, table_name, day);
COMMENT ON TABLE ops.quarantine IS
    'Rows that broke a rule, with the raw file and row they came from. Working a day out again replaces its rows.';
COMMENT ON COLUMN ops.quarantine.rule IS 'First broken rule; `rules` lists all of them.';
COMMENT ON COLUMN ops.quarantine.mended IS 'Another row with the same key was published: nothing is left to do.';
COMMENT ON COLUMN ops.quarantine.content IS 'The row itself; it may hold personal data.';

CREATE TABLE ops.view_refreshes (
    domain          text        NOT NULL,
    view_name       text        NOT NULL,
    based_on        text        NOT NULL,
    rows            bigint      NOT NULL,
    refreshed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, view_name)
);
COMMENT ON TABLE ops.view_refreshes IS 'State of the data at the last refresh of each materialized view: the same state needs no refresh.';

-- A month's partition is made beside its parent, filled while it has no index yet, and then attached, which builds its indexes
-- and does not lock readers out.
CREATE FUNCTION ops.month_partition(parent_table text, month date) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT parent_table || '_' || to_char(month, 'YYYY_MM')
$$;

CREATE FUNCTION ops.make_month_partition(parent_schema text, parent_table text, month date) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    partition text := ops.month_partition(parent_table, month);
BEGIN
    IF to_regclass(format('%I.%I', parent_schema, partition)) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                   parent_schema, partition, parent_table);
    RETURN partition;
END
$$;
COMMENT ON FUNCTION ops.make_month_partition IS 'Name of the new table for a month, or NULL where the month has its partition.';

CREATE FUNCTION ops.attach_month_partition(parent_schema text, parent_table text, month date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    first_day date := date_trunc('month', month);
    next_month date := first_day + interval '1 month';
BEGIN
    EXECUTE format('ALTER TABLE %1$I.%3$I ATTACH PARTITION %1$I.%2$I FOR VALUES FROM (%4$L) TO (%5$L)',
                   parent_schema, ops.month_partition(parent_table, month), parent_table,
                   to_char(first_day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(next_month, 'YYYY-MM-DD') || ' 00:00:00+00');
END
$$;
