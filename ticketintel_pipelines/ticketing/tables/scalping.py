"""What the scalping model writes about wallets."""

from ticketintel_pipelines.contract import Column, ColumnType, InRange, RetentionClass, Rule, Source, Table

SCALPING_SCORES = Table(
    name="scalping_scores",
    grain="one wallet on one day on which it bought or sold",
    description="How much a wallet trades like a scalper, by what it did in the 30 days up to the end of the day, with the "
    "written rules that fired and the transactions that prove them.",
    source=Source.MODEL,
    key=("day", "wallet_address"),
    time="day",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("day", ColumnType.TIMESTAMP, "First instant of the day at whose end this held.", unit="UTC"),
        Column("wallet_address", ColumnType.ADDRESS, "Wallet."),
        Column(
            "scalping_score",
            ColumnType.NUMBER,
            "Probability that the wallet is a scalper's; where the fraud desk has named too few to learn from, the share of "
            "the rules' weight that fired, which is no probability (the model's report says which).",
            unit="0 to 1",
        ),
        Column("is_scalper", ColumnType.BOOLEAN, "Whether the score reaches the threshold."),
        Column("rules_fired", ColumnType.TEXT, "Written rules that fired, as a JSON list of their names."),
        Column(
            "evidence",
            ColumnType.TEXT,
            "Transactions that prove the rules that fired, as a JSON object of rule and list of transaction_id.",
        ),
        Column("tickets_bought", ColumnType.INTEGER, "Tickets bought in the 30 days.", unit="tickets"),
        Column(
            "bought_at_on_sale",
            ColumnType.INTEGER,
            "Most tickets of one event bought within ten minutes of its sale opening.",
            unit="tickets",
        ),
        Column(
            "mark_up",
            ColumnType.NUMBER,
            "Median of price got over price paid, in ETH, of the tickets resold; null where none was.",
            unit="ratio",
            required=False,
        ),
        Column(
            "hold_hours",
            ColumnType.NUMBER,
            "Median time from purchase to sale of the tickets resold; null where none was.",
            unit="hours",
            required=False,
        ),
        Column(
            "share_resold",
            ColumnType.NUMBER,
            "Share of the tickets bought that were resold; null where none was bought.",
            unit="0 to 1",
            required=False,
        ),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was scored.", unit="UTC"),
        Column("model_version", ColumnType.TEXT, "Model that scored."),
    ),
    extra_rules=(
        Rule("score_range", InRange("scalping_score", 0, 1), "a score lies between 0 and 1"),
        Rule("share_range", InRange("share_resold", 0, 1), "a share lies between 0 and 1"),
        Rule("hold_range", InRange("hold_hours", 0), "a ticket is sold before it is bought"),
    ),
)
