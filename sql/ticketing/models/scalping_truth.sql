-- Wallets of scalpers in a simulated world.
-- Grain: a wallet. Key: wallet_address. Order: wallet_address.
-- Reads: truth_wallets.
SELECT DISTINCT wallet_address
FROM truth_wallets
WHERE role = 'scalper' AND wallet_address IS NOT NULL
ORDER BY wallet_address;
