-- Trades without a change of owner, by definition.

CREATE TABLE ticketing.wash_trades (
    flag_id              text NOT NULL,
    occurred_at          timestamp with time zone NOT NULL,
    definition           text NOT NULL,
    contract_address     text,
    token_id             numeric(78,0),
    wallets              text NOT NULL,
    transaction_ids      text NOT NULL,
    value_transfer_ids   text,
    first_transaction_id text NOT NULL,
    last_transaction_id  text NOT NULL,
    hops                 bigint NOT NULL,
    volume_eth           double precision NOT NULL,
    score                double precision NOT NULL,
    is_wash              boolean NOT NULL,
    scored_at            timestamp with time zone NOT NULL,
    model_version        text NOT NULL,
    PRIMARY KEY (flag_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX wash_trades_by_time ON ticketing.wash_trades USING brin (occurred_at);

-- The verdicts of some days, and all that is said of one token.
CREATE INDEX wash_trades_by_definition ON ticketing.wash_trades (definition, occurred_at);
CREATE INDEX wash_trades_by_token ON ticketing.wash_trades (contract_address, token_id);
