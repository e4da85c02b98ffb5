-- What each wallet bought and sold in the 30 days up to a day on which it traded, as it was known at the end of that day.
-- Grain: a ticket that a wallet bought, or sold without having bought it in these days, for each day on which it traded.
-- Key: day, wallet_address, bought_id, sold_id. Order: day, wallet_address, bought_us (unknown ones last), sold_us, ids.
-- Reads: transactions, events. Parameters: first_day, last_day, trailing_days, least_price_eth.
-- A sale counts from its own time on. A buyer that was only found out by the token's next sale is known from that sale on.
WITH moves AS (
    SELECT
        buyer_address AS wallet_address,
        TRUE AS is_in,
        buyer_source = 'repaired' AS is_late,
        *
    FROM transactions
    WHERE buyer_address IS NOT NULL AND buyer_source <> 'unknown'
    UNION ALL
    SELECT
        seller_address AS wallet_address,
        FALSE AS is_in,
        FALSE AS is_late,
        *
    FROM transactions
    WHERE seller_address IS NOT NULL
),

paired AS (
    SELECT
        wallet_address,
        is_in,
        is_late,
        transaction_id,
        transaction_hash,
        occurred_at,
        kind,
        event_id,
        CAST(price_wei AS DOUBLE) / 1e18 AS price_eth,
        lead(is_in) OVER held AS next_is_in,
        lead(transaction_id) OVER held AS next_id,
        lead(occurred_at) OVER held AS next_at,
        lead(kind) OVER held AS next_kind,
        lead(CAST(price_wei AS DOUBLE) / 1e18) OVER held AS next_price_eth,
        lag(is_in) OVER held AS last_is_in,
        lag(occurred_at) OVER held AS last_at
    FROM moves
    -- What is sold to oneself is given before it is received.
    WINDOW held AS (
        PARTITION BY wallet_address, contract_address, token_id
        ORDER BY occurred_at, block_number, log_index, transaction_id, is_in
    )
),

known AS (
    SELECT
        wallet_address,
        is_in,
        is_late,
        transaction_id,
        transaction_hash,
        occurred_at,
        kind,
        event_id,
        price_eth,
        next_is_in,
        next_id,
        next_at,
        next_kind,
        next_price_eth,
        last_is_in,
        last_at,
        -- From when on it is known that this wallet bought.
        CASE WHEN NOT is_late THEN occurred_at WHEN NOT next_is_in THEN next_at END AS known_at
    FROM paired
),

days AS (
    SELECT DISTINCT
        wallet_address,
        date_trunc('day', occurred_at) AS day
    FROM known
    WHERE kind IN ('primary_sale', 'resale') AND NOT is_late AND occurred_at >= CAST($first_day AS TIMESTAMPTZ)
),

spans AS (
    SELECT
        wallet_address,
        day,
        day - (CAST($trailing_days AS INTEGER) - 1) * INTERVAL 1 DAY AS begins_at,
        day + INTERVAL 1 DAY AS ends_at
    FROM days
    WHERE day < CAST($last_day AS TIMESTAMPTZ) + INTERVAL 1 DAY
),

held AS (
    SELECT
        spans.day,
        spans.wallet_address,
        known.transaction_id AS bought_id,
        known.transaction_hash AS bought_hash,
        known.kind AS bought_kind,
        known.occurred_at AS bought_at,
        known.event_id,
        known.price_eth AS bought_eth,
        -- What was given away or burnt is gone, but not resold.
        coalesce(known.next_kind = 'resale' AND NOT known.next_is_in AND known.next_at < spans.ends_at, FALSE) AS is_resold,
        known.next_id AS sold_id,
        known.next_at AS sold_at,
        known.next_price_eth AS sold_eth
    FROM spans
    INNER JOIN known
        ON
            spans.wallet_address = known.wallet_address
            AND known.occurred_at >= spans.begins_at
            AND known.occurred_at < spans.ends_at
            AND known.known_at < spans.ends_at
    WHERE known.is_in
    UNION ALL
    SELECT
        spans.day,
        spans.wallet_address,
        NULL AS bought_id,
        NULL AS bought_hash,
        NULL AS bought_kind,
        NULL AS bought_at,
        known.event_id,
        NULL AS bought_eth,
        TRUE AS is_resold,
        known.transaction_id AS sold_id,
        known.occurred_at AS sold_at,
        known.price_eth AS sold_eth
    FROM spans
    INNER JOIN known
        ON
            spans.wallet_address = known.wallet_address
            AND known.occurred_at >= spans.begins_at
            AND known.occurred_at < spans.ends_at
    WHERE
        NOT known.is_in
        AND known.kind = 'resale'
        -- Bought before these days, or by nobody knows what.
        AND NOT coalesce(known.last_is_in AND known.last_at >= spans.begins_at, FALSE)
),

trips AS (
    SELECT
        day,
        wallet_address,
        bought_id,
        bought_hash,
        bought_kind,
        bought_at,
        event_id,
        bought_eth,
        is_resold,
        -- Nothing of a sale yet to come, not even its place in the order of rows.
        CASE WHEN is_resold THEN sold_id END AS sold_id,
        CASE WHEN is_resold THEN sold_at END AS sold_at,
        CASE WHEN is_resold THEN sold_eth END AS sold_eth
    FROM held
)

SELECT
    trips.day,
    trips.wallet_address,
    trips.bought_id,
    trips.bought_hash,
    trips.bought_kind,
    epoch_us(trips.bought_at) AS bought_us,
    trips.bought_eth,
    trips.event_id,
    epoch(trips.bought_at - events.on_sale_at) AS seconds_since_on_sale,
    trips.is_resold,
    trips.sold_id,
    epoch_us(trips.sold_at) AS sold_us,
    trips.sold_eth,
    epoch(trips.sold_at - trips.bought_at) / 3600 AS hold_hours,
    -- What was had or given away for next to nothing has no mark-up.
    CASE WHEN least(trips.bought_eth, trips.sold_eth) >= $least_price_eth THEN trips.sold_eth / trips.bought_eth END AS mark_up
FROM trips
LEFT JOIN events USING (event_id)
ORDER BY trips.day, trips.wallet_address, trips.bought_at NULLS LAST, trips.sold_at NULLS LAST, trips.bought_id, trips.sold_id;
