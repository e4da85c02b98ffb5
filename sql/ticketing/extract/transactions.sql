-- One row per ticket transaction of the days at hand.
-- key: transaction_id
-- reads: sales and moves (decoded, these days), ticket_of_token, order_of_transaction, next_sales
--
-- A sale is a transaction. A movement is one too unless the same token was sold in the same chain transaction: then the movement
-- is how that sale was delivered, over however many hands.
WITH delivered AS (
    SELECT
        transaction_hash,
        contract_address,
        token_id,
        arg_min(from_address, log_index) AS giver,
        arg_max(to_address, log_index) AS receiver
    FROM moves
    GROUP BY transaction_hash, contract_address, token_id
),

-- Seaport logs both sides of a matched pair of orders, each without its counterpart: the transfer tells who that was, and the two
-- become one sale.
matched AS (
    SELECT
        sales.* REPLACE (
            coalesce(nullif(seller_address, '0x0000000000000000000000000000000000000000'), giver, seller_address)
                AS seller_address,
            coalesce(nullif(buyer_address, '0x0000000000000000000000000000000000000000'), receiver, buyer_address)
                AS buyer_address
        )
    FROM sales
    LEFT JOIN delivered USING (transaction_hash, contract_address, token_id)
    WHERE
        marketplace = 'seaport'
        AND '0x0000000000000000000000000000000000000000' IN (sales.seller_address, sales.buyer_address)
    QUALIFY row_number() OVER (
        PARTITION BY transaction_hash, contract_address, token_id, source_file, source_row, landing_order ORDER BY log_index
    ) = 1
        AND (giver IS NULL OR log_index = min(log_index) OVER (PARTITION BY transaction_hash, contract_address, token_id))
),

all_sales AS (
    SELECT * FROM sales
    WHERE
        marketplace <> 'seaport'
        OR '0x0000000000000000000000000000000000000000' NOT IN (seller_address, buyer_address)
    UNION ALL BY NAME
    SELECT * FROM matched
),

sold AS (
    SELECT
        sales.transaction_hash,
        sales.log_index,
        -- The same for every copy of a row, and for no two tokens.
        dense_rank() OVER (
            PARTITION BY sales.transaction_hash, sales.log_index ORDER BY sales.contract_address, sales.token_id
        ) - 1 AS place,
        sales.block_timestamp AS occurred_at,
        sales.block_number,
        CASE
            WHEN sales.seller_address = '0x0000000000000000000000000000000000000000' AND sales.marketplace = 'platform'
                THEN 'primary_sale'
            ELSE 'resale'
        END AS kind,
        sales.marketplace,
        sales.contract_address,
        sales.token_id,
        sales.quantity,
        nullif(sales.seller_address, '0x0000000000000000000000000000000000000000') AS seller_address,
        coalesce(
            nullif(sales.buyer_address, '0x0000000000000000000000000000000000000000'), next_sales.next_seller
        ) AS buyer_address,
        CASE
            WHEN sales.buyer_address <> '0x0000000000000000000000000000000000000000' THEN 'recorded'
            WHEN next_sales.next_seller IS NOT NULL THEN 'repaired'
            ELSE 'unknown'
        END AS buyer_source,
        sales.price_wei,
        sales.source_file,
        sales.source_row,
        sales.landing_order
    FROM all_sales AS sales
    LEFT JOIN next_sales
        ON
            next_sales.transaction_hash = sales.transaction_hash
            AND next_sales.log_index = sales.log_index
            AND next_sales.token_id = sales.token_id
            AND next_sales.contract_address IS NOT DISTINCT FROM sales.contract_address
),

unsold AS (
    SELECT
        moves.transaction_hash,
        moves.log_index,
        moves.batch_index AS place,
        moves.block_timestamp AS occurred_at,
        moves.block_number,
        CASE
            WHEN moves.from_address = '0x0000000000000000000000000000000000000000' THEN 'issue'
            WHEN moves.to_address = '0x0000000000000000000000000000000000000000' THEN 'burn'
            ELSE 'gift'
        END AS kind,
        NULL::VARCHAR AS marketplace,
        moves.contract_address,
        moves.token_id,
        moves.quantity,
        nullif(moves.from_address, '0x0000000000000000000000000000000000000000') AS seller_address,
        nullif(moves.to_address, '0x0000000000000000000000000000000000000000') AS buyer_address,
        'recorded' AS buyer_source,
        NULL::VARCHAR AS price_wei,
        moves.source_file,
        moves.source_row,
        moves.landing_order
    FROM moves
    ANTI JOIN all_sales AS sales
        ON
            sales.transaction_hash = moves.transaction_hash
            AND sales.contract_address = moves.contract_address
            AND sales.token_id = moves.token_id
            -- Of an ERC-1155 token there are many: only the movement between seller and buyer is theirs.
            AND (
                moves.standard <> 'erc1155'
                OR (sales.seller_address = moves.from_address AND sales.buyer_address = moves.to_address)
            )
),

together AS (
    SELECT * FROM sold
    UNION ALL BY NAME
    SELECT * FROM unsold
)

SELECT
    concat_ws(':', together.transaction_hash, together.log_index, together.place) AS transaction_id,
    together.occurred_at,
    together.kind,
    together.marketplace,
    together.contract_address,
    together.token_id,
    together.quantity,
    ticket_of_token.event_id,
    ticket_of_token.ticket_id,
    together.seller_address,
    together.buyer_address,
    together.buyer_source,
    together.price_wei,
    order_of_transaction.price_usd,
    order_of_transaction.order_id,
    order_of_transaction.user_id,
    together.block_number,
    together.log_index,
    together.transaction_hash,
    together.source_file,
    together.source_row,
    together.landing_order
FROM together
LEFT JOIN ticket_of_token USING (contract_address, token_id)
LEFT JOIN order_of_transaction
    ON
        order_of_transaction.transaction_hash = together.transaction_hash
        AND together.marketplace = 'platform';
