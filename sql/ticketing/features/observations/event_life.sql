-- Events that come onto the market (step 1) and that start, which ends it (step -1).
-- Grain: a step of an event. Key: event_key, step. Order: seen, event_key, step. Reads: events (first versions), span.
-- An event comes onto the market when its sale begins, or when it becomes known if that is later; so it leaves it.
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
