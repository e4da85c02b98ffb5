-- How far each table of the platform's own database was taken. Deleting a table's watermark lets it be taken anew.

CREATE TABLE ops.platform_watermarks (
    domain        text        NOT NULL,
    table_name    text        NOT NULL,
    updated_at    timestamptz,
    row_key       text,
    ask_from      timestamptz,
    columns       jsonb       NOT NULL,
    increments    bigint      NOT NULL,
    rows          bigint      NOT NULL,
    taken_at      timestamptz NOT NULL,
    PRIMARY KEY (domain, table_name)
);
COMMENT ON TABLE ops.platform_watermarks IS
    'Per table of the platform''s database, the newest row that was taken; moved together with the fragments it stands for.';
COMMENT ON COLUMN ops.platform_watermarks.updated_at IS
    'Of the newest row by (updated_at, key), rows dated ahead of the source''s clock apart; null while there was none.';
COMMENT ON COLUMN ops.platform_watermarks.row_key IS 'Key of that row, its columns joined by colons.';
COMMENT ON COLUMN ops.platform_watermarks.ask_from IS
    'The next increment asks for rows written at this moment or later: before the watermark by the overlap, and by the age of '
    'the oldest transaction that was open. Never moves back; null asks for all.';
COMMENT ON COLUMN ops.platform_watermarks.columns IS 'All columns that the source''s table had, with their types.';
COMMENT ON COLUMN ops.platform_watermarks.increments IS 'Increments so far, those without new rows included.';
COMMENT ON COLUMN ops.platform_watermarks.rows IS 'Rows landed so far, every version counted.';
COMMENT ON COLUMN ops.platform_watermarks.taken_at IS 'When the newest increment read the table, by the source''s clock.';

CREATE TABLE ops.platform_taken (
    domain        text    NOT NULL,
    table_name    text    NOT NULL,
    part          integer NOT NULL,
    row_digests   bytea   NOT NULL,
    PRIMARY KEY (domain, table_name, part),
    FOREIGN KEY (domain, table_name) REFERENCES ops.platform_watermarks (domain, table_name) ON DELETE CASCADE
);
COMMENT ON TABLE ops.platform_taken IS
    'Rows written since ask_from that were landed already: asked for again, they are known by their digest and not landed twice.';
COMMENT ON COLUMN ops.platform_taken.part IS 'Digests beyond a hundred thousand go into further parts.';
COMMENT ON COLUMN ops.platform_taken.row_digests IS 'MD5 of all declared columns of each row, 16 bytes after 16 bytes.';

CREATE TABLE ops.platform_left_out (
    domain        text        NOT NULL,
    table_name    text        NOT NULL,
    row_key       text        NOT NULL,
    updated_at    timestamptz,
    rule          text        NOT NULL,
    noted_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, table_name, row_key),
    FOREIGN KEY (domain, table_name) REFERENCES ops.platform_watermarks (domain, table_name) ON DELETE CASCADE
);
COMMENT ON TABLE ops.platform_left_out IS
    'Rows that could not be landed, since without a sound time they belong to no day; gone once the row comes mended.';
COMMENT ON COLUMN ops.platform_left_out.rule IS 'What the row''s time breaks: it is not there, or it lies in the future.';
