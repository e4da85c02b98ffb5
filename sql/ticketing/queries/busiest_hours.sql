-- Which hours of the last seven days of data brought in most?
SELECT
    hour,
    total_transactions,
    round(total_revenue, 3) AS total_revenue,
    revenue_currency
FROM ticketing.kpi_hourly
ORDER BY total_revenue DESC, hour
LIMIT 5;
