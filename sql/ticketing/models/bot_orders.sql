-- What was ordered in visits on the day on which they began, and how soon after the visit began and the sale opened.
-- Grain: a visit with an order. Key: session_id. Order: session_id.
-- Reads: orders, sessions, events. Parameters: first_day.
-- Of an order only what it was when it was placed: whether it was paid is known later.
SELECT
    sessions.session_id,
    count(*) AS orders,
    sum(orders.quantity) AS tickets,
    min(epoch(orders.created_at - sessions.started_at)) AS seconds_to_order,
    min(epoch(orders.created_at - events.on_sale_at)) FILTER (
        WHERE orders.market = 'primary' AND orders.created_at >= events.on_sale_at
    ) AS seconds_since_on_sale
FROM orders
INNER JOIN sessions USING (session_id)
LEFT JOIN events USING (event_id)
WHERE
    sessions.started_at >= CAST($first_day AS TIMESTAMPTZ)
    AND date_trunc('day', orders.created_at) = date_trunc('day', sessions.started_at)
GROUP BY sessions.session_id
ORDER BY sessions.session_id;
