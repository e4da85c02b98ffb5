-- What the wallet that receives a ticket has done before.
-- Grain: a ticket transaction. Key: transaction_id. Reads: asked (folds over the wallet's earlier moves, purchases, payments,
-- check-ins and tickets let go). Without a wallet everything is null; windows are the trailing ones before the transaction.
WITH amounts AS (
    SELECT
        *,
        spent_1d_price_gwei / nullif(spent_1d, 0) AS mean_1d,
        spent_7d_price_gwei / nullif(spent_7d, 0) AS mean_7d,
        spent_30d_price_gwei / nullif(spent_30d, 0) AS mean_30d,
        spent_90d_price_gwei / nullif(spent_90d, 0) AS mean_90d
    FROM asked
)

SELECT
    transaction_id,
    seen,
    moves_1h AS txn_velocity_1h,
    moves_1d AS txn_velocity_1d,
    (seen - age_first) / 8.64e10 AS wallet_age_days,
    held_held_microseconds / nullif(held_count, 0) / 3.6e9 AS avg_ticket_hold_time,
    attended_distinct AS cross_event_attendance,
    paid_distinct AS payment_method_diversity,
    spent_1d AS purchases_1d,
    spent_7d AS purchases_7d,
    spent_30d AS purchases_30d,
    spent_90d AS purchases_90d,
    price_gwei / nullif(mean_1d, 0) AS amount_ratio_1d,
    price_gwei / nullif(mean_7d, 0) AS amount_ratio_7d,
    price_gwei / nullif(mean_30d, 0) AS amount_ratio_30d,
    price_gwei / nullif(mean_90d, 0) AS amount_ratio_90d,
    devices_is_new = 1 AS is_new_device,
    blocks_is_new = 1 AS is_new_ip_block,
    instruments_is_new = 1 AS is_new_instrument,
    events_is_new = 1 AS is_new_event,
    instruments_distinct AS instruments_used
FROM amounts
