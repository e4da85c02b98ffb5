-- How many wallets are in each segment, and what do they spend?
SELECT
    segment,
    count(*) AS wallets,
    sum(purchases) AS purchases,
    round(sum(spent_eth), 2) AS spent_eth,
    round(sum(spent_eth) / sum(sum(spent_eth)) OVER (), 3) AS share_of_spending
FROM ticketing.user_segments
GROUP BY segment
ORDER BY spent_eth DESC;
