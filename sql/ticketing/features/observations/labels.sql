-- What became known of the honesty of earlier transactions.
-- Grain: a piece of news of a transaction. Key: transaction_id, fraud. Order: seen, transaction_id, fraud.
-- Reads: fraud_orders (orders charged back for fraud, and when that was known), charged (their transactions), matured (the
-- transactions as old as the maturity on the days), maturity.
--
-- A transaction of an order settles as honest once it is as old as the maturity and no fraud is known of it, or as fraud when
-- that becomes known before. Fraud that becomes known later still counts, of a transaction that had settled already.
WITH settled AS (
    SELECT
        t.*,
        t.seen + maturity.microseconds AS known
    FROM matured AS t
    CROSS JOIN maturity
    WHERE t.order_id IS NOT NULL
),

news AS (
    SELECT
        s.transaction_id, s.known AS seen, s.wallet_key, s.seller_key, s.event_key, s.device_key, s.ip_block_key,
        s.instrument_key, 1 AS settled, 0 AS fraud
    FROM settled AS s
    ANTI JOIN fraud_orders AS f ON f.order_id = s.order_id AND f.seen <= s.known
    UNION ALL
    SELECT
        c.transaction_id, greatest(f.seen, c.seen) AS seen, c.wallet_key, c.seller_key, c.event_key, c.device_key,
        c.ip_block_key, c.instrument_key, CAST(f.seen <= c.seen + maturity.microseconds AS INTEGER) AS settled, 1 AS fraud
    FROM charged AS c
    CROSS JOIN maturity
    JOIN fraud_orders AS f ON f.order_id = c.order_id
)

SELECT
    n.transaction_id,
    n.seen,
    n.wallet_key,
    n.seller_key,
    n.event_key,
    n.device_key,
    n.ip_block_key,
    n.instrument_key,
    CAST(n.settled AS BIGINT) AS settled,
    CAST(n.fraud AS BIGINT) AS fraud
FROM news AS n
CROSS JOIN span
WHERE n.seen >= span.first AND n.seen < span.past
ORDER BY n.seen, n.transaction_id, fraud;
