-- Value moved between wallets, in the order of the chain. Key: value_transfer_id; times in microseconds.
SELECT
    transaction_hash || ':' || movement_id AS value_transfer_id,
    epoch_us(block_timestamp) AS at,
    from_address AS payer,
    to_address AS payee
FROM value_transfers
WHERE value_wei <> '0' AND from_address <> to_address
ORDER BY block_timestamp, block_number, transaction_hash, movement_id, from_address, to_address
