"""What the search for wash trades writes: one row for each definition that fired, with its proof."""

from ticketintel_pipelines.contract import Column, ColumnType, InRange, OneOf, RetentionClass, Rule, Source, Table

DEFINITIONS = (
    "self_trade",
    "return_trip",
    "closed_cycle",
    "three_buys",
    "three_sells",
    "repeated_route",
    "strong_component",
    "zero_risk",
    "volume_match",
    "common_funder",
    "common_exit",
    "combined",
)

WASH_TRADES = Table(
    name="wash_trades",
    grain="one definition of wash trading that fired, on the day of the last thing that proves it",
    description="Trades without a change of owner, by each definition side by side and by their combination, with the "
    "transactions that prove them. The wash trades of the verdict are the transactions of the rows of definition combined.",
    source=Source.MODEL,
    key=("flag_id",),
    time="occurred_at",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("flag_id", ColumnType.TEXT, "Of the definition, the time and what proves it: the same on every run."),
        Column("occurred_at", ColumnType.TIMESTAMP, "Time of the last thing that proves it.", unit="UTC"),
        Column("definition", ColumnType.TEXT, "Which definition fired; combined is the verdict on all that hold together."),
        Column(
            "contract_address",
            ColumnType.ADDRESS,
            "Contract of the token; null where several tokens prove it, and where the record does not say.",
            required=False,
        ),
        Column("token_id", ColumnType.UINT256, "Token; null where several prove it.", required=False),
        Column("wallets", ColumnType.TEXT, "Wallets in the order in which they had the token, as a JSON list."),
        Column("transaction_ids", ColumnType.TEXT, "Transactions that prove it, in their order, as a JSON list."),
        Column(
            "value_transfer_ids",
            ColumnType.TEXT,
            "Movements of value that prove it, as a JSON list of transaction hash and movement_id; null where none is needed.",
            required=False,
        ),
        Column("first_transaction_id", ColumnType.TEXT, "First of the transactions."),
        Column("last_transaction_id", ColumnType.TEXT, "Last of the transactions."),
        Column("hops", ColumnType.INTEGER, "How many transactions.", unit="transactions"),
        Column("volume_eth", ColumnType.NUMBER, "What was paid in them.", unit="ETH"),
        Column(
            "score",
            ColumnType.NUMBER,
            "How much speaks for a wash trade: 1 less the product of the doubts that the definitions leave which hold of these "
            "transactions. It is no probability.",
            unit="0 to 1",
        ),
        Column("is_wash", ColumnType.BOOLEAN, "Whether the score reached the threshold on that day."),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was scored.", unit="UTC"),
        Column("model_version", ColumnType.TEXT, "Model that scored."),
    ),
    extra_rules=(
        Rule("definition_known", OneOf("definition", DEFINITIONS), "the definition is none of the known ones"),
        Rule("score_range", InRange("score", 0, 1), "a score lies between 0 and 1"),
        Rule("hops_range", InRange("hops", 1), "nothing proves it"),
    ),
)
