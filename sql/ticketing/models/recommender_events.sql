-- Events that tickets are sold for, with from when to when they are known and on sale.
-- Grain: an event. Key: event_id. Order: event_id.
-- Reads: events. Times in microseconds since 1970 UTC; `known_us` is when this state of the event became known, and
-- `deleted_us` when it was withdrawn.
SELECT
    event_id,
    name,
    category,
    city,
    venue,
    country_code,
    latitude,
    longitude,
    CAST(face_value_usd AS DOUBLE) AS face_value_usd,
    capacity,
    epoch_us(greatest(created_at, coalesce(known_at, created_at))) AS known_us,
    epoch_us(deleted_at) AS deleted_us,
    epoch_us(on_sale_at) AS on_sale_us,
    epoch_us(starts_at) AS starts_us
FROM events
ORDER BY event_id;
