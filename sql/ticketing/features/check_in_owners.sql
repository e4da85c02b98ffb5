-- Who held the ticket that was checked in.
-- Grain: a check-in whose ticket's holder is known. Reads: asked (fold `holder`: the ticket's last transaction before).
SELECT
    seen,
    holder_1_wallet_key AS wallet_key,
    event_key
FROM asked
WHERE holder_1_wallet_key IS NOT NULL
