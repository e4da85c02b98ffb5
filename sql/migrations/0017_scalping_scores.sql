-- How much a wallet trades like a scalper, day by day.

CREATE TABLE ticketing.scalping_scores (
    day               timestamp with time zone NOT NULL,
    wallet_address    text NOT NULL,
    scalping_score    double precision NOT NULL,
    is_scalper        boolean NOT NULL,
    rules_fired       text NOT NULL,
    evidence          text NOT NULL,
    tickets_bought    bigint NOT NULL,
    bought_at_on_sale bigint NOT NULL,
    mark_up           double precision,
    hold_hours        double precision,
    share_resold      double precision,
    scored_at         timestamp with time zone NOT NULL,
    model_version     text NOT NULL,
    PRIMARY KEY (day, wallet_address)
) PARTITION BY RANGE (day);
CREATE INDEX scalping_scores_by_time ON ticketing.scalping_scores USING brin (day);

-- How a wallet's score moved.
CREATE INDEX scalping_scores_by_wallet ON ticketing.scalping_scores (wallet_address);
