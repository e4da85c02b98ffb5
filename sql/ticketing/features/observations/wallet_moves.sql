-- Who took part in a transaction, whichever side it was on.
-- Grain: a wallet of a ticket transaction. Key: transaction_id, wallet_key. Order: seen, transaction_id, wallet_key.
-- Reads: asking (the observation `transactions` of the days, where nobody and the zero address are null already).
-- A wallet that gives to itself takes part once.
WITH sides AS (
    SELECT
        transaction_id,
        seen,
        wallet_key
    FROM asking
    UNION
    SELECT
        transaction_id,
        seen,
        seller_key AS wallet_key
    FROM asking
)

SELECT
    transaction_id,
    seen,
    wallet_key
FROM sides
WHERE wallet_key IS NOT NULL
ORDER BY seen, transaction_id, wallet_key;
