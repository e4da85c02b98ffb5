-- Erasure on request: who asked (as a keyed hash), by when it has to be done, and what must not come back.

CREATE TABLE ops.erasure_requests (
    domain          text        NOT NULL,
    subject_hash    text        NOT NULL,
    requested_at    timestamptz NOT NULL DEFAULT now(),
    due_at          timestamptz NOT NULL DEFAULT now() + interval '30 days',
    done_at         timestamptz,
    receipt         text,
    receipt_hash    text,
    PRIMARY KEY (domain, subject_hash, requested_at),
    CHECK ((done_at IS NULL) = (receipt IS NULL) AND (receipt IS NULL) = (receipt_hash IS NULL))
);
CREATE UNIQUE INDEX erasure_requests_open ON ops.erasure_requests (domain, subject_hash) WHERE done_at IS NULL;
COMMENT ON TABLE ops.erasure_requests IS 'Requests of people to be erased, open ones and those that were carried out.';
COMMENT ON COLUMN ops.erasure_requests.subject_hash IS
    'Keyed hash of the account or wallet that was named: without the deployment''s key it says nothing.';
COMMENT ON COLUMN ops.erasure_requests.receipt IS 'File of the receipt, relative to the home.';

CREATE TABLE ops.tombstones (
    domain          text        NOT NULL,
    identifies      text        NOT NULL,
    value_hash      text        NOT NULL,
    since           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, identifies, value_hash)
);
COMMENT ON TABLE ops.tombstones IS
    'Keyed hashes of identifiers of people who were erased: what comes in with one of them later is left out, or stripped of it.';

ALTER TABLE ops.imported_files ADD COLUMN erased_rows bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ops.imported_files.erased_rows IS
    'Rows of the file that were left out, or stripped of a wallet, since they are about people who were erased.';
