-- Features: what was worked out of each table of the stage `feature`, and the days of them that analysts read.

CREATE TABLE ops.feature_days (
    domain          text        NOT NULL,
    table_name      text        NOT NULL,
    day             date        NOT NULL,
    rows            bigint      NOT NULL,
    content_hash    text        NOT NULL,
    inputs_hash     text        NOT NULL,
    published_hash  text,
    run_id          text        NOT NULL,
    worked_out_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, table_name, day)
);
COMMENT ON TABLE ops.feature_days IS 'What lies in the lake of each observation and feature family, by day.';
COMMENT ON COLUMN ops.feature_days.inputs_hash IS
    'Of the content that the day was worked out from; a day with other inputs is stale. Empty while it is being worked out again.';
COMMENT ON COLUMN ops.feature_days.worked_out_at IS 'When the content last changed.';
COMMENT ON COLUMN ops.feature_days.published_hash IS
    'Content that stands in Postgres; null for tables that stay in the lake, and for days outside the window that is kept there.';

-- Features as they were at the time of each transaction: the last months of them, the whole history is in the lake.
CREATE TABLE ticketing.features (
    transaction_id              text NOT NULL,
    occurred_at                 timestamp with time zone NOT NULL,
    kind                        text NOT NULL,
    event_id                    text,
    time_to_resale              double precision,
    txn_velocity_1h             bigint,
    txn_velocity_1d             bigint,
    wallet_age_days             double precision,
    avg_ticket_hold_time        double precision,
    cross_event_attendance      bigint,
    payment_method_diversity    bigint,
    purchases_1d                bigint,
    purchases_7d                bigint,
    purchases_30d               bigint,
    purchases_90d               bigint,
    amount_ratio_1d             double precision,
    amount_ratio_7d             double precision,
    amount_ratio_30d            double precision,
    amount_ratio_90d            double precision,
    is_new_device               boolean,
    is_new_ip_block             boolean,
    is_new_instrument           boolean,
    is_new_event                boolean,
    instruments_used            bigint,
    event_popularity_score      double precision,
    price_deviation_ratio       double precision,
    event_transactions          bigint,
    event_transactions_1m       bigint,
    event_transactions_10m      bigint,
    event_transactions_1h       bigint,
    minutes_since_on_sale       double precision,
    hours_to_event              double precision,
    event_transactions_per_seat double precision,
    event_risk_90d              double precision,
    seller_risk_90d             double precision,
    device_risk_90d             double precision,
    ip_block_risk_90d           double precision,
    instrument_risk_90d         double precision,
    device_frauds_90d           bigint,
    instrument_frauds_90d       bigint,
    wallet_frauds_90d           bigint,
    session_distance_km         double precision,
    geo_velocity_flag           boolean,
    wallet_centrality           double precision,
    PRIMARY KEY (transaction_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX features_by_time ON ticketing.features USING brin (occurred_at);
