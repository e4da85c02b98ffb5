-- Who took part in a transaction, whichever side it was on.
-- Grain: a wallet of a ticket transaction. Key: transaction_id, wallet_key. Order: seen, transaction_id, wallet_key.
-- Reads: transactions of the days. The zero address is nobody; a wallet that gives to itself takes part once.
WITH sides AS (
    SELECT transaction_id, occurred_at, buyer_address AS wallet_address FROM transactions
    UNION
    SELECT transaction_id, occurred_at, seller_address AS wallet_address FROM transactions
)

SELECT
    transaction_id,
    epoch_us(occurred_at) AS seen,
    key_of(wallet_address) AS wallet_key
FROM sides
WHERE wallet_address IS NOT NULL AND wallet_address <> '0x0000000000000000000000000000000000000000'
ORDER BY seen, transaction_id, wallet_key;
