-- How the event of a ticket stands on the market.
-- Grain: a ticket transaction. Key: transaction_id. Reads: asked (folds over the event's and the market's earlier transactions).
--
-- Popularity compares the event's demand so far, d, with the mean demand m of the events on sale at that moment: d / (d + m) is
-- 0.5 for an event like the others. Demand is the number of transactions; that of events which have started is taken out.
WITH market AS (
    SELECT
        *,
        (market_count - coalesce(closed_demand, 0)) / nullif(on_sale_step, 0) AS mean_demand
    FROM asked
)

SELECT
    transaction_id,
    seen,
    CASE
        WHEN demand_count + mean_demand > 0 THEN demand_count / (demand_count + mean_demand)
    END AS event_popularity_score,
    CASE
        WHEN prices_count > 0 THEN price_gwei / nullif(prices_median_doubled / 2.0, 0)
        ELSE amount_cents / nullif(face_value_cents, 0)
    END AS price_deviation_ratio,
    demand_count AS event_transactions,
    rush_1m AS event_transactions_1m,
    rush_10m AS event_transactions_10m,
    rush_1h AS event_transactions_1h,
    (seen - on_sale) / 6e7 AS minutes_since_on_sale,
    (starts - seen) / 3.6e9 AS hours_to_event,
    demand_count / nullif(capacity, 0) AS event_transactions_per_seat
FROM market
