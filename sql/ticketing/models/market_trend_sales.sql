-- Tickets sold, by market and day.
-- Grain: a market and a day (UTC) on which it sold. Key: market, day. Order: market, day.
-- Reads: transactions.
-- A market is an event, or a contract where there are no events. Primary sales and resales both are demand; `primary_sold` is
-- what came out of the event's places.
SELECT
    coalesce(event_id, contract_address, '') AS market,
    any_value(event_id) AS event_id,
    min(contract_address) AS contract_address,
    CAST(occurred_at AS DATE) AS day,
    sum(CAST(quantity AS DOUBLE)) AS sold,
    coalesce(sum(CAST(quantity AS DOUBLE)) FILTER (WHERE kind = 'primary_sale'), 0) AS primary_sold
FROM transactions
WHERE kind IN ('primary_sale', 'resale')
GROUP BY coalesce(event_id, contract_address, ''), CAST(occurred_at AS DATE)
ORDER BY market, day;
