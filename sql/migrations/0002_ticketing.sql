-- The tables of the ticketing domain, each partitioned by month on its time. Columns, types and keys are those of
-- ticketintel_pipelines/ticketing/tables; a check compares the two on every start.

CREATE SCHEMA ticketing;

CREATE TABLE ticketing.blocks (
    block_number    bigint NOT NULL,
    block_hash      text NOT NULL,
    parent_hash     text,
    block_timestamp timestamp with time zone NOT NULL,
    PRIMARY KEY (block_number, block_timestamp)
) PARTITION BY RANGE (block_timestamp);
CREATE INDEX blocks_by_time ON ticketing.blocks USING brin (block_timestamp);

CREATE TABLE ticketing.transfers (
    block_number     bigint NOT NULL,
    block_timestamp  timestamp with time zone NOT NULL,
    transaction_hash text NOT NULL,
    log_index        bigint NOT NULL,
    batch_index      bigint NOT NULL,
    contract_address text NOT NULL,
    standard         text NOT NULL,
    token_id         numeric(78,0) NOT NULL,
    quantity         numeric(78,0) NOT NULL,
    from_address     text NOT NULL,
    to_address       text NOT NULL,
    PRIMARY KEY (transaction_hash, log_index, batch_index, block_timestamp)
) PARTITION BY RANGE (block_timestamp);
CREATE INDEX transfers_by_time ON ticketing.transfers USING brin (block_timestamp);

CREATE TABLE ticketing.users (
    user_id        text NOT NULL,
    created_at     timestamp with time zone NOT NULL,
    wallet_address text,
    email          text NOT NULL,
    full_name      text,
    country_code   text,
    is_verified    boolean NOT NULL,
    PRIMARY KEY (user_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX users_by_time ON ticketing.users USING brin (created_at);

CREATE TABLE ticketing.events (
    event_id         text NOT NULL,
    created_at       timestamp with time zone NOT NULL,
    name             text NOT NULL,
    category         text NOT NULL,
    venue            text NOT NULL,
    city             text NOT NULL,
    country_code     text NOT NULL,
    latitude         double precision,
    longitude        double precision,
    organiser_id     text NOT NULL,
    contract_address text NOT NULL,
    capacity         bigint NOT NULL,
    face_value_usd   numeric(18,2) NOT NULL,
    on_sale_at       timestamp with time zone NOT NULL,
    starts_at        timestamp with time zone NOT NULL,
    PRIMARY KEY (event_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX events_by_time ON ticketing.events USING brin (created_at);

CREATE TABLE ticketing.tickets (
    ticket_id        text NOT NULL,
    issued_at        timestamp with time zone NOT NULL,
    event_id         text NOT NULL,
    contract_address text NOT NULL,
    token_id         numeric(78,0) NOT NULL,
    tier             text NOT NULL,
    seat             text,
    face_value_usd   numeric(18,2) NOT NULL,
    PRIMARY KEY (ticket_id, issued_at)
) PARTITION BY RANGE (issued_at);
CREATE INDEX tickets_by_time ON ticketing.tickets USING brin (issued_at);

CREATE TABLE ticketing.sessions (
    session_id   text NOT NULL,
    started_at   timestamp with time zone NOT NULL,
    ended_at     timestamp with time zone,
    user_id      text,
    ip_address   text NOT NULL,
    device_id    text,
    user_agent   text,
    country_code text,
    latitude     double precision,
    longitude    double precision,
    page_views   bigint NOT NULL,
    PRIMARY KEY (session_id, started_at)
) PARTITION BY RANGE (started_at);
CREATE INDEX sessions_by_time ON ticketing.sessions USING brin (started_at);

CREATE TABLE ticketing.orders (
    order_id         text NOT NULL,
    created_at       timestamp with time zone NOT NULL,
    user_id          text NOT NULL,
    event_id         text NOT NULL,
    session_id       text,
    market           text NOT NULL,
    quantity         bigint NOT NULL,
    amount           numeric(18,2) NOT NULL,
    currency         text NOT NULL,
    status           text NOT NULL,
    transaction_hash text,
    PRIMARY KEY (order_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX orders_by_time ON ticketing.orders USING brin (created_at);

CREATE TABLE ticketing.payments (
    payment_id         text NOT NULL,
    paid_at            timestamp with time zone NOT NULL,
    order_id           text NOT NULL,
    user_id            text NOT NULL,
    method             text NOT NULL,
    instrument_id      text,
    instrument_country text,
    amount             numeric(18,2) NOT NULL,
    currency           text NOT NULL,
    status             text NOT NULL,
    PRIMARY KEY (payment_id, paid_at)
) PARTITION BY RANGE (paid_at);
CREATE INDEX payments_by_time ON ticketing.payments USING brin (paid_at);

CREATE TABLE ticketing.check_ins (
    check_in_id   text NOT NULL,
    checked_in_at timestamp with time zone NOT NULL,
    ticket_id     text NOT NULL,
    event_id      text NOT NULL,
    gate          text,
    PRIMARY KEY (check_in_id, checked_in_at)
) PARTITION BY RANGE (checked_in_at);
CREATE INDEX check_ins_by_time ON ticketing.check_ins USING brin (checked_in_at);

CREATE TABLE ticketing.chargebacks (
    chargeback_id text NOT NULL,
    received_at   timestamp with time zone NOT NULL,
    payment_id    text NOT NULL,
    amount        numeric(18,2) NOT NULL,
    currency      text NOT NULL,
    reason        text NOT NULL,
    PRIMARY KEY (chargeback_id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX chargebacks_by_time ON ticketing.chargebacks USING brin (received_at);

CREATE TABLE ticketing.security_events (
    security_event_id text NOT NULL,
    occurred_at       timestamp with time zone NOT NULL,
    user_id           text,
    kind              text NOT NULL,
    ip_address        text,
    device_id         text,
    PRIMARY KEY (security_event_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX security_events_by_time ON ticketing.security_events USING brin (occurred_at);

CREATE TABLE ticketing.api_requests (
    request_id   text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    session_id   text,
    user_id      text,
    ip_address   text NOT NULL,
    method       text NOT NULL,
    path         text NOT NULL,
    status_code  bigint NOT NULL,
    latency_ms   double precision NOT NULL,
    PRIMARY KEY (request_id, requested_at)
) PARTITION BY RANGE (requested_at);
CREATE INDEX api_requests_by_time ON ticketing.api_requests USING brin (requested_at);

CREATE TABLE ticketing.transactions (
    transaction_id   text NOT NULL,
    occurred_at      timestamp with time zone NOT NULL,
    kind             text NOT NULL,
    marketplace      text,
    contract_address text,
    token_id         numeric(78,0) NOT NULL,
    quantity         numeric(78,0) NOT NULL,
    event_id         text,
    ticket_id        text,
    seller_address   text,
    buyer_address    text,
    buyer_source     text NOT NULL,
    price_wei        numeric(78,0),
    price_usd        numeric(18,2),
    order_id         text,
    user_id          text,
    block_number     bigint NOT NULL,
    log_index        bigint NOT NULL,
    transaction_hash text NOT NULL,
    PRIMARY KEY (transaction_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX transactions_by_time ON ticketing.transactions USING brin (occurred_at);

CREATE TABLE ticketing.fraud_predictions (
    transaction_id text NOT NULL,
    scored_at      timestamp with time zone NOT NULL,
    fraud_score    double precision NOT NULL,
    decision       text NOT NULL,
    confidence     double precision,
    top_features   text,
    model_version  text NOT NULL,
    PRIMARY KEY (transaction_id, scored_at)
) PARTITION BY RANGE (scored_at);
CREATE INDEX fraud_predictions_by_time ON ticketing.fraud_predictions USING brin (scored_at);

-- Who owned a token before a given night, and which ticket it is, is looked up for the tokens of that night only.
CREATE INDEX transfers_by_token ON ticketing.transfers (contract_address, token_id, block_timestamp);
CREATE INDEX tickets_by_token ON ticketing.tickets (contract_address, token_id);

-- What is checked for being the only one.
CREATE INDEX check_ins_by_ticket ON ticketing.check_ins (ticket_id);
CREATE INDEX chargebacks_by_payment ON ticketing.chargebacks (payment_id);

-- Transactions that wait for something that may still come: the token's next sale, its ticket.
CREATE INDEX transactions_without_buyer ON ticketing.transactions (contract_address, token_id) WHERE buyer_source <> 'recorded';
CREATE INDEX transactions_without_ticket ON ticketing.transactions (contract_address, token_id) WHERE ticket_id IS NULL;
