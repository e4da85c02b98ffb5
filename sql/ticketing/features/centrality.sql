-- How central the receiving wallet was in the graph of transfers of the trailing 90 days, as of the day before.
-- Grain: a ticket transaction. Key: transaction_id. Reads: asked (the graph's score; null for a wallet that is not in it).
SELECT
    transaction_id,
    seen,
    transfers_score AS wallet_centrality
FROM asked
