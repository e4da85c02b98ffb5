-- What became known of the honesty of earlier transactions.
-- Grain: a piece of news of a transaction. Key: transaction_id, fraud. Order: seen, transaction_id, fraud.
-- Reads: judged (transactions with the order they fulfilled, if any, and their keys), frauds (order_id and seen: when an order's
-- first chargeback for fraud was known), fraud_reviews (verdicts on transactions), maturity (one row, microseconds), span.
--
-- A transaction is known as fraud from its first chargeback for fraud or its first verdict of fraud on, whichever comes first, and
-- as honest from its first verdict of honest on or, if it was paid, from when it is as old as the maturity. It settles once, by
-- what is known first. Fraud that becomes known later still counts, of a transaction that has settled before: settled 0, fraud 1.
-- A verdict of honest after one of fraud takes nothing back. A transaction of which no payment was known at its time never settles
-- by its age, so that the first verdict or its fraud settles it whenever it comes.
WITH known AS (
    SELECT
        transaction_id,
        seen,
        verdict = 'fraud' AS is_fraud
    FROM fraud_reviews
    UNION ALL
    SELECT
        judged.transaction_id,
        frauds.seen,
        TRUE AS is_fraud
    FROM judged
    INNER JOIN frauds USING (order_id)
    UNION ALL
    SELECT
        judged.transaction_id,
        judged.seen + maturity.microseconds AS seen,
        FALSE AS is_fraud
    FROM judged
    CROSS JOIN maturity
    WHERE judged.order_id IS NOT NULL AND judged.method_key IS NOT NULL
),

firsts AS (
    SELECT
        judged.transaction_id,
        -- Nothing is known of a transaction before it is known itself.
        min(greatest(known.seen, judged.seen)) FILTER (WHERE known.is_fraud) AS fraud_seen,
        min(greatest(known.seen, judged.seen)) FILTER (WHERE NOT known.is_fraud) AS honest_seen
    FROM judged
    INNER JOIN known USING (transaction_id)
    GROUP BY judged.transaction_id
),

news AS (
    SELECT
        transaction_id,
        honest_seen AS seen,
        1 AS settled,
        0 AS fraud
    FROM firsts
    WHERE honest_seen IS NOT NULL AND (fraud_seen IS NULL OR fraud_seen >= honest_seen)
    UNION ALL
    SELECT
        transaction_id,
        fraud_seen AS seen,
        CASE WHEN honest_seen IS NULL OR fraud_seen < honest_seen THEN 1 ELSE 0 END AS settled,
        1 AS fraud
    FROM firsts
    WHERE fraud_seen IS NOT NULL
)

SELECT
    news.transaction_id,
    news.seen,
    judged.wallet_key,
    judged.seller_key,
    judged.event_key,
    judged.device_key,
    judged.ip_block_key,
    judged.instrument_key,
    CAST(news.settled AS BIGINT) AS settled,
    CAST(news.fraud AS BIGINT) AS fraud
FROM news
INNER JOIN judged USING (transaction_id)
CROSS JOIN span
WHERE news.seen >= span.first AND news.seen < span.past
ORDER BY news.seen, news.transaction_id, news.fraud;
