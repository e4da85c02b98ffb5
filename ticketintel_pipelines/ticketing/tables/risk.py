"""Risk scores of ticket transactions."""

from ticketintel_pipelines.contract import Column, ColumnType, InRange, OneOf, RetentionClass, Rule, Source, Table

BANDS = ("HIGH", "MEDIUM", "LOW")

RISK_SCORES = Table(
    name="risk_scores",
    grain="one scored ticket transaction",
    description="A second, simpler opinion beside the fraud score, from amount, number of transactions and history alone. A "
    "transaction keeps its score; days that the model has learned from are not scored.",
    source=Source.MODEL,
    key=("transaction_id",),
    time="scored_at",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("transaction_id", ColumnType.TEXT, "Transaction that was scored."),
        Column("occurred_at", ColumnType.TIMESTAMP, "Time of the transaction.", unit="UTC"),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was scored.", unit="UTC"),
        Column("risk_score", ColumnType.NUMBER, "Calibrated probability of fraud.", unit="0 to 1"),
        Column("band", ColumnType.TEXT, "HIGH, MEDIUM or LOW."),
        Column("model_version", ColumnType.TEXT, "Model that scored."),
    ),
    extra_rules=(
        Rule("score_range", InRange("risk_score", 0, 1), "a probability lies between 0 and 1"),
        Rule("band_known", OneOf("band", BANDS), "the band is none of the known ones"),
    ),
)
