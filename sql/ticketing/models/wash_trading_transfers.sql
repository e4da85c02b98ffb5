-- What changed hands, in the order of the chain. Key: transaction_id. Prices in ETH, 0 where nothing was paid; times in
-- microseconds. Nobody (null) are unknown wallets, issuers, and the addresses that tokens are minted from and burned to.
WITH nobody (address) AS (
    VALUES ('0x0000000000000000000000000000000000000000'), ('0x000000000000000000000000000000000000dead')
)
SELECT
    t.transaction_id,
    epoch_us(t.occurred_at) AS at,
    t.contract_address,
    t.token_id,
    coalesce(t.contract_address, '') || ':' || t.token_id AS token,
    CASE WHEN t.seller_address NOT IN (SELECT address FROM nobody) THEN t.seller_address END AS giver,
    CASE WHEN t.buyer_address NOT IN (SELECT address FROM nobody) THEN t.buyer_address END AS taker,
    coalesce(CAST(t.price_wei AS DOUBLE) / 1e18, 0.0) AS price
FROM transactions AS t
ORDER BY t.occurred_at, t.block_number, t.log_index, t.transaction_id
