-- What the platform recorded can change: a row comes again with the time at which its new state became known, or as deleted.
-- The newest version is published; older ones are counted here and kept in the lake.

ALTER TABLE ticketing.users
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.events
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.tickets
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.sessions
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.orders
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.payments
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.check_ins
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.chargebacks
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.security_events
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;
ALTER TABLE ticketing.api_requests
    ADD COLUMN known_at timestamp with time zone,
    ADD COLUMN deleted_at timestamp with time zone;

ALTER TABLE ops.published_days
    ADD COLUMN superseded bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT nothing_lost,
    ADD CONSTRAINT nothing_lost CHECK (rows_in = published + quarantined + duplicates + superseded);
COMMENT ON TABLE ops.published_days IS
    'What is published of each table and day: rows in = published + quarantined + exact duplicates + superseded, held by a constraint.';
COMMENT ON COLUMN ops.published_days.superseded IS
    'Older versions of rows that are published in a newer one; they lie in the lake, in the stage history.';
