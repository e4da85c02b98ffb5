-- Visits of signed-in users with the place they came from.
-- Grain: a session that has a user and a place. Key: session_key. Order: seen, session_key.
-- Reads: sessions seen on the days, wallets (of users, by when each was first known). Places in tenths of a degree, which is as
-- fine as they are kept; a wallet that became known only later is null.
SELECT
    key_of(sessions.session_id) AS session_key,
    sessions.seen,
    key_of(wallets.wallet_address) AS wallet_key,
    key_of(sessions.user_id) AS user_key,
    CAST(round(sessions.latitude * 10) AS BIGINT) AS latitude,
    CAST(round(sessions.longitude * 10) AS BIGINT) AS longitude,
    key_of(sessions.device_id) AS device_key,
    key_of(sessions.ip_block_hash) AS ip_block_key
FROM sessions
CROSS JOIN span
LEFT JOIN wallets ON wallets.user_id = sessions.user_id AND wallets.seen <= sessions.seen
WHERE
    sessions.seen >= span.first AND sessions.seen < span.past
    AND sessions.user_id IS NOT NULL AND sessions.latitude IS NOT NULL AND sessions.longitude IS NOT NULL
ORDER BY sessions.seen, session_key;
