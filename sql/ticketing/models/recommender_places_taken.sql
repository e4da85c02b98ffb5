-- How many places of each event were taken on each day: sold in a primary sale, or given out without one.
-- Grain: an event and a day. Key: event_id, day_number. Order: event_id, day_number.
-- Reads: transactions. `day_number` counts days since 1970 UTC.
SELECT
    event_id,
    epoch_us(occurred_at) // 86_400_000_000 AS day_number,
    count(*) AS places
FROM transactions
WHERE
    kind IN ('primary_sale', 'issue')
    AND event_id IS NOT NULL
GROUP BY event_id, day_number
ORDER BY event_id, day_number;
