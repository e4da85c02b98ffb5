-- Events as the calendar of demand knows them: when they were announced, go on sale and start.
-- Grain: an event. Key: event_id. Order: event_id.
-- Reads: events.
SELECT
    event_id,
    min(contract_address) AS contract_address,
    CAST(min(created_at) AS DATE) AS known_on,
    CAST(min(on_sale_at) AS DATE) AS first_day,
    CAST(max(starts_at) AS DATE) AS last_day,
    CAST(max(capacity) AS DOUBLE) AS capacity,
    CAST(max(face_value_usd) AS DOUBLE) AS face_value_usd,
    CAST(hour(min(on_sale_at)) AS DOUBLE) AS on_sale_hour,
    CAST(hour(max(starts_at)) AS DOUBLE) AS start_hour
FROM events
GROUP BY event_id
ORDER BY event_id;
