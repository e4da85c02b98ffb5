-- Events recommended to wallets, a list of ten for each day.

CREATE TABLE ticketing.recommendations (
    day            timestamp with time zone NOT NULL,
    wallet_address text NOT NULL,
    rank           bigint NOT NULL,
    event_id       text NOT NULL,
    score          double precision NOT NULL,
    source         text NOT NULL,
    reason         text NOT NULL,
    scored_at      timestamp with time zone NOT NULL,
    model_version  text NOT NULL,
    PRIMARY KEY (day, wallet_address, rank)
) PARTITION BY RANGE (day);
CREATE INDEX recommendations_by_time ON ticketing.recommendations USING brin (day);

-- What a shop front asks: the newest list of one wallet.
CREATE INDEX recommendations_by_wallet ON ticketing.recommendations (wallet_address);
