-- Which events are resold most, how fast, and how full do they get?
SELECT
    event_name,
    tickets_sold,
    round(sell_through::numeric, 2) AS sell_through,
    resale_count,
    round(floor_price_eth, 4) AS floor_price_eth,
    round(median_hours_to_resale::numeric, 1) AS median_hours_to_resale,
    round(check_in_rate::numeric, 2) AS check_in_rate
FROM ticketing.event_analytics
ORDER BY resale_count DESC, event_key
LIMIT 5;
