-- Ticket transactions to learn fraud from, beside when fraud became known of each.
-- Grain: a ticket transaction. Key: transaction_id. Order: seen, transaction_id.
-- Reads: features, observed (transactions as they were observed), labels (what became known), truth (a simulator's, else empty:
-- transaction_id, label, is_hidden).
WITH known AS (
    SELECT
        transaction_id,
        min(seen) AS known_at
    FROM labels
    WHERE fraud = 1
    GROUP BY transaction_id
)

SELECT
    features.*,
    observed.wallet_key,
    known.known_at,
    CASE
        WHEN observed.capacity IS NULL THEN 'unknown'
        WHEN observed.capacity < 500 THEN 'under 500 seats'
        WHEN observed.capacity < 2000 THEN '500 to 1,999 seats'
        ELSE '2,000 seats or more'
    END AS event_size,
    CASE
        WHEN features.wallet_age_days IS NULL THEN 'first transaction'
        WHEN features.wallet_age_days < 1 THEN 'under a day'
        WHEN features.wallet_age_days < 7 THEN '1 to 6 days'
        ELSE '7 days or more'
    END AS wallet_age,
    truth.label AS true_label,
    coalesce(truth.is_hidden, FALSE) AS is_hidden
FROM features
JOIN observed USING (transaction_id)
LEFT JOIN known USING (transaction_id)
LEFT JOIN truth USING (transaction_id)
ORDER BY features.seen, features.transaction_id;
