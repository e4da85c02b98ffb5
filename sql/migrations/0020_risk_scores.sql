-- The price of a ticket beside its features, and the risk scores that are made of it.

ALTER TABLE ticketing.features ADD COLUMN amount_eth double precision;

CREATE TABLE ticketing.risk_scores (
    transaction_id text NOT NULL,
    occurred_at    timestamp with time zone NOT NULL,
    scored_at      timestamp with time zone NOT NULL,
    risk_score     double precision NOT NULL,
    band           text NOT NULL,
    model_version  text NOT NULL,
    PRIMARY KEY (transaction_id, scored_at)
) PARTITION BY RANGE (scored_at);
CREATE INDEX risk_scores_by_time ON ticketing.risk_scores USING brin (scored_at);

-- A day is replaced as a whole when it is scored again.
CREATE INDEX risk_scores_by_day ON ticketing.risk_scores USING brin (occurred_at);
