-- Which tickets were passed round most probably to feign trade, by which definitions, and which transactions prove it?
SELECT
    contract_address,
    token_id,
    round(max(score)::numeric, 2) AS score,
    string_agg(DISTINCT definition, ', ' ORDER BY definition) AS definitions,
    count(*) AS flags,
    max(occurred_at) AS last_at
FROM ticketing.wash_trades
WHERE is_wash
GROUP BY contract_address, token_id
ORDER BY score DESC, flags DESC, contract_address, token_id
LIMIT 5;
