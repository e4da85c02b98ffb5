-- What the simulated world knows as wash trades. Key: transaction_id.
SELECT DISTINCT transaction_id
FROM truth_transactions
WHERE label = 'wash_trade'
