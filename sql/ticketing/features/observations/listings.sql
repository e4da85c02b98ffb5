-- Addresses that lists came to warn of.
-- Grain: an address on a list. Key: wallet_key, list_key. Order: seen, wallet_key, list_key.
-- Reads: watch_list (first versions), span.
SELECT
    key_of(watch_list.address) AS wallet_key,
    watch_list.seen,
    key_of(watch_list.list_name) AS list_key
FROM watch_list
CROSS JOIN span
WHERE watch_list.seen >= span.first AND watch_list.seen < span.past
ORDER BY watch_list.seen, wallet_key, list_key;
