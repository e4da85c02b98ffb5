-- Verdicts of the fraud desk on ticket transactions.

CREATE TABLE ticketing.fraud_reviews (
    review_id      text NOT NULL,
    decided_at     timestamp with time zone NOT NULL,
    transaction_id text NOT NULL,
    verdict        text NOT NULL,
    fraud_kind     text,
    reviewer_id    text NOT NULL,
    known_at       timestamp with time zone,
    deleted_at     timestamp with time zone,
    PRIMARY KEY (review_id, decided_at)
) PARTITION BY RANGE (decided_at);
CREATE INDEX fraud_reviews_by_time ON ticketing.fraud_reviews USING brin (decided_at);

-- All verdicts on one transaction, however long ago they were given.
CREATE INDEX fraud_reviews_by_transaction ON ticketing.fraud_reviews (transaction_id);
