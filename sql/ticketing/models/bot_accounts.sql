-- Accounts of which the fraud desk had said by an instant that a bot ordered with them.
-- Grain: an account. Key: user_id. Order: user_id.
-- Reads: fraud_reviews, transactions. Parameters: known_before.
-- The last verdict on a transaction counts. A verdict whose row was changed later is known from its own time on.
WITH latest AS (
    SELECT
        transaction_id,
        arg_max(coalesce(fraud_kind = 'bot', FALSE), decided_at) AS is_bot
    FROM fraud_reviews
    WHERE decided_at < CAST($known_before AS TIMESTAMPTZ)
    GROUP BY transaction_id
)

SELECT DISTINCT transactions.user_id
FROM latest
INNER JOIN transactions USING (transaction_id)
-- On a resale the account that ordered is the buyer, who is not the one accused.
WHERE latest.is_bot AND transactions.kind = 'primary_sale' AND transactions.user_id IS NOT NULL
ORDER BY transactions.user_id;
