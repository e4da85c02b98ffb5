-- One row per event: how it sells, resells and fills. Transactions whose event is unknown (no platform tables) are gathered under
-- the contract of their collection, with everything that needs the platform null. Check-ins that the platform deleted do not count;
-- a deleted event is shown only while it has transactions.
-- key: event_key
-- reads: transactions, events, check_ins
-- show: tickets_sold + resale_count DESC NULLS LAST, event_key
-- column event_key: Event, or the contract of the collection where the event is unknown.
-- column event_id: Event; null where it is unknown.
-- column event_name: Name for people; null where the event is unknown.
-- column category: Category of the event; null where it is unknown.
-- column starts_at: When doors open, UTC; null where the event is unknown.
-- column capacity: Tickets that can be sold; null where the event is unknown.
-- column tickets_sold: Tickets sold in primary sales; null where the data holds no primary sale of any event.
-- column sell_through: tickets_sold / capacity, 0 to 1; null where either is unknown.
-- column resale_count: Resales so far; null without any transaction at all.
-- column floor_price_eth: Lowest price of a sale in the seven days before the event's newest sale, ETH.
-- column median_hours_to_resale: Median of the hours between getting a ticket and reselling it; null without such resales.
-- column check_in_rate: Share of the sold tickets that were admitted, 0 to 1; null while the doors are closed at the newest transaction, or without check-ins.
-- column primary_revenue_eth: Sum of primary sale prices, ETH.
-- column resale_volume_eth: Sum of resale prices, ETH.
-- column last_transaction_at: Newest transaction, UTC.
WITH transactions AS (
    SELECT
        coalesce(event_id, contract_address, 'unknown') AS event_key,
        event_id,
        ticket_id,
        kind,
        quantity,
        price_wei / 1e18::numeric AS price_eth,
        seller_address,
        occurred_at,
        lag(occurred_at) OVER token AS previous_at,
        lag(buyer_address) OVER token AS previous_buyer
    FROM ticketing.transactions
    WINDOW token AS (PARTITION BY contract_address, token_id ORDER BY occurred_at, block_number, log_index)
),

sales AS (
    SELECT
        *,
        max(occurred_at) OVER (PARTITION BY event_key) AS newest_sale_at
    FROM transactions
    WHERE kind IN ('primary_sale', 'resale')
),

sold AS (
    SELECT
        event_key,
        coalesce(sum(quantity) FILTER (WHERE kind = 'primary_sale'), 0)::bigint AS tickets_sold,
        count(*) FILTER (WHERE kind = 'resale') AS resale_count,
        min(price_eth / nullif(quantity, 0)) FILTER (WHERE occurred_at > newest_sale_at - interval '7 days') AS floor_price_eth,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(EPOCH FROM occurred_at - previous_at) / 3600.0)
            FILTER (WHERE kind = 'resale' AND seller_address = previous_buyer) AS median_hours_to_resale,
        sum(price_eth) FILTER (WHERE kind = 'primary_sale') AS primary_revenue_eth,
        sum(price_eth) FILTER (WHERE kind = 'resale') AS resale_volume_eth
    FROM sales
    GROUP BY event_key
),

seen AS (
    SELECT
        event_key,
        max(event_id) AS event_id,
        max(occurred_at) AS last_transaction_at
    FROM transactions
    GROUP BY event_key
),

admitted AS (
    SELECT
        sales.event_key,
        count(*) AS check_ins
    FROM sales
    INNER JOIN ticketing.check_ins AS check_ins ON check_ins.ticket_id = sales.ticket_id
    WHERE sales.kind = 'primary_sale' AND check_ins.deleted_at IS NULL
    GROUP BY sales.event_key
),

newest AS (
    SELECT max(last_transaction_at) AS at FROM seen
),

keys AS (
    SELECT event_key FROM seen
    UNION
    SELECT event_id FROM ticketing.events
    WHERE deleted_at IS NULL
)

SELECT
    keys.event_key,
    coalesce(seen.event_id, events.event_id) AS event_id,
    events.name AS event_name,
    events.category,
    events.starts_at,
    events.capacity,
    CASE WHEN issue.is_known THEN coalesce(sold.tickets_sold, 0) END AS tickets_sold,
    CASE WHEN issue.is_known THEN coalesce(sold.tickets_sold, 0)::double precision / events.capacity END AS sell_through,
    CASE WHEN newest.at IS NOT NULL THEN coalesce(sold.resale_count, 0) END AS resale_count,
    sold.floor_price_eth::numeric(38, 18) AS floor_price_eth,
    sold.median_hours_to_resale,
    CASE
        WHEN events.starts_at <= newest.at THEN admitted.check_ins::double precision / nullif(sold.tickets_sold, 0)
    END AS check_in_rate,
    sold.primary_revenue_eth::numeric(38, 18) AS primary_revenue_eth,
    sold.resale_volume_eth::numeric(38, 18) AS resale_volume_eth,
    seen.last_transaction_at
FROM keys
LEFT JOIN ticketing.events AS events ON events.event_id = keys.event_key
LEFT JOIN seen ON seen.event_key = keys.event_key
LEFT JOIN sold ON sold.event_key = keys.event_key
LEFT JOIN admitted ON admitted.event_key = keys.event_key
CROSS JOIN newest
-- Without the primary market in the data (no logs, or a list of resales only) nobody knows what was sold in it.
CROSS JOIN (SELECT coalesce(sum(tickets_sold), 0) > 0 AS is_known FROM sold) AS issue;
