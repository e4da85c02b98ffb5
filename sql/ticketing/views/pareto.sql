-- How much of the value in sales comes from the few that bring most: a row for each of buying wallets, selling wallets, events
-- and contracts, and each share of them. "The top 20 % of wallets bring 80 % of the value" is checked here.
-- key: ranked, top_share
-- reads: transactions
-- show: ranked, top_share
-- column ranked: Buyers, sellers (of resales), events, or contracts.
-- column top_share: Share of them that is taken, those with the highest value first, 0 to 1; rounded up to whole ones.
-- column taken: How many that are.
-- column of_all: How many there are.
-- column value_eth: Sum of the prices of their sales, ETH.
-- column value_share: Their part of the value of all, 0 to 1.
-- column least_value_eth: Value of the last one among them, ETH.
WITH sales AS (
    SELECT
        buyer_address,
        seller_address,
        event_id,
        contract_address,
        kind,
        price_wei / 1e18::numeric AS price_eth
    FROM ticketing.transactions
    WHERE kind IN ('primary_sale', 'resale') AND price_wei IS NOT NULL
),

valued AS (
    SELECT 'buyers' AS ranked, buyer_address AS name, sum(price_eth) AS value_eth
    FROM sales
    WHERE buyer_address IS NOT NULL
    GROUP BY buyer_address
    UNION ALL
    SELECT 'sellers' AS ranked, seller_address AS name, sum(price_eth) AS value_eth
    FROM sales
    WHERE seller_address IS NOT NULL AND kind = 'resale'
    GROUP BY seller_address
    UNION ALL
    SELECT 'events' AS ranked, event_id AS name, sum(price_eth) AS value_eth
    FROM sales
    WHERE event_id IS NOT NULL
    GROUP BY event_id
    UNION ALL
    SELECT 'contracts' AS ranked, contract_address AS name, sum(price_eth) AS value_eth
    FROM sales
    GROUP BY contract_address
),

placed AS (
    SELECT
        ranked,
        value_eth,
        row_number() OVER down AS place,
        sum(value_eth) OVER down AS value_so_far,
        count(*) OVER whole AS of_all,
        sum(value_eth) OVER whole AS value_of_all
    FROM valued
    WINDOW down AS (PARTITION BY ranked ORDER BY value_eth DESC, name), whole AS (PARTITION BY ranked)
)

SELECT
    p.ranked,
    s.top_share::double precision AS top_share,
    p.place AS taken,
    p.of_all,
    p.value_so_far::numeric(38, 18) AS value_eth,
    (p.value_so_far / nullif(p.value_of_all, 0))::double precision AS value_share,
    p.value_eth::numeric(38, 18) AS least_value_eth
FROM placed p
JOIN (VALUES (0.01), (0.05), (0.1), (0.2), (0.5)) AS s (top_share) ON p.place = ceil(s.top_share * p.of_all);
