-- Five key figures over the last 28 days of data against their targets. The first two have specified targets; the others are held
-- against the 28 days before, which they should not fall short of, once there are that many.
-- key: kpi
-- reads: transactions, fraud_predictions, fraud_reviews, chargebacks, payments, orders, check_ins, users
-- show: kpi
-- column kpi: Name of the figure.
-- column value: The figure over the last 28 days; null where nothing is known to work it out from.
-- column target: What it is held against.
-- column is_met: Whether it is at least, or for false alarms at most, the target; null where either is unknown.
-- column unit: Unit of value and target.
-- column definition: How it is worked out.
WITH newest AS (
    SELECT
        max(occurred_at) AS until,
        min(occurred_at) AS first_at
    FROM ticketing.transactions
),

spans AS (
    SELECT
        until - interval '28 days' AS since,
        until - interval '56 days' AS before,
        -- A part of the days before would make a target that is too easy.
        first_at <= until - interval '55 days' AS has_before
    FROM newest
),

recent AS (
    SELECT
        t.*,
        t.occurred_at > spans.since AS is_recent
    FROM ticketing.transactions t
    CROSS JOIN spans
    WHERE t.occurred_at > spans.before
),

known_frauds AS (
    SELECT transaction_id FROM ticketing.fraud_reviews WHERE verdict = 'fraud'
    UNION
    SELECT recent.transaction_id
    FROM ticketing.chargebacks c
    JOIN ticketing.payments p ON p.payment_id = c.payment_id
    JOIN recent ON recent.order_id = p.order_id
    WHERE c.reason = 'fraud'
),

judged AS (
    SELECT
        known_frauds.transaction_id IS NOT NULL AS is_fraud,
        predictions.fraud_score >= 0.65 AS is_held
    FROM ticketing.fraud_predictions predictions
    CROSS JOIN spans
    LEFT JOIN known_frauds USING (transaction_id)
    WHERE predictions.occurred_at > spans.since
),

detection AS (
    SELECT
        avg(is_held::int) FILTER (WHERE is_fraud) AS found,
        avg(is_held::int) FILTER (WHERE NOT is_fraud) AS false_alarms
    FROM judged
),

market AS (
    SELECT
        is_recent,
        count(*) FILTER (WHERE kind = 'resale')::numeric / nullif(count(*) FILTER (WHERE kind = 'primary_sale'), 0)
            AS resale_velocity,
        sum(price_wei) FILTER (WHERE kind IN ('primary_sale', 'resale')) / 1e18 / (28 * 24) AS revenue_per_hour,
        count(DISTINCT buyer_address) FILTER (WHERE kind IN ('primary_sale', 'resale')) AS buyers
    FROM recent
    GROUP BY is_recent
),

attended AS (
    SELECT
        c.checked_in_at > spans.since AS is_recent,
        count(*) AS check_ins
    FROM ticketing.check_ins c
    CROSS JOIN spans
    WHERE c.checked_in_at > spans.before
    GROUP BY c.checked_in_at > spans.since
),

members AS (
    SELECT count(*) AS users FROM ticketing.users
),

engagement AS (
    SELECT
        market.is_recent,
        (market.buyers + coalesce(attended.check_ins, 0))::numeric / nullif(members.users, 0) AS score
    FROM market
    LEFT JOIN attended USING (is_recent)
    CROSS JOIN members
),

figures AS (
    SELECT
        'fraud detection rate' AS kpi,
        found AS value,
        0.942 AS target,
        'share' AS unit,
        'Share of the transactions known as fraud by now that scored 0.65 or more.' AS definition
    FROM detection
    UNION ALL
    SELECT
        'false positive rate',
        false_alarms,
        0.018,
        'share',
        'Share of the transactions not known as fraud by now that scored 0.65 or more.'
    FROM detection
    UNION ALL
    SELECT
        'resale velocity',
        (SELECT resale_velocity FROM market WHERE is_recent),
        (SELECT resale_velocity FROM market CROSS JOIN spans WHERE NOT is_recent AND has_before),
        'resales for each primary sale',
        'Resales against primary sales of the same days; the target is the 28 days before.'
    UNION ALL
    SELECT
        'engagement score',
        (SELECT score FROM engagement WHERE is_recent),
        (SELECT score FROM engagement CROSS JOIN spans WHERE NOT is_recent AND has_before),
        'for each registered user',
        'Wallets that bought plus check-ins, for each registered user; the target is the 28 days before.'
    UNION ALL
    SELECT
        'revenue per hour',
        (SELECT revenue_per_hour FROM market WHERE is_recent),
        (SELECT revenue_per_hour FROM market CROSS JOIN spans WHERE NOT is_recent AND has_before),
        'ETH',
        'Prices paid in primary sales and resales, for each hour of the 28 days; the target is the 28 days before.'
)

SELECT
    kpi,
    round(value::numeric, 6) AS value,
    round(target::numeric, 6) AS target,
    CASE WHEN kpi = 'false positive rate' THEN value <= target ELSE value >= target END AS is_met,
    unit,
    definition
FROM figures;
