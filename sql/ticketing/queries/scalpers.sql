-- Which wallets were called scalpers lately, by which written rules, and how many transactions prove it?
SELECT
    day::date AS day,
    wallet_address,
    round(scalping_score::numeric, 2) AS score,
    rules_fired,
    bought_at_on_sale,
    round(mark_up::numeric, 2) AS mark_up,
    round(share_resold::numeric, 2) AS share_resold
FROM ticketing.scalping_scores
WHERE is_scalper
ORDER BY day DESC, score DESC, wallet_address
LIMIT 5;
