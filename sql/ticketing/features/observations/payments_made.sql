-- Payments of users whose wallet is known.
-- Grain: a payment. Key: payment_key. Order: seen, payment_key. Reads: payments seen on the days, their users.
SELECT
    key_of(p.payment_id) AS payment_key,
    p.seen,
    key_of(u.wallet_address) AS wallet_key,
    key_of(p.user_id) AS user_key,
    key_of(p.method) AS method_key,
    key_of(p.instrument_id) AS instrument_key
FROM payments AS p
CROSS JOIN span
JOIN users AS u ON u.user_id = p.user_id AND u.seen <= p.seen
WHERE p.seen >= span.first AND p.seen < span.past AND u.wallet_address IS NOT NULL
ORDER BY p.seen, payment_key;
