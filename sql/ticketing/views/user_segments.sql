-- One row per wallet that ever gave or received a token, in one of four segments by written rules, the first that fits:
-- VIP: at least 20 purchases, or at least 10 ETH spent;
-- Regular: at least 5 purchases in the last 90 days of data;
-- New: first seen in the last 7 days of data;
-- Casual: everyone else.
-- key: wallet_address
-- reads: transactions
-- show: spent_eth DESC, wallet_address
-- column wallet_address: Wallet; whose it is stays unknown here.
-- column segment: VIP, Regular, New or Casual.
-- column purchases: Sales in which the wallet bought.
-- column resales: Resales in which the wallet sold.
-- column spent_eth: Sum of the prices paid, ETH.
-- column earned_eth: Sum of the prices received in resales, ETH.
-- column purchases_90_days: Purchases in the last 90 days of data.
-- column first_seen_at: First transaction, UTC.
-- column last_seen_at: Newest transaction, UTC.
WITH newest AS (
    SELECT max(occurred_at) AS occurred_at FROM ticketing.transactions
),

movements AS (
    SELECT
        buyer_address AS wallet_address,
        occurred_at,
        kind IN ('primary_sale', 'resale') AS is_purchase,
        false AS is_resale,
        price_wei
    FROM ticketing.transactions
    WHERE buyer_address IS NOT NULL
    UNION ALL
    SELECT
        seller_address AS wallet_address,
        occurred_at,
        false AS is_purchase,
        kind = 'resale' AS is_resale,
        price_wei
    FROM ticketing.transactions
    WHERE seller_address IS NOT NULL
),

wallets AS (
    SELECT
        wallet_address,
        count(*) FILTER (WHERE is_purchase) AS purchases,
        count(*) FILTER (WHERE is_resale) AS resales,
        coalesce(sum(price_wei) FILTER (WHERE is_purchase), 0) / 1e18::numeric AS spent_eth,
        coalesce(sum(price_wei) FILTER (WHERE is_resale), 0) / 1e18::numeric AS earned_eth,
        count(*) FILTER (
            WHERE is_purchase AND movements.occurred_at > newest.occurred_at - interval '90 days'
        ) AS purchases_90_days,
        min(movements.occurred_at) AS first_seen_at,
        max(movements.occurred_at) AS last_seen_at,
        min(movements.occurred_at) > max(newest.occurred_at) - interval '7 days' AS is_new
    FROM movements
    CROSS JOIN newest
    GROUP BY wallet_address
)

SELECT
    wallet_address,
    CASE
        WHEN purchases >= 20 OR spent_eth >= 10 THEN 'VIP'
        WHEN purchases_90_days >= 5 THEN 'Regular'
        WHEN is_new THEN 'New'
        ELSE 'Casual'
    END AS segment,
    purchases,
    resales,
    spent_eth::numeric(38, 18) AS spent_eth,
    earned_eth::numeric(38, 18) AS earned_eth,
    purchases_90_days,
    first_seen_at,
    last_seen_at
FROM wallets;
