-- Whether the wallet's last two located sessions are further apart than anyone travels in the time between them.
-- Grain: a ticket transaction. Key: transaction_id. Reads: asked (fold `located`: the wallet's two newest located sessions).
--
-- Great-circle distance on a sphere of 6,371 km. Places are known to a tenth of a degree, so that 16 km (the diagonal of such a
-- cell) are taken off before the speed is worked out. Flag: over 900 km/h, the speed of an airliner.
WITH points AS (
    SELECT
        transaction_id,
        seen,
        radians(located_1_latitude / 10.0) AS latitude_1,
        radians(located_2_latitude / 10.0) AS latitude_2,
        radians((located_1_longitude - located_2_longitude) / 10.0) AS turn,
        (located_1_seen - located_2_seen) / 3.6e9 AS hours
    FROM asked
),

haversines AS (
    SELECT
        transaction_id,
        seen,
        hours,
        pow(sin((latitude_1 - latitude_2) / 2), 2) + cos(latitude_1) * cos(latitude_2) * pow(sin(turn / 2), 2) AS haversine
    FROM points
),

distances AS (
    SELECT
        transaction_id,
        seen,
        hours,
        -- Rounding can lift it over 1; `least` would pass a null over.
        CASE WHEN haversine IS NOT NULL THEN 2 * 6371 * asin(sqrt(least(haversine, 1))) END AS kilometres
    FROM haversines
)

SELECT
    transaction_id,
    seen,
    kilometres AS session_distance_km,
    CASE WHEN kilometres IS NOT NULL THEN greatest(kilometres - 16, 0) > 900 * hours END AS geo_velocity_flag
FROM distances
