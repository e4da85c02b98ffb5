-- What was taken from a chain: which blocks for which contracts, and the chain of their headers. Both belong to the files that
-- the rows landed in, and go with them when those are withdrawn; what is then missing is taken again.

CREATE TABLE ops.chain_increments (
    domain        text        NOT NULL,
    content_hash  text        NOT NULL,
    chain_id      bigint      NOT NULL,
    first_block   bigint      NOT NULL,
    last_block    bigint      NOT NULL,
    addresses     text[]      NOT NULL,
    source_file   text        NOT NULL,
    PRIMARY KEY (domain, content_hash),
    FOREIGN KEY (domain, content_hash) REFERENCES ops.imported_files (domain, content_hash) ON DELETE CASCADE,
    CONSTRAINT blocks_in_order CHECK (first_block <= last_block)
);
CREATE INDEX chain_increments_by_block ON ops.chain_increments (domain, chain_id, last_block);
COMMENT ON TABLE ops.chain_increments IS
    'Blocks whose logs were taken from a chain''s nodes, complete, and landed; recorded together with the rows.';
COMMENT ON COLUMN ops.chain_increments.content_hash IS 'The landed file of the logs.';
COMMENT ON COLUMN ops.chain_increments.addresses IS 'Contracts whose logs were asked for.';

CREATE TABLE ops.chain_headers (
    domain        text        NOT NULL,
    chain_id      bigint      NOT NULL,
    block_number  bigint      NOT NULL,
    block_hash    text        NOT NULL,
    parent_hash   text        NOT NULL,
    block_time    timestamptz NOT NULL,
    content_hash  text        NOT NULL,
    PRIMARY KEY (domain, chain_id, block_number),
    FOREIGN KEY (domain, content_hash) REFERENCES ops.imported_files (domain, content_hash) ON DELETE CASCADE
);
CREATE INDEX chain_headers_by_file ON ops.chain_headers (domain, content_hash);
COMMENT ON TABLE ops.chain_headers IS
    'The header of every block that was taken, once: a node that has another hash at some height has reorganised its chain.';
COMMENT ON COLUMN ops.chain_headers.content_hash IS 'The landed file of the blocks.';

CREATE TABLE ops.chain_progress (
    domain        text        NOT NULL,
    chain_id      bigint      NOT NULL,
    head          bigint      NOT NULL,
    final_block   bigint      NOT NULL,
    reached       bigint,
    checked_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, chain_id)
);
COMMENT ON TABLE ops.chain_progress IS 'How far the nodes were, and how far the pipeline had come, when they were last asked.';
COMMENT ON COLUMN ops.chain_progress.reached IS 'Last block up to which every contract has every block; null while there is none.';
