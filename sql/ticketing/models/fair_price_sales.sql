-- Sales on the secondary market, each with what was known of prices strictly before it.
-- Grain: a resale with a price. Key: transaction_id. Order: occurred_at, transaction_id.
-- Reads: transactions, features, events, tickets.
-- Parameters: $first_day, $last_day: days of the sales; $reach: how far back earlier sales count, microseconds.
-- A market is an event, or a contract where there are no events. Prices are natural logarithms of ETH. Every window of earlier
-- sales ends a microsecond before the sale, so that sales of one instant do not see each other, and is a median, a quantile or
-- a count, none of which depends on the order of sales of one instant. What an earlier sale is compared with reaches back a week
-- from that sale, so that $reach and eight days are read.
WITH first_events AS (
    SELECT
        event_id,
        any_value(category ORDER BY created_at) AS category,
        min(capacity) AS capacity
    FROM events
    GROUP BY event_id
),

first_tickets AS (
    SELECT
        ticket_id,
        any_value(tier ORDER BY issued_at) AS tier,
        min(face_value_usd) AS face_value_usd
    FROM tickets
    GROUP BY ticket_id
),

sales AS (
    SELECT
        transactions.transaction_id,
        transactions.occurred_at,
        epoch_us(transactions.occurred_at) AS instant,
        CAST(transactions.occurred_at AS DATE) AS day,
        transactions.kind = 'resale' AS is_resale,
        transactions.marketplace,
        transactions.contract_address,
        transactions.token_id,
        transactions.event_id,
        coalesce(transactions.event_id, transactions.contract_address, '') AS market,
        first_events.category,
        first_events.capacity,
        first_tickets.tier,
        first_tickets.face_value_usd,
        CAST(transactions.price_wei AS DOUBLE) / 1e18 AS price_eth,
        ln(CAST(transactions.price_wei AS DOUBLE) / 1e18) AS price,
        CASE WHEN transactions.price_usd > 0
            THEN ln(CAST(transactions.price_wei AS DOUBLE) / 1e18 / CAST(transactions.price_usd AS DOUBLE))
        END AS rate
    FROM transactions
    LEFT JOIN first_events ON transactions.event_id = first_events.event_id
    LEFT JOIN first_tickets ON transactions.ticket_id = first_tickets.ticket_id
    WHERE
        transactions.kind IN ('primary_sale', 'resale')
        AND CAST(transactions.price_wei AS DOUBLE) > 0
),

-- What a dollar was worth on each day, and when it was known: from the next day on.
daily_rates AS (
    SELECT
        day + 1 AS known_on,
        median(rate) AS rate
    FROM sales
    WHERE rate IS NOT NULL
    GROUP BY day
),

-- What a dollar was worth when last seen: in the six hours before, or on the last day of the week before on which it was seen.
rated AS (
    SELECT
        sales.*,
        coalesce(
            median(sales.rate) OVER hours_before,
            CASE WHEN sales.day - daily_rates.known_on < 7 THEN daily_rates.rate END
        ) AS known_rate
    FROM sales
    ASOF LEFT JOIN daily_rates ON sales.day >= daily_rates.known_on
    WINDOW hours_before AS (ORDER BY sales.instant RANGE BETWEEN 21600000000 PRECEDING AND 1 PRECEDING)
),

faced AS (
    SELECT
        rated.*,
        CASE WHEN face_value_usd > 0 THEN ln(CAST(face_value_usd AS DOUBLE)) + known_rate END AS face,
        median(price) OVER before AS market_price,
        median(price) FILTER (WHERE is_resale) OVER before AS resale_price,
        count(*) FILTER (WHERE is_resale) OVER before AS resales,
        median(price) FILTER (WHERE is_resale) OVER day_before AS resale_price_1d,
        median(price) FILTER (WHERE is_resale) OVER week_before AS resale_price_7d,
        quantile_cont(price, 0.1) FILTER (WHERE is_resale) OVER week_before AS resale_low_7d,
        quantile_cont(price, 0.9) FILTER (WHERE is_resale) OVER week_before AS resale_high_7d,
        count(*) FILTER (WHERE is_resale) OVER day_before AS resales_1d,
        median(price) OVER tier_before AS tier_price,
        max(instant) OVER token_before AS token_instant
    FROM rated
    WINDOW
        before AS (PARTITION BY market ORDER BY instant RANGE BETWEEN $reach PRECEDING AND 1 PRECEDING),
        week_before AS (PARTITION BY market ORDER BY instant RANGE BETWEEN 604800000000 PRECEDING AND 1 PRECEDING),
        day_before AS (PARTITION BY market ORDER BY instant RANGE BETWEEN 86400000000 PRECEDING AND 1 PRECEDING),
        tier_before AS (PARTITION BY market, tier ORDER BY instant RANGE BETWEEN $reach PRECEDING AND 1 PRECEDING),
        token_before AS (
            PARTITION BY contract_address, token_id ORDER BY instant RANGE BETWEEN $reach PRECEDING AND 1 PRECEDING
        )
),

-- How far each sale lay above what its ticket costs at face value, and above what its market paid in the week before.
marked AS (
    SELECT
        faced.*,
        price - face AS mark_up,
        price - resale_price_7d AS premium
    FROM faced
),

-- What the same token was last sold for; the mean where it was sold twice in one instant.
tokens AS (
    SELECT
        contract_address,
        token_id,
        instant,
        avg(price) AS price,
        max(premium) AS premium
    FROM marked
    GROUP BY contract_address, token_id, instant
),

compared AS (
    SELECT
        marked.*,
        median(mark_up) FILTER (WHERE is_resale) OVER before AS resale_mark_up,
        median(mark_up) FILTER (WHERE is_resale) OVER day_before AS resale_mark_up_1d
    FROM marked
    WINDOW
        before AS (PARTITION BY market ORDER BY instant RANGE BETWEEN $reach PRECEDING AND 1 PRECEDING),
        day_before AS (PARTITION BY market ORDER BY instant RANGE BETWEEN 86400000000 PRECEDING AND 1 PRECEDING)
),

-- The usual mark-up of all events together, in the seven days before each day.
all_mark_ups AS (
    SELECT
        calendar.day,
        median(marked.mark_up) AS mark_up
    FROM (SELECT DISTINCT day FROM sales) AS calendar
    INNER JOIN marked ON marked.day >= calendar.day - 7 AND marked.day < calendar.day
    WHERE marked.is_resale
    GROUP BY calendar.day
)

SELECT
    compared.transaction_id,
    compared.occurred_at,
    compared.marketplace,
    compared.contract_address,
    compared.token_id,
    compared.event_id,
    compared.market,
    compared.category,
    compared.tier,
    compared.price_eth,
    compared.price,
    compared.face,
    compared.market_price,
    compared.resale_price,
    compared.resales,
    compared.resale_price_1d,
    compared.resale_price_7d,
    compared.resale_low_7d,
    compared.resale_high_7d,
    compared.resales_1d,
    compared.tier_price,
    compared.resale_mark_up,
    compared.resale_mark_up_1d,
    all_mark_ups.mark_up AS all_mark_up_7d,
    tokens.price AS token_price,
    tokens.premium AS token_premium,
    (compared.instant - compared.token_instant) / 3.6e9 AS token_hours,
    compared.capacity,
    features.event_popularity_score,
    features.minutes_since_on_sale,
    features.hours_to_event,
    features.event_transactions_per_seat
FROM compared
LEFT JOIN all_mark_ups ON compared.day = all_mark_ups.day
LEFT JOIN features ON compared.transaction_id = features.transaction_id
LEFT JOIN tokens
    ON
        compared.contract_address = tokens.contract_address
        AND compared.token_id = tokens.token_id
        AND compared.token_instant = tokens.instant
WHERE
    compared.is_resale
    AND compared.occurred_at >= CAST($first_day AS DATE)
    AND compared.occurred_at < CAST($last_day AS DATE) + INTERVAL 1 DAY
ORDER BY compared.occurred_at, compared.transaction_id;
