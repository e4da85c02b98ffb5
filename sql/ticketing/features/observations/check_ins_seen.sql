-- Tickets that were let in.
-- Grain: a check-in. Key: check_in_key. Order: seen, check_in_key.
-- Reads: check_ins seen on the days, tickets (first versions of theirs). The token is null where the ticket became known later.
SELECT
    key_of(check_ins.check_in_id) AS check_in_key,
    check_ins.seen,
    key_of(tickets.contract_address || ':' || tickets.token_id) AS ticket_key,
    key_of(check_ins.event_id) AS event_key
FROM check_ins
CROSS JOIN span
LEFT JOIN tickets ON tickets.ticket_id = check_ins.ticket_id AND tickets.seen <= check_ins.seen
WHERE check_ins.seen >= span.first AND check_ins.seen < span.past
ORDER BY check_ins.seen, check_in_key;
