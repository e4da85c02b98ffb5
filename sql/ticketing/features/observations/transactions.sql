-- Ticket transactions with what was known of each when it happened: the rows that ask for features, and that most folds learn
-- from.
-- Grain: a ticket transaction. Key: transaction_id. Order: seen, block_number, log_index, transaction_id.
-- Reads: transactions of the days; first versions of the orders they fulfilled, of the sessions and payments of those orders,
-- and of the tickets and events they name.
--
-- What the platform recorded counts if its first version was known at the time of the transaction, else it is null. A buyer whom
-- a later sale of the token had to prove is null for the same reason. Without the platform's ticket the contract stands for the
-- event, so that a collection is one event. Prices are whole gwei, the rest of the wei cut off.
WITH paid AS (
    SELECT
        order_id,
        seen,
        method,
        instrument_id
    FROM payments
    WHERE status <> 'failed'
    QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY seen, payment_id) = 1
),

moved AS (
    SELECT
        transaction_id,
        epoch_us(occurred_at) AS seen,
        block_number,
        log_index,
        kind,
        contract_address,
        token_id,
        ticket_id,
        order_id,
        price_wei,
        CASE
            WHEN buyer_source = 'recorded' THEN nullif(buyer_address, '0x0000000000000000000000000000000000000000')
        END AS buyer_address,
        nullif(seller_address, '0x0000000000000000000000000000000000000000') AS seller_address
    FROM transactions
)

SELECT
    moved.transaction_id,
    moved.seen,
    moved.block_number,
    moved.log_index,
    moved.kind,
    tickets.event_id,
    orders.order_id,
    moved.buyer_address,
    moved.seller_address,
    key_of(moved.buyer_address) AS wallet_key,
    key_of(moved.seller_address) AS seller_key,
    key_of(coalesce(tickets.event_id, moved.contract_address)) AS event_key,
    key_of(coalesce(moved.contract_address, '') || ':' || moved.token_id) AS ticket_key,
    key_of(orders.user_id) AS user_key,
    key_of(sessions.device_id) AS device_key,
    key_of(sessions.ip_block_hash) AS ip_block_key,
    key_of(paid.instrument_id) AS instrument_key,
    key_of(paid.method) AS method_key,
    -- As text, since wei go beyond every exact number here; none is left where there are no more digits than those cut off.
    TRY_CAST('0' || left(moved.price_wei, greatest(length(moved.price_wei) - 9, 0)) AS BIGINT) AS price_gwei,
    CASE
        WHEN orders.currency = 'USD' THEN CAST(CAST(orders.amount / orders.quantity AS DECIMAL(18, 2)) * 100 AS BIGINT)
    END AS amount_cents,
    CAST(tickets.face_value_usd * 100 AS BIGINT) AS face_value_cents,
    epoch_us(events.on_sale_at) AS on_sale,
    epoch_us(events.starts_at) AS starts,
    events.capacity
FROM moved
LEFT JOIN orders ON orders.order_id = moved.order_id AND orders.seen <= moved.seen
LEFT JOIN sessions ON sessions.session_id = orders.session_id AND sessions.seen <= moved.seen
LEFT JOIN paid ON paid.order_id = orders.order_id AND paid.seen <= moved.seen
LEFT JOIN tickets ON tickets.ticket_id = moved.ticket_id AND tickets.seen <= moved.seen
LEFT JOIN events ON events.event_id = tickets.event_id AND events.seen <= moved.seen
ORDER BY moved.seen, moved.block_number, moved.log_index, moved.transaction_id;
