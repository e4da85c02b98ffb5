-- Visits as they were known at the end of their own day, for bot detection.
-- Grain: a visit. Key: session_id. Order: started_at, session_id.
-- Reads: sessions. Parameters: reach_first_day, last_day.
-- When a visit that ran past midnight ended, and how many pages it saw, is not known yet.
SELECT
    session_id,
    started_at,
    user_id,
    ip_hash,
    ip_block_hash,
    device_id,
    user_agent,
    epoch_us(date_trunc('day', started_at)) // 86400000000 AS day,
    epoch_us(started_at) AS started_us,
    CASE WHEN ended_at < date_trunc('day', started_at) + INTERVAL 1 DAY THEN epoch_us(ended_at) END AS ended_us,
    CASE WHEN ended_at < date_trunc('day', started_at) + INTERVAL 1 DAY THEN page_views END AS page_views
FROM sessions
WHERE started_at >= CAST($reach_first_day AS TIMESTAMPTZ) AND started_at < CAST($last_day AS TIMESTAMPTZ) + INTERVAL 1 DAY
ORDER BY started_at, session_id;
