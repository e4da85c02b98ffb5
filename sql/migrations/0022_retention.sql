-- Retention: what was archived, dropped, deleted, restored and held, where the archive lies, and from which day on tables are hot.

CREATE TABLE ops.retention_ledger (
    sequence        bigint      PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    act             text        NOT NULL CHECK (act IN (
        'archived', 'dropped', 'purged', 'rows_deleted', 'archive_deleted', 'lake_purged', 'restored', 'erased', 'refused', 'held',
        'hold_placed', 'hold_released'
    )),
    domain          text        NOT NULL,
    table_name      text,
    first_day       date,
    last_day        date,
    rows            bigint      NOT NULL DEFAULT 0,
    bytes           bigint      NOT NULL DEFAULT 0,
    content_hash    text,
    file_hash       text,
    actor           text        NOT NULL,
    session_role    text        NOT NULL DEFAULT session_user,
    policy_version  text        NOT NULL,
    run_id          text        NOT NULL DEFAULT '',
    result          text        NOT NULL,
    detail          jsonb       NOT NULL DEFAULT '{}',
    chain           text        NOT NULL
);
CREATE INDEX retention_ledger_by_table ON ops.retention_ledger (domain, table_name, sequence);
COMMENT ON TABLE ops.retention_ledger IS
    'Every act of retention, written in the transaction that did it. Rows are only added, and each is chained to the one before.';
COMMENT ON COLUMN ops.retention_ledger.act IS
    'archived: exported and read back; dropped: an archived month left Postgres; purged: a month left that is not archived; '
    'rows_deleted: expired days of a month left; archive_deleted: an archived month expired; lake_purged: files of expired days left '
    'the lake, detail names the stage; refused: nothing was done, see result.';
COMMENT ON COLUMN ops.retention_ledger.rows IS 'Rows that the act was about, whether they went or were kept.';
COMMENT ON COLUMN ops.retention_ledger.actor IS 'Who asked for it: a person or an asset.';
COMMENT ON COLUMN ops.retention_ledger.chain IS
    'SHA-256 of the chain of the row before and of this row: a row that is changed or taken out breaks it.';

-- What a row's link of the chain is made of: the same text wherever and whenever it is asked for.
CREATE FUNCTION ops.ledger_link(before text, entry jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(before || '|' || (entry - 'chain')::text, 'UTF8')), 'hex')
$$;

CREATE FUNCTION ops.chain_ledger() RETURNS trigger
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    latest record;
BEGIN
    -- One at a time: the number and the link of a row follow from those of the row before.
    PERFORM pg_advisory_xact_lock(hashtext('ops.retention_ledger'));
    SELECT sequence, chain INTO latest FROM ops.retention_ledger ORDER BY sequence DESC LIMIT 1;
    NEW.sequence := coalesce(latest.sequence, 0) + 1;
    NEW.chain := ops.ledger_link(coalesce(latest.chain, ''), to_jsonb(NEW));
    RETURN NEW;
END
$$;
CREATE TRIGGER chained BEFORE INSERT ON ops.retention_ledger
FOR EACH ROW EXECUTE FUNCTION ops.chain_ledger();
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.retention_ledger
FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON ops.retention_ledger FROM PUBLIC, CURRENT_USER;

CREATE FUNCTION ops.broken_ledger_rows() RETURNS TABLE (broken bigint)
LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
    SELECT l.sequence
    FROM (
        SELECT *, lag(chain, 1, '') OVER (ORDER BY sequence) AS before,
               row_number() OVER (ORDER BY sequence) AS place
        FROM ops.retention_ledger
    ) AS l
    WHERE l.sequence <> l.place
       OR l.chain <> ops.ledger_link(l.before, to_jsonb(l) - 'before' - 'place')
    ORDER BY 1
$$;
COMMENT ON FUNCTION ops.broken_ledger_rows IS 'Rows of the ledger that are not what they were when they were written; none in a sound one.';

CREATE TABLE ops.archive_index (
    domain          text        NOT NULL,
    table_name      text        NOT NULL,
    month           date        NOT NULL CHECK (month = date_trunc('month', month)),
    path            text        NOT NULL,
    rows            bigint      NOT NULL,
    bytes           bigint      NOT NULL,
    content_hash    text        NOT NULL,
    file_hash       text        NOT NULL,
    manifest_hash   text        NOT NULL,
    first_day       date        NOT NULL,
    last_day        date        NOT NULL,
    policy_version  text        NOT NULL,
    archived_at     timestamptz NOT NULL DEFAULT now(),
    dropped_at      timestamptz,
    restored_until  date,
    deleting_since  timestamptz,
    deleted_at      timestamptz,
    PRIMARY KEY (domain, table_name, month)
);
COMMENT ON TABLE ops.archive_index IS 'The months in the archive; it can be made anew from their manifests and the ledger.';
COMMENT ON COLUMN ops.archive_index.path IS 'The Parquet file, relative to the archive.';
COMMENT ON COLUMN ops.archive_index.dropped_at IS
    'When the rows left Postgres; while it is null, they are there and the file is a copy of them.';
COMMENT ON COLUMN ops.archive_index.restored_until IS 'The rows were brought back into Postgres, and stay there until this day.';
COMMENT ON COLUMN ops.archive_index.deleting_since IS 'The month has expired and its file is about to go.';

CREATE TABLE ops.legal_holds (
    hold_id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain          text        NOT NULL,
    table_name      text,
    first_day       date,
    last_day        date,
    subject         text,
    reason          text        NOT NULL CHECK (reason <> ''),
    placed_by       text        NOT NULL,
    since           timestamptz NOT NULL DEFAULT now(),
    until           date,
    released_at     timestamptz,
    CHECK (last_day >= first_day)
);
COMMENT ON TABLE ops.legal_holds IS
    'What must not be archived, purged or erased, and why. A null table, day or subject stands for all of them.';
COMMENT ON COLUMN ops.legal_holds.subject IS
    'A wallet or a user: the hold is on the rows with this value in an address or a text.';

CREATE TABLE ops.retained_from (
    domain          text        NOT NULL,
    table_name      text        NOT NULL,
    first_day       date        NOT NULL,
    since           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, table_name)
);
COMMENT ON TABLE ops.retained_from IS
    'The first day that Postgres still holds of a table; the days before it are frozen: nothing is published of them any more.';
