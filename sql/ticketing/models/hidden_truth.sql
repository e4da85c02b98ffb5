-- How many transactions of a kind of fraud a simulated world holds on some days, and how many of them nothing observable shows.
-- Grain: one row. Reads: transactions, truth_transactions. Parameters: label, from_day.
SELECT
    count(*) AS transactions,
    count(*) FILTER (WHERE truth_transactions.is_hidden) AS hidden
FROM truth_transactions
INNER JOIN transactions USING (transaction_id)
WHERE truth_transactions.label = $label AND transactions.occurred_at >= CAST($from_day AS TIMESTAMPTZ);
