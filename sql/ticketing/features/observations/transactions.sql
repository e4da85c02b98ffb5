-- Ticket transactions with what was known of each when it happened: the rows that ask for features, and that most folds learn from.
-- Grain: a ticket transaction. Key: transaction_id. Order: seen, block_number, log_index, transaction_id.
-- Reads: transactions of the days; orders, sessions and payments of these and the days before; the events and tickets they name.
--
-- An order, session or payment that became known only after the transaction is left out. Without the platform's tickets the
-- contract stands for the event, so that a collection is one. Prices are in gwei, cut off below one.
WITH paid AS (
    SELECT
        order_id,
        seen,
        method,
        instrument_id
    FROM payments
    QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY seen, payment_id) = 1
)

SELECT
    t.transaction_id,
    epoch_us(t.occurred_at) AS seen,
    t.block_number,
    t.log_index,
    t.kind,
    t.event_id,
    t.order_id,
    t.buyer_address,
    t.seller_address,
    key_of(t.buyer_address) AS wallet_key,
    key_of(t.seller_address) AS seller_key,
    key_of(coalesce(t.event_id, t.contract_address)) AS event_key,
    key_of(coalesce(t.contract_address, '') || ':' || t.token_id) AS ticket_key,
    key_of(t.user_id) AS user_key,
    key_of(s.device_id) AS device_key,
    key_of(s.ip_block_hash) AS ip_block_key,
    key_of(p.instrument_id) AS instrument_key,
    key_of(p.method) AS method_key,
    CAST(trunc(TRY_CAST(t.price_wei AS DECIMAL(38, 0)) / 1000000000) AS BIGINT) AS price_gwei,
    CAST(t.price_usd * 100 AS BIGINT) AS amount_cents,
    CAST(k.face_value_usd * 100 AS BIGINT) AS face_value_cents,
    epoch_us(e.on_sale_at) AS on_sale,
    epoch_us(e.starts_at) AS starts,
    e.capacity
FROM transactions AS t
LEFT JOIN orders AS o ON o.order_id = t.order_id AND o.seen <= epoch_us(t.occurred_at)
LEFT JOIN sessions AS s ON s.session_id = o.session_id AND s.seen <= epoch_us(t.occurred_at)
LEFT JOIN paid AS p ON p.order_id = t.order_id AND p.seen <= epoch_us(t.occurred_at)
LEFT JOIN events AS e ON e.event_id = t.event_id AND e.seen <= epoch_us(t.occurred_at)
LEFT JOIN tickets AS k ON k.ticket_id = t.ticket_id AND k.seen <= epoch_us(t.occurred_at)
ORDER BY seen, t.block_number, t.log_index, t.transaction_id;
