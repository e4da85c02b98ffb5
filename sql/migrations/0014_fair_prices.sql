-- What resales should have cost.

CREATE TABLE ticketing.fair_prices (
    transaction_id    text NOT NULL,
    occurred_at       timestamp with time zone NOT NULL,
    event_id          text,
    contract_address  text,
    token_id          numeric(78,0) NOT NULL,
    price_eth         double precision NOT NULL,
    fair_price_eth    double precision NOT NULL,
    low_eth           double precision NOT NULL,
    high_eth          double precision NOT NULL,
    linear_price_eth  double precision NOT NULL,
    earlier_price_eth double precision,
    earlier_resales   bigint NOT NULL,
    deviation_ratio   double precision NOT NULL,
    is_outside        boolean NOT NULL,
    scored_at         timestamp with time zone NOT NULL,
    model_version     text NOT NULL,
    PRIMARY KEY (transaction_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX fair_prices_by_time ON ticketing.fair_prices USING brin (occurred_at);
