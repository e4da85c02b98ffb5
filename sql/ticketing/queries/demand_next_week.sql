-- Which events will sell most in the next seven days, and how many on their best day, nine times in ten at most?
SELECT
    e.name AS event_name,
    round(sum(f.expected_sales)::numeric, 1) AS expected_tickets,
    round(max(f.expected_sales)::numeric, 1) AS best_day,
    round(max(f.high_sales)::numeric, 1) AS best_day_at_most,
    min(e.starts_at)::date AS starts_on
FROM ticketing.demand_forecasts f
JOIN ticketing.events e ON e.event_id = f.event_id
WHERE f.day = (SELECT max(day) FROM ticketing.demand_forecasts)
GROUP BY f.event_id, e.name
ORDER BY expected_tickets DESC
LIMIT 5;
