-- What became known of the honesty of earlier transactions.
-- Grain: a piece of news of a transaction. Key: transaction_id, fraud. Order: seen, transaction_id, fraud.
-- Reads: frauds (order_id and seen: when an order's first chargeback for fraud was known), fulfilled (transactions with the order
-- they fulfilled and their keys), maturity (one row, microseconds), span.
--
-- A paid transaction settles as fraud when that becomes known before it is as old as the maturity, else as honest at that age.
-- Fraud that becomes known later still counts, of a transaction that has settled before: settled 0, fraud 1. A transaction of
-- which no payment was known at its time never settles as honest, so that its fraud settles it whenever it comes.
WITH judged AS (
    SELECT
        fulfilled.*,
        fulfilled.seen + maturity.microseconds AS matures,
        -- Not by `greatest` alone, which passes over a null.
        CASE WHEN frauds.seen IS NOT NULL THEN greatest(frauds.seen, fulfilled.seen) END AS fraud_seen
    FROM fulfilled
    CROSS JOIN maturity
    LEFT JOIN frauds USING (order_id)
),

news AS (
    SELECT
        * EXCLUDE (seen),
        matures AS seen,
        1 AS settled,
        0 AS fraud
    FROM judged
    WHERE method_key IS NOT NULL AND (fraud_seen IS NULL OR fraud_seen >= matures)
    UNION ALL BY NAME
    SELECT
        * EXCLUDE (seen),
        fraud_seen AS seen,
        CASE WHEN fraud_seen < matures OR method_key IS NULL THEN 1 ELSE 0 END AS settled,
        1 AS fraud
    FROM judged
    WHERE fraud_seen IS NOT NULL
)

SELECT
    news.transaction_id,
    news.seen,
    news.wallet_key,
    news.seller_key,
    news.event_key,
    news.device_key,
    news.ip_block_key,
    news.instrument_key,
    CAST(news.settled AS BIGINT) AS settled,
    CAST(news.fraud AS BIGINT) AS fraud
FROM news
CROSS JOIN span
WHERE news.seen >= span.first AND news.seen < span.past
ORDER BY news.seen, news.transaction_id, news.fraud;
