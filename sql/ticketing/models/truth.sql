-- What a simulator knows of each transaction; it names token movements, which the sales that they deliver are found by.
-- Grain: a ticket transaction. Key: transaction_id.
-- Reads: simulated (the truth as written), transactions, transfers (both as published).
SELECT
    transactions.transaction_id,
    any_value(simulated.label) AS label
FROM simulated
JOIN transfers USING (transaction_hash, log_index)
JOIN transactions
    ON transactions.transaction_hash = transfers.transaction_hash
        AND transactions.contract_address = transfers.contract_address
        AND transactions.token_id = transfers.token_id
GROUP BY transactions.transaction_id;
