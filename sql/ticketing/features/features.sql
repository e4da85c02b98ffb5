-- All features of a ticket transaction beside what it is.
-- Grain: a ticket transaction. Key: transaction_id. Reads: asked (the transactions), one relation a family.
SELECT
    asked.transaction_id,
    asked.seen,
    to_timestamp(asked.seen / 1e6) AS occurred_at,
    asked.kind,
    asked.event_id,
    coalesce(asked.price_gwei, 0) / 1e9 AS amount_eth,
    wallets.* EXCLUDE (transaction_id, seen),
    tickets.time_to_resale,
    events.* EXCLUDE (transaction_id, seen),
    risks.* EXCLUDE (transaction_id, seen),
    places.* EXCLUDE (transaction_id, seen),
    centrality.wallet_centrality
FROM asked
POSITIONAL JOIN wallets
POSITIONAL JOIN tickets
POSITIONAL JOIN events
POSITIONAL JOIN risks
POSITIONAL JOIN places
POSITIONAL JOIN centrality
