-- Tickets that were let in.
-- Grain: a check-in. Key: check_in_key. Order: seen, check_in_key. Reads: check-ins seen on the days, their tickets.
SELECT
    key_of(c.check_in_id) AS check_in_key,
    c.seen,
    key_of(k.contract_address || ':' || k.token_id) AS ticket_key,
    key_of(c.event_id) AS event_key
FROM check_ins AS c
CROSS JOIN span
JOIN tickets AS k ON k.ticket_id = c.ticket_id
WHERE c.seen >= span.first AND c.seen < span.past
ORDER BY c.seen, check_in_key;
