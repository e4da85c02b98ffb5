-- Requests of visits, made on the day on which the visit began.
-- Grain: a request. Key: request_id. Order: requested_at, request_id.
-- Reads: api_requests, sessions. Parameters: first_day.
SELECT
    api_requests.session_id,
    epoch_us(api_requests.requested_at) AS requested_us,
    api_requests.method,
    api_requests.path,
    api_requests.status_code
FROM api_requests
INNER JOIN sessions USING (session_id)
WHERE
    sessions.started_at >= CAST($first_day AS TIMESTAMPTZ)
    AND date_trunc('day', api_requests.requested_at) = date_trunc('day', sessions.started_at)
ORDER BY api_requests.requested_at, api_requests.request_id;
