-- Who bought tickets of which event on which days, in primary sales and resales.
-- Grain: a wallet, an event and a day. Key: wallet, event_id, bought_us // a day. Order: wallet, event_id, bought_us.
-- Reads: transactions. `bought_us` is the first such purchase of the day, microseconds since 1970 UTC.
SELECT
    buyer_address AS wallet,
    event_id,
    min(epoch_us(occurred_at)) AS bought_us
FROM transactions
WHERE
    kind IN ('primary_sale', 'resale')
    AND buyer_address IS NOT NULL
    AND event_id IS NOT NULL
GROUP BY buyer_address, event_id, CAST(occurred_at AS DATE)
ORDER BY wallet, event_id, bought_us;
