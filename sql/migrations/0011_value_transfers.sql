-- Value moved between wallets: who funds them, and to whom they pay out.

CREATE TABLE ticketing.value_transfers (
    block_number     bigint NOT NULL,
    block_timestamp  timestamp with time zone NOT NULL,
    transaction_hash text NOT NULL,
    movement_id      text NOT NULL,
    token_address    text,
    from_address     text NOT NULL,
    to_address       text NOT NULL,
    value_wei        numeric(78,0) NOT NULL,
    PRIMARY KEY (transaction_hash, movement_id, from_address, to_address, block_timestamp)
) PARTITION BY RANGE (block_timestamp);
CREATE INDEX value_transfers_by_time ON ticketing.value_transfers USING brin (block_timestamp);

-- Who paid a wallet first, and whom it paid.
CREATE INDEX value_transfers_by_payee ON ticketing.value_transfers (to_address, block_timestamp);
CREATE INDEX value_transfers_by_payer ON ticketing.value_transfers (from_address, block_timestamp);
