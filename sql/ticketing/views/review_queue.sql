-- Scored transactions that wait for a person, the most pressing first: what was blocked or held back, without a verdict yet. Those
-- of the last 28 days of data.
-- key: transaction_id
-- reads: fraud_predictions, transactions, events, fraud_reviews
-- show: at_stake_eth DESC NULLS LAST, transaction_id
-- column transaction_id: Transaction to look at; a verdict names it.
-- column occurred_at: Time of the transaction, UTC.
-- column decision: BLOCKED or MANUAL_REVIEW.
-- column fraud_score: Calibrated probability of fraud, 0 to 1.
-- column at_stake_eth: Probability of fraud times the price paid, ETH; null without a recorded price.
-- column reasons: What raised the score most, in words, the weightiest first.
-- column event_name: Event of the ticket; null where none is known.
-- column buyer_address: Wallet that received the ticket.
-- column seller_address: Wallet that gave it.
-- column same_buyer_waiting: Transactions of the same receiving wallet in this queue, this one included.
-- column model_version: Model that scored.
WITH newest AS (
    SELECT max(occurred_at) AS occurred_at FROM ticketing.fraud_predictions
),

held AS (
    SELECT p.*
    FROM ticketing.fraud_predictions p
    CROSS JOIN newest
    WHERE
        p.decision IN ('BLOCKED', 'MANUAL_REVIEW')
        AND p.occurred_at >= newest.occurred_at - interval '28 days'
        AND NOT EXISTS (SELECT FROM ticketing.fraud_reviews r WHERE r.transaction_id = p.transaction_id)
)

SELECT
    held.transaction_id,
    held.occurred_at,
    held.decision,
    held.fraud_score,
    held.fraud_score * t.price_wei / 1e18 AS at_stake_eth,
    (
        SELECT string_agg(reason ->> 'words', '; ' ORDER BY place)
        FROM jsonb_array_elements(held.top_features::jsonb) WITH ORDINALITY AS listed (reason, place)
    ) AS reasons,
    e.name AS event_name,
    t.buyer_address,
    t.seller_address,
    count(*) OVER (PARTITION BY t.buyer_address) AS same_buyer_waiting,
    held.model_version
FROM held
JOIN ticketing.transactions t ON t.transaction_id = held.transaction_id AND t.occurred_at = held.occurred_at
LEFT JOIN ticketing.events e ON e.event_id = t.event_id;
