-- Payments that went through.
-- Grain: a payment. Key: payment_key. Order: seen, payment_key.
-- Reads: payments seen on the days, wallets (of users, by when each was first known). A failed attempt has paid nothing; a wallet
-- that became known only later is null.
SELECT
    key_of(payments.payment_id) AS payment_key,
    payments.seen,
    key_of(wallets.wallet_address) AS wallet_key,
    key_of(payments.user_id) AS user_key,
    key_of(payments.method) AS method_key,
    key_of(payments.instrument_id) AS instrument_key
FROM payments
CROSS JOIN span
LEFT JOIN wallets ON wallets.user_id = payments.user_id AND wallets.seen <= payments.seen
WHERE payments.seen >= span.first AND payments.seen < span.past AND payments.status <> 'failed'
ORDER BY payments.seen, payment_key;
