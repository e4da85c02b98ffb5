-- One row per wallet that ever bought a ticket: how its user buys, as figures that models and analysts share. What needs the
-- platform's events and orders is null without them. Times are against the newest transaction, so that old data reads the same.
-- key: wallet_address
-- reads: transactions, events, orders, users
-- show: spent_eth DESC, wallet_address
-- column wallet_address: Wallet; whose it is stays unknown here.
-- column purchases: Sales in which the wallet bought.
-- column transactions_per_day: Purchases and resales for each day since its first one, that day included.
-- column favourite_category: Category of event it bought most often; of several the first by name.
-- column favourite_category_share: Share of its purchases that fall into that category, 0 to 1.
-- column event_lag_days: Mean time from a purchase to the start of the event, days.
-- column spent_eth: Sum of the prices paid, ETH.
-- column mean_price_eth: Mean price paid, ETH.
-- column price_volatility: Standard deviation of the prices paid against their mean; null below two purchases.
-- column confirmation_rate: Share of its user's orders that were paid, 0 to 1.
-- column recency_days: Time from its last transaction to the newest one of all, days.
WITH newest AS (
    SELECT max(occurred_at) AS occurred_at FROM ticketing.transactions
),

purchases AS (
    SELECT
        t.buyer_address AS wallet_address,
        t.occurred_at,
        t.price_wei / 1e18::numeric AS price_eth,
        e.category,
        e.starts_at
    FROM ticketing.transactions t
    LEFT JOIN ticketing.events e ON e.event_id = t.event_id
    WHERE t.buyer_address IS NOT NULL AND t.kind IN ('primary_sale', 'resale')
),

resales AS (
    SELECT
        seller_address AS wallet_address,
        count(*) AS resales,
        min(occurred_at) AS first_at,
        max(occurred_at) AS last_at
    FROM ticketing.transactions
    WHERE seller_address IS NOT NULL AND kind = 'resale'
    GROUP BY seller_address
),

bought AS (
    SELECT
        wallet_address,
        count(*) AS purchases,
        sum(price_eth) AS spent_eth,
        avg(price_eth) AS mean_price_eth,
        stddev_samp(price_eth) / nullif(avg(price_eth), 0) AS price_volatility,
        avg(extract(epoch FROM starts_at - occurred_at)) / 86400 AS event_lag_days,
        min(occurred_at) AS first_at,
        max(occurred_at) AS last_at
    FROM purchases
    GROUP BY wallet_address
),

categories AS (
    SELECT DISTINCT ON (wallet_address)
        wallet_address,
        category,
        count(*)::numeric / sum(count(*)) OVER (PARTITION BY wallet_address) AS share
    FROM purchases
    WHERE category IS NOT NULL
    GROUP BY wallet_address, category
    ORDER BY wallet_address ASC, count(*) DESC, category ASC
),

confirmed AS (
    SELECT
        u.wallet_address,
        avg((o.status = 'paid')::int) AS rate
    FROM ticketing.orders o
    JOIN ticketing.users u ON u.user_id = o.user_id
    WHERE u.wallet_address IS NOT NULL
    GROUP BY u.wallet_address
)

SELECT
    b.wallet_address,
    b.purchases,
    (
        (b.purchases + coalesce(r.resales, 0))
        / (1 + floor(extract(epoch FROM n.occurred_at - least(b.first_at, r.first_at)) / 86400))
    )::double precision AS transactions_per_day,
    c.category AS favourite_category,
    c.share::double precision AS favourite_category_share,
    b.event_lag_days::double precision AS event_lag_days,
    b.spent_eth::numeric(38, 18) AS spent_eth,
    b.mean_price_eth::double precision AS mean_price_eth,
    b.price_volatility::double precision AS price_volatility,
    f.rate::double precision AS confirmation_rate,
    (extract(epoch FROM n.occurred_at - greatest(b.last_at, r.last_at)) / 86400)::double precision AS recency_days
FROM bought b
CROSS JOIN newest n
LEFT JOIN resales r ON r.wallet_address = b.wallet_address
LEFT JOIN categories c ON c.wallet_address = b.wallet_address
LEFT JOIN confirmed f ON f.wallet_address = b.wallet_address;
