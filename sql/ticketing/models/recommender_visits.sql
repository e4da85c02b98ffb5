-- From where the accounts of wallets visited the platform.
-- Grain: a wallet, a day and a place of one decimal. Key: wallet, day_number, latitude, longitude. Order: the key.
-- Reads: sessions, users. `day_number` counts days since 1970 UTC: that on which visit and wallet were both known.
SELECT
    users.wallet_address AS wallet,
    epoch_us(
        greatest(
            sessions.started_at,
            coalesce(sessions.known_at, sessions.started_at),
            users.created_at,
            coalesce(users.known_at, users.created_at)
        )
    ) // 86_400_000_000 AS day_number,
    coalesce(sessions.latitude, 'nan') AS latitude,
    coalesce(sessions.longitude, 'nan') AS longitude,
    count(*) AS visits
FROM sessions
JOIN users USING (user_id)
WHERE users.wallet_address IS NOT NULL
GROUP BY ALL
ORDER BY wallet, day_number, latitude, longitude;
