-- What wallets did in the days before an instant: what segments are made of.
-- Grain: a wallet that bought or resold in [$from_day, $until_day). Key: wallet_address. Order: wallet_address.
-- Reads: transactions, events.
--
-- Nothing of $until_day or later is used. A buyer whom a later sale proved is taken for one only when that sale was before
-- $until_day.
WITH moved AS (
    SELECT
        transaction_id,
        occurred_at,
        kind,
        concat_ws('/', coalesce(contract_address, ''), token_id) AS token,
        event_id,
        seller_address,
        buyer_address,
        buyer_source,
        -- In gwei: sums of them are exact. A price beyond all money is none.
        CASE WHEN length(price_wei) <= 30 THEN price_wei::DECIMAL(38, 0)::HUGEINT // 1000000000 END AS price_gwei
    FROM transactions
    WHERE occurred_at >= $from_day::DATE::TIMESTAMPTZ AND occurred_at < $until_day::DATE::TIMESTAMPTZ
),

proved AS (
    SELECT DISTINCT repaired.transaction_id
    FROM moved AS repaired
    JOIN moved AS later
        ON
            repaired.token = later.token
            AND repaired.buyer_address = later.seller_address
            AND later.kind = 'resale'
            AND later.occurred_at > repaired.occurred_at
    WHERE repaired.buyer_source = 'repaired'
),

bought AS (
    SELECT
        moved.buyer_address AS wallet_address,
        moved.token,
        moved.occurred_at,
        moved.price_gwei,
        moved.event_id,
        events.category,
        CASE WHEN events.starts_at IS NOT NULL THEN greatest(0, date_diff('second', moved.occurred_at, events.starts_at)) END
            AS lead_seconds,
        CASE
            WHEN events.on_sale_at IS NOT NULL AND moved.kind = 'primary_sale'
                THEN moved.occurred_at < events.on_sale_at + INTERVAL 1 HOUR
        END AS is_opening
    FROM moved
    LEFT JOIN proved USING (transaction_id)
    LEFT JOIN events USING (event_id)
    WHERE
        moved.kind IN ('primary_sale', 'resale')
        AND moved.buyer_address IS NOT NULL
        AND (moved.buyer_source = 'recorded' OR proved.transaction_id IS NOT NULL)
),

resold AS (
    SELECT
        sale.seller_address AS wallet_address,
        sale.occurred_at,
        sale.price_gwei,
        sale.price_gwei::DOUBLE / nullif(purchase.price_gwei, 0)::DOUBLE AS markup_ratio,
        date_diff('second', purchase.occurred_at, sale.occurred_at) AS held_seconds
    FROM moved AS sale
    ASOF LEFT JOIN (
        -- Of purchases of one token at one instant the dearest: so that the order of rows does not matter.
        SELECT
            wallet_address,
            token,
            occurred_at,
            max(price_gwei) AS price_gwei
        FROM bought
        GROUP BY wallet_address, token, occurred_at
    ) AS purchase
        ON
            sale.seller_address = purchase.wallet_address
            AND sale.token = purchase.token
            AND sale.occurred_at > purchase.occurred_at
    WHERE sale.kind = 'resale' AND sale.seller_address IS NOT NULL
),

buying AS (
    SELECT
        wallet_address,
        count(*) AS purchases,
        coalesce(sum(price_gwei), 0) AS paid_gwei,
        sum(price_gwei)::DOUBLE / count(price_gwei) / 1e9 AS ticket_price_eth,
        nullif(count(DISTINCT event_id), 0) AS events,
        nullif(count(DISTINCT category), 0) AS categories,
        sum(lead_seconds)::DOUBLE / nullif(count(lead_seconds), 0) / 86400 AS lead_days,
        (count(*) FILTER (WHERE is_opening))::DOUBLE / nullif(count(is_opening), 0) AS opening_share,
        max(occurred_at) AS last_at
    FROM bought
    GROUP BY wallet_address
),

reselling AS (
    SELECT
        wallet_address,
        count(*) AS resales,
        coalesce(sum(price_gwei), 0) AS received_gwei,
        median(markup_ratio) AS markup_ratio,
        median(held_seconds)::DOUBLE / 86400 AS hold_days,
        max(occurred_at) AS last_at
    FROM resold
    GROUP BY wallet_address
),

giving AS (
    SELECT
        seller_address AS wallet_address,
        count(*) AS gifts
    FROM moved
    WHERE kind = 'gift' AND seller_address IS NOT NULL
    GROUP BY seller_address
)

SELECT
    wallet_address,
    (coalesce(buying.paid_gwei, 0) + coalesce(reselling.received_gwei, 0))::DOUBLE / 1e9 AS value_eth,
    (coalesce(buying.purchases, 0) + coalesce(reselling.resales, 0))::DOUBLE AS trades,
    date_diff('second', greatest(buying.last_at, reselling.last_at), $until_day::DATE::TIMESTAMPTZ)::DOUBLE / 86400
        AS recency_days,
    buying.ticket_price_eth,
    coalesce(reselling.resales, 0)::DOUBLE / (coalesce(buying.purchases, 0) + coalesce(reselling.resales, 0)) AS resale_share,
    reselling.markup_ratio,
    reselling.hold_days,
    buying.events::DOUBLE AS events,
    buying.purchases::DOUBLE / buying.events AS tickets_per_event,
    buying.categories::DOUBLE AS categories,
    buying.lead_days,
    buying.opening_share,
    coalesce(giving.gifts, 0)::DOUBLE / (coalesce(buying.purchases, 0) + coalesce(reselling.resales, 0)) AS gifts_per_trade
FROM buying
FULL JOIN reselling USING (wallet_address)
LEFT JOIN giving USING (wallet_address)
ORDER BY wallet_address;
