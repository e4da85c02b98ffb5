-- Key figures by the hour over the last seven days of data, hours without any transaction included.
-- The seven days end with the newest transaction, not with the clock, so that old data is shown too.
-- key: hour
-- reads: transactions, fraud_predictions
-- show: hour DESC
-- column hour: Start of the hour, UTC.
-- column total_transactions: Ticket transactions of every kind (sales, issues, gifts, burns) in the hour.
-- column total_revenue: Sum of the prices paid in primary sales and resales, in `revenue_currency`; sales without a recorded price count as zero.
-- column revenue_currency: Currency of total_revenue.
-- column avg_fraud_score: Mean fraud score of the hour's transactions, 0 to 1; null until a model has scored.
-- column blocked_count: Transactions of the hour that the fraud model decided to block; null where none was scored.
WITH newest AS (
    SELECT max(occurred_at) AS occurred_at
    FROM ticketing.transactions
    WHERE occurred_at >= (
        SELECT max(day)::timestamp AT TIME ZONE 'UTC'
        FROM ops.published_days
        WHERE domain = 'ticketing' AND table_name = 'transactions' AND published > 0
    )
),

hours AS (
    SELECT generate_series(
        date_trunc('hour', occurred_at) - interval '167 hours', date_trunc('hour', occurred_at), interval '1 hour'
    ) AS hour
    FROM newest
    WHERE occurred_at IS NOT NULL
),

recent AS (
    SELECT
        transaction_id,
        date_trunc('hour', occurred_at) AS hour,
        price_wei
    FROM ticketing.transactions
    WHERE occurred_at >= (SELECT min(hour) FROM hours)
),

predictions AS (
    SELECT
        transaction_id,
        fraud_score,
        decision
    FROM ticketing.fraud_predictions
    WHERE occurred_at >= (SELECT min(hour) FROM hours)
),

figures AS (
    SELECT
        recent.hour,
        count(*) AS total_transactions,
        coalesce(sum(recent.price_wei), 0) / 1e18::numeric AS total_revenue,
        avg(predictions.fraud_score) AS avg_fraud_score,
        CASE
            WHEN count(predictions.transaction_id) > 0 THEN count(*) FILTER (WHERE predictions.decision = 'BLOCKED')
        END AS blocked_count
    FROM recent
    LEFT JOIN predictions USING (transaction_id)
    GROUP BY recent.hour
)

SELECT
    hours.hour,
    coalesce(figures.total_transactions, 0) AS total_transactions,
    coalesce(figures.total_revenue, 0)::numeric(38, 18) AS total_revenue,
    'ETH'::text AS revenue_currency,
    figures.avg_fraud_score,
    figures.blocked_count
FROM hours
LEFT JOIN figures USING (hour);
