-- How long whoever gave a ticket away had held it.
-- Grain: a ticket transaction. Key: transaction_id. Reads: asked (fold `got`: the ticket's last transaction before this one).
WITH held AS (
    SELECT
        transaction_id,
        seen,
        seller_key,
        CASE WHEN got_1_wallet_key = seller_key THEN seen - got_1_seen END AS held_microseconds
    FROM asked
)

SELECT
    transaction_id,
    seen,
    seller_key,
    held_microseconds,
    held_microseconds / 3.6e9 AS time_to_resale
FROM held
