-- Streams of figures by the hour and by the day, each slot of a stream once.
-- Grain: a slot of a stream. Key: stream, started_at. Order: stream, started_at.
-- Reads: transactions (from the beginning), events.
--
-- Streams of an event run from the hour in which its sale opens to the one in which its doors open; those of the whole market
-- begin with its first transaction. A slot without a sale has 0 sales and 0 volume; without a resale it has no price.
WITH bounds AS (
    SELECT
        $reach_first_day::DATE::TIMESTAMPTZ AS first_at,
        ($last_day::DATE + INTERVAL 1 DAY)::TIMESTAMPTZ AS past_at
),

market AS (
    SELECT min(occurred_at) AS opened_at FROM transactions
),

sold AS (
    SELECT
        date_trunc('hour', transactions.occurred_at) AS hour_at,
        transactions.event_id,
        transactions.kind = 'resale' AS is_resale,
        -- In gwei: sums of them are exact. A price beyond all money is none.
        CASE WHEN length(transactions.price_wei) <= 30 THEN transactions.price_wei::DECIMAL(38, 0)::HUGEINT // 1000000000 END
            AS price_gwei
    FROM transactions
    CROSS JOIN bounds
    WHERE
        transactions.kind IN ('primary_sale', 'resale')
        AND transactions.occurred_at >= bounds.first_at
        AND transactions.occurred_at < bounds.past_at
),

slots AS (
    SELECT
        'hour' AS grain,
        events.event_id,
        unnest(
            generate_series(
                greatest(date_trunc('hour', events.on_sale_at), bounds.first_at),
                least(date_trunc('hour', events.starts_at), bounds.past_at - INTERVAL 1 HOUR),
                INTERVAL 1 HOUR
            )
        ) AS started_at
    FROM events
    CROSS JOIN bounds
    WHERE events.on_sale_at < bounds.past_at AND events.starts_at >= bounds.first_at
    UNION ALL
    SELECT
        'hour',
        NULL,
        unnest(
            generate_series(
                greatest(date_trunc('hour', market.opened_at), bounds.first_at), bounds.past_at - INTERVAL 1 HOUR, INTERVAL 1 HOUR
            )
        )
    FROM market
    CROSS JOIN bounds
    WHERE market.opened_at IS NOT NULL
    UNION ALL
    SELECT
        'day',
        NULL,
        unnest(
            generate_series(
                greatest(date_trunc('day', market.opened_at), bounds.first_at), bounds.past_at - INTERVAL 1 DAY, INTERVAL 1 DAY
            )
        )
    FROM market
    CROSS JOIN bounds
    WHERE market.opened_at IS NOT NULL
),

sums AS (
    SELECT
        'hour' AS grain,
        event_id,
        hour_at AS started_at,
        count(*) AS sales,
        sum(price_gwei) AS gwei,
        count(price_gwei) FILTER (WHERE is_resale) AS priced_resales,
        sum(price_gwei) FILTER (WHERE is_resale) AS resale_gwei
    FROM sold
    WHERE event_id IS NOT NULL
    GROUP BY event_id, hour_at
    UNION ALL
    SELECT
        'hour',
        NULL,
        hour_at,
        count(*),
        sum(price_gwei),
        count(price_gwei) FILTER (WHERE is_resale),
        sum(price_gwei) FILTER (WHERE is_resale)
    FROM sold
    GROUP BY hour_at
    UNION ALL
    SELECT
        'day',
        NULL,
        date_trunc('day', hour_at),
        count(*),
        sum(price_gwei),
        count(price_gwei) FILTER (WHERE is_resale),
        sum(price_gwei) FILTER (WHERE is_resale)
    FROM sold
    GROUP BY date_trunc('day', hour_at)
),

filled AS (
    SELECT
        slots.grain,
        slots.event_id,
        slots.started_at,
        coalesce(sums.sales, 0)::DOUBLE AS sales,
        coalesce(sums.gwei, 0)::DOUBLE / 1e9 AS volume_eth,
        sums.resale_gwei::DOUBLE / nullif(sums.priced_resales, 0) / 1e9 AS resale_price_eth
    FROM slots
    LEFT JOIN sums
        ON
            slots.grain = sums.grain
            AND slots.started_at = sums.started_at
            AND slots.event_id IS NOT DISTINCT FROM sums.event_id
),

measured AS (
    SELECT
        grain,
        event_id,
        started_at,
        'sales' AS measure,
        sales AS value
    FROM filled
    UNION ALL
    SELECT
        grain,
        event_id,
        started_at,
        'resale_price_eth',
        resale_price_eth
    FROM filled
    UNION ALL
    SELECT
        grain,
        event_id,
        started_at,
        'volume_eth',
        volume_eth
    FROM filled
    WHERE event_id IS NULL
)

SELECT
    concat_ws('/', coalesce(event_id, 'market'), measure, grain) AS stream,
    concat_ws(' ', measure, 'by the', grain, if(event_id IS NULL, 'of the market', 'of an event')) AS family,
    event_id,
    measure,
    started_at,
    epoch_us(started_at) AS at,
    value
FROM measured
ORDER BY stream, started_at;
