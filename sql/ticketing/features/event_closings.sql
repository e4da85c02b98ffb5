-- How much an event had been in demand when it left the market.
-- Grain: an event that starts. Reads: asked (fold `sold`: the event's transactions before).
SELECT
    seen,
    sold_count AS demand
FROM asked
WHERE step = -1
