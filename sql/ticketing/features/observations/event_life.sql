-- Events that come onto the market (step 1) and that start, which ends it (step -1).
-- Grain: an event's step. Key: event_key, step. Order: seen, event_key, step. Reads: events on sale or starting on the days.
-- An event that becomes known after its sale has begun comes onto the market when it becomes known.
WITH steps AS (
    SELECT
        key_of(event_id) AS event_key,
        greatest(epoch_us(on_sale_at), seen) AS seen,
        CAST(1 AS BIGINT) AS step
    FROM events
    UNION ALL
    SELECT
        key_of(event_id) AS event_key,
        greatest(epoch_us(starts_at), seen) AS seen,
        CAST(-1 AS BIGINT) AS step
    FROM events
)

SELECT
    steps.event_key,
    steps.seen,
    steps.step
FROM steps
CROSS JOIN span
WHERE steps.seen >= span.first AND steps.seen < span.past
ORDER BY steps.seen, steps.event_key, steps.step;
