-- Visits of users whose wallet is known, with the place they came from.
-- Grain: a session that has a place. Key: session_key. Order: seen, session_key.
-- Reads: sessions seen on the days, their users. Places in tenths of a degree, which is as fine as they are kept.
SELECT
    key_of(s.session_id) AS session_key,
    s.seen,
    key_of(u.wallet_address) AS wallet_key,
    key_of(s.user_id) AS user_key,
    CAST(round(s.latitude * 10) AS BIGINT) AS latitude,
    CAST(round(s.longitude * 10) AS BIGINT) AS longitude
FROM sessions AS s
CROSS JOIN span
JOIN users AS u ON u.user_id = s.user_id AND u.seen <= s.seen
WHERE s.seen >= span.first AND s.seen < span.past
    AND u.wallet_address IS NOT NULL AND s.latitude IS NOT NULL AND s.longitude IS NOT NULL
ORDER BY s.seen, session_key;
