-- Wallets that the fraud desk had accused of scalping by an instant, and the days of the trades for which it did.
-- Grain: a wallet on a day. Key: wallet_address, day. Order: day, wallet_address.
-- Reads: fraud_reviews, transactions. Parameters: known_before.
-- The last verdict on a transaction counts. Whoever brought the ticket into trade is accused: the buyer of a primary sale, the
-- seller of a resale.
WITH latest AS (
    SELECT
        transaction_id,
        arg_max(coalesce(fraud_kind = 'scalping', FALSE), decided_at) AS is_scalping
    FROM fraud_reviews
    WHERE decided_at < CAST($known_before AS TIMESTAMPTZ)
    GROUP BY transaction_id
)

SELECT DISTINCT
    CASE WHEN transactions.kind = 'primary_sale' THEN transactions.buyer_address ELSE transactions.seller_address END
        AS wallet_address,
    date_trunc('day', transactions.occurred_at) AS day
FROM latest
INNER JOIN transactions USING (transaction_id)
WHERE latest.is_scalping
ORDER BY day, wallet_address;
