-- How often earlier transactions with the same event, seller, device, address block, instrument or wallet proved fraudulent, by
-- what was known of them at the time of the transaction, and how many watch lists named its wallets by then.
-- Grain: a ticket transaction. Key: transaction_id. Reads: asked (folds over labels as they became known, trailing 90 days,
-- and over all listings).
-- A share is null where nothing is known yet (`least` passes nulls over, hence the CASE).
SELECT
    transaction_id,
    seen,
    CASE WHEN event_labels_90d_settled > 0 THEN least(event_labels_90d_fraud / event_labels_90d_settled, 1) END AS event_risk_90d,
    CASE WHEN seller_labels_90d_settled > 0 THEN least(seller_labels_90d_fraud / seller_labels_90d_settled, 1) END AS seller_risk_90d,
    CASE WHEN device_labels_90d_settled > 0 THEN least(device_labels_90d_fraud / device_labels_90d_settled, 1) END AS device_risk_90d,
    CASE WHEN block_labels_90d_settled > 0 THEN least(block_labels_90d_fraud / block_labels_90d_settled, 1) END AS ip_block_risk_90d,
    CASE WHEN instrument_labels_90d_settled > 0 THEN least(instrument_labels_90d_fraud / instrument_labels_90d_settled, 1) END AS instrument_risk_90d,
    device_labels_90d_fraud AS device_frauds_90d,
    instrument_labels_90d_fraud AS instrument_frauds_90d,
    wallet_labels_90d_fraud AS wallet_frauds_90d,
    CASE WHEN named_count > 0 THEN wallet_named_count END AS wallet_listings,
    CASE WHEN named_count > 0 THEN counterparty_named_count END AS counterparty_listings
FROM asked
