"""What the chain recorded (blocks, logs, sales lists) and what is decoded from it (transfers, sales, transactions)."""

from ticketintel_pipelines.contract import (
    PERSON,
    Column,
    ColumnType,
    Holds,
    InRange,
    OneOf,
    PersonalData,
    RetentionClass,
    Rule,
    Severity,
    Source,
    Table,
    TimeFrom,
)

CHAIN_START = "TIMESTAMPTZ '2015-07-30 00:00:00+00'"
"""Ethereum's first block; an earlier time is a wrong unit or a wrong chain."""

STANDARDS = ("erc721", "erc1155", "cryptopunks")
MARKETPLACES = ("platform", "seaport", "cryptopunks", "sales_list")
TRANSACTION_KINDS = ("primary_sale", "resale", "issue", "gift", "burn")

BLOCKS = Table(
    name="blocks",
    grain="one block",
    description="Block headers as far as the pipeline needs them: the clock of the chain.",
    source=Source.CHAIN,
    key=("block_number",),
    time="block_timestamp",
    retention=RetentionClass.ON_CHAIN,
    columns=(
        Column("block_number", ColumnType.INTEGER, "Height of the block.", aliases=("number",)),
        Column("block_hash", ColumnType.HASH, "Hash of the block header.", aliases=("hash",)),
        Column("parent_hash", ColumnType.HASH, "Hash of the block before it.", required=False),
        Column("block_timestamp", ColumnType.TIMESTAMP, "When the block was made.", unit="UTC", aliases=("timestamp",)),
    ),
    extra_rules=(
        Rule("block_number_range", InRange("block_number", minimum=0), "a block number is negative"),
        Rule("after_chain_start", Holds(f"block_timestamp >= {CHAIN_START}"), "the block is older than the chain"),
        Rule(
            "one_hash_per_height",
            Holds("block_number IS NULL OR count(DISTINCT block_hash) OVER (PARTITION BY block_number) <= 1"),
            "two branches of the chain, or two chains, are mixed in one extract",
            Severity.CRITICAL,
        ),
    ),
)

LOGS = Table(
    name="logs",
    grain="one event log",
    description="Raw EVM event logs, undecoded; they stay in the lake.",
    source=Source.CHAIN,
    key=("transaction_hash", "log_index"),
    time="block_timestamp",
    retention=RetentionClass.ON_CHAIN,
    published=False,
    time_from=TimeFrom("blocks", "block_number"),
    columns=(
        Column("block_number", ColumnType.INTEGER, "Height of the log's block."),
        Column("block_hash", ColumnType.HASH, "Hash of the log's block.", required=False),
        Column(
            "block_timestamp",
            ColumnType.TIMESTAMP,
            "When the block was made; taken from `blocks` where the log file does not carry it.",
            unit="UTC",
            aliases=("timestamp",),
        ),
        Column("transaction_hash", ColumnType.HASH, "Transaction that emitted the log."),
        Column("transaction_index", ColumnType.INTEGER, "Place of the transaction in its block.", required=False),
        Column("log_index", ColumnType.INTEGER, "Place of the log in its block."),
        Column("address", ColumnType.ADDRESS, "Contract that emitted the log.", aliases=("contract_address",)),
        Column("topic0", ColumnType.HASH, "Hash of the event's signature; null for anonymous events.", required=False),
        Column("topic1", ColumnType.HASH, "First indexed argument.", required=False),
        Column("topic2", ColumnType.HASH, "Second indexed argument.", required=False),
        Column("topic3", ColumnType.HASH, "Third indexed argument.", required=False),
        Column("data", ColumnType.HEX, "ABI-encoded arguments that are not indexed."),
    ),
)

SALES = Table(
    name="sales",
    grain="one sale of one token",
    description="A sales list of one collection, for markets whose logs are not at hand.",
    source=Source.CHAIN,
    key=("transaction_hash", "token_id"),
    time="block_timestamp",
    retention=RetentionClass.ON_CHAIN,
    published=False,
    columns=(
        Column(
            "block_timestamp",
            ColumnType.TIMESTAMP,
            "When the sale's block was made.",
            unit="UTC",
            aliases=("timestamp",),
        ),
        Column("block_number", ColumnType.INTEGER, "Height of the sale's block."),
        Column("transaction_hash", ColumnType.HASH, "Transaction of the sale.", aliases=("tx_hash",)),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the collection.", required=False),
        Column("token_id", ColumnType.UINT256, "Token that was sold."),
        Column("seller_address", ColumnType.ADDRESS, "Wallet that sold.", aliases=("from_address",)),
        Column(
            "buyer_address",
            ColumnType.ADDRESS,
            "Wallet that bought; the zero address where the contract did not say who.",
            aliases=("to_address",),
        ),
        Column("price_wei", ColumnType.UINT256, "Price paid.", unit="wei", required=False, nulls=("-",)),
    ),
)

VALUE_TRANSFERS = Table(
    name="value_transfers",
    grain="one movement of value between two accounts",
    description="The chain's own coin, or a stable one, as it moved between accounts: who funds wallets, and to whom they pay "
    "out. Optional; as exported of transactions, of traces, or of transfers of coins. What moved nothing is left "
    "out: failed and delegated calls, and rows without a sender or a receiver (rewards of blocks, contracts made).",
    source=Source.CHAIN,
    key=("transaction_hash", "movement_id", "from_address", "to_address"),
    time="block_timestamp",
    retention=RetentionClass.ON_CHAIN,
    time_from=TimeFrom("blocks", "block_number"),
    columns=(
        Column("block_number", ColumnType.INTEGER, "Height of the block."),
        Column(
            "block_timestamp",
            ColumnType.TIMESTAMP,
            "When the block was made; taken from `blocks` where the file does not carry it.",
            unit="UTC",
            aliases=("timestamp",),
        ),
        Column("transaction_hash", ColumnType.HASH, "Transaction that moved the value.", aliases=("hash",)),
        Column(
            "movement_id",
            ColumnType.TEXT,
            "Which movement of the transaction: the id of the trace, the index of the coin's log, or for the value of the "
            "transaction itself its place in the block.",
            aliases=("trace_id", "log_index", "transaction_index"),
        ),
        Column(
            "token_address",
            ColumnType.ADDRESS,
            "Contract of the coin; null for the chain's own.",
            required=False,
        ),
        Column("from_address", ColumnType.ADDRESS, "Account that paid."),
        Column("to_address", ColumnType.ADDRESS, "Account that was paid."),
        Column("value_wei", ColumnType.UINT256, "How much.", unit="wei, or the coin's smallest unit", aliases=("value",)),
    ),
    extra_rules=(
        Rule("block_number_range", InRange("block_number", minimum=0), "a block number is negative"),
        Rule("value_positive", Holds("value_wei <> '0'"), "nothing was moved", Severity.WARNING),
    ),
)

TRANSFERS = Table(
    name="transfers",
    grain="one movement of one token",
    description="Every movement of a token between wallets, decoded from ERC-721, ERC-1155 and CryptoPunks logs.",
    source=Source.DERIVED,
    key=("transaction_hash", "log_index", "batch_index"),
    time="block_timestamp",
    retention=RetentionClass.ON_CHAIN,
    columns=(
        Column("block_number", ColumnType.INTEGER, "Height of the block."),
        Column("block_timestamp", ColumnType.TIMESTAMP, "When the block was made.", unit="UTC"),
        Column("transaction_hash", ColumnType.HASH, "Transaction that moved the token."),
        Column("log_index", ColumnType.INTEGER, "Place of the log in its block."),
        Column("batch_index", ColumnType.INTEGER, "Place in an ERC-1155 batch; 0 elsewhere."),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the token."),
        Column("standard", ColumnType.TEXT, "erc721, erc1155 or cryptopunks."),
        Column("token_id", ColumnType.UINT256, "Token that moved."),
        Column("quantity", ColumnType.UINT256, "How many; always 1 outside ERC-1155."),
        Column("from_address", ColumnType.ADDRESS, "Wallet that gave; the zero address for a mint."),
        Column("to_address", ColumnType.ADDRESS, "Wallet that received; the zero address for a burn."),
    ),
    extra_rules=(
        Rule("standard_known", OneOf("standard", STANDARDS), "the token standard is none that the pipeline knows"),
        Rule(
            "one_owner_at_a_time",
            Holds("sender_owned_token"),
            "the sender did not own the token at that moment: a token has one owner at a time, and none before its mint",
        ),
        Rule("quantity_positive", Holds("quantity <> '0'"), "nothing was moved", Severity.WARNING),
    ),
)

MARKET_SALES = Table(
    name="market_sales",
    grain="one sale of one token, as its marketplace recorded it",
    description="Sales decoded from Seaport, CryptoPunks and the platform's own market, or read from a sales list.",
    source=Source.DERIVED,
    key=("transaction_hash", "log_index", "token_id"),
    time="block_timestamp",
    retention=RetentionClass.ON_CHAIN,
    published=False,
    columns=(
        Column("block_number", ColumnType.INTEGER, "Height of the block."),
        Column("block_timestamp", ColumnType.TIMESTAMP, "When the block was made.", unit="UTC"),
        Column("transaction_hash", ColumnType.HASH, "Transaction of the sale."),
        Column("log_index", ColumnType.INTEGER, "Place of the log in its block; -1 in a sales list, which has none."),
        Column("marketplace", ColumnType.TEXT, "platform, seaport, cryptopunks or sales_list."),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the token.", required=False),
        Column("token_id", ColumnType.UINT256, "Token that was sold."),
        Column("quantity", ColumnType.UINT256, "How many."),
        Column("seller_address", ColumnType.ADDRESS, "Wallet that sold; the zero address for a primary sale."),
        Column("buyer_address", ColumnType.ADDRESS, "Wallet that bought; the zero address where the event did not say who."),
        Column("price_wei", ColumnType.UINT256, "Price paid, fees included.", unit="wei", required=False),
    ),
)

TRANSACTIONS = Table(
    name="transactions",
    grain="one ticket transaction: a sale, an issue, a gift or a burn of one token",
    description="The ledger analysts start from: every sale joined to its transfer, event, ticket and order; a transfer "
    "without a sale is a gift.",
    source=Source.DERIVED,
    key=("transaction_id",),
    time="occurred_at",
    retention=RetentionClass.ON_CHAIN,
    columns=(
        Column(
            "transaction_id",
            ColumnType.TEXT,
            "Transaction hash, log index and place in the log's batch, joined by colons.",
        ),
        Column("occurred_at", ColumnType.TIMESTAMP, "Time of the block.", unit="UTC"),
        Column(
            "kind",
            ColumnType.TEXT,
            "primary_sale, resale, issue (minted without a sale), gift (moved without one) or burn.",
        ),
        Column("marketplace", ColumnType.TEXT, "Where it was sold; null for an issue, a gift and a burn.", required=False),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the token.", required=False),
        Column("token_id", ColumnType.UINT256, "Token that changed hands."),
        Column("quantity", ColumnType.UINT256, "How many; always 1 outside ERC-1155."),
        Column("event_id", ColumnType.TEXT, "Event of the ticket; null without the platform's tickets.", required=False),
        Column("ticket_id", ColumnType.TEXT, "Ticket of the token; null without the platform's tickets.", required=False),
        Column("seller_address", ColumnType.ADDRESS, "Wallet that gave the token; null for a primary sale.", required=False),
        Column(
            "buyer_address",
            ColumnType.ADDRESS,
            "Wallet that received the token; null where nobody recorded it.",
            required=False,
        ),
        Column(
            "buyer_source",
            ColumnType.TEXT,
            "How the buyer is known: recorded; repaired (the contract did not say, so it is the seller of the token's next "
            "sale); unknown.",
        ),
        Column(
            "price_wei",
            ColumnType.UINT256,
            "Price paid; null for a gift, an issue and a burn.",
            unit="wei",
            required=False,
        ),
        Column("price_usd", ColumnType.MONEY, "Amount of the platform's order, per ticket.", unit="USD", required=False),
        Column("order_id", ColumnType.TEXT, "Order that this transaction fulfilled.", required=False),
        Column(
            "user_id",
            ColumnType.TEXT,
            "User who ordered.",
            required=False,
            personal=PersonalData.LINK,
            identifies=PERSON,
        ),
        Column("block_number", ColumnType.INTEGER, "Height of the block."),
        Column("log_index", ColumnType.INTEGER, "Place of the log in its block; -1 from a sales list."),
        Column("transaction_hash", ColumnType.HASH, "Transaction on the chain."),
    ),
    extra_rules=(
        Rule("kind_known", OneOf("kind", TRANSACTION_KINDS), "the kind is none of the known ones"),
        Rule("marketplace_known", OneOf("marketplace", MARKETPLACES), "the marketplace is none of the known ones"),
        Rule(
            "buyer_source_known",
            OneOf("buyer_source", ("recorded", "repaired", "unknown")),
            "the origin of the buyer is unclear",
        ),
        Rule(
            "sale_has_price",
            Holds("kind NOT IN ('primary_sale', 'resale') OR price_wei IS NOT NULL"),
            "a sale without a price counts as zero in every total",
            Severity.WARNING,
        ),
        Rule(
            "buyer_known",
            Holds("buyer_source <> 'unknown'"),
            "the contract did not record the buyer and no later sale proves who it was",
            Severity.WARNING,
        ),
        Rule(
            "not_sold_to_self",
            Holds("seller_address IS NULL OR buyer_address IS NULL OR seller_address <> buyer_address"),
            "seller and buyer are one wallet",
            Severity.WARNING,
        ),
    ),
)
