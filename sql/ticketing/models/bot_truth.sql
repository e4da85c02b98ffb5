-- Accounts that are bots in a simulated world.
-- Grain: an account. Key: user_id. Order: user_id.
-- Reads: truth_wallets.
SELECT DISTINCT user_id
FROM truth_wallets
WHERE role = 'bot' AND user_id IS NOT NULL
ORDER BY user_id;
