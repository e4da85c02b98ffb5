"""What models write about the domain's transactions."""

from ticketintel_pipelines.contract import Column, ColumnType, InRange, OneOf, RetentionClass, Rule, Source, Table

DECISIONS = ("APPROVED", "REQUIRE_2FA", "MANUAL_REVIEW", "BLOCKED")

FRAUD_PREDICTIONS = Table(
    name="fraud_predictions",
    grain="one scored ticket transaction",
    description="Fraud scores; empty until the fraud model scores its first night.",
    source=Source.MODEL,
    key=("transaction_id",),
    time="scored_at",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("transaction_id", ColumnType.TEXT, "Transaction that was scored."),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was scored.", unit="UTC"),
        Column("fraud_score", ColumnType.NUMBER, "Calibrated probability of fraud.", unit="0 to 1"),
        Column("decision", ColumnType.TEXT, "APPROVED, REQUIRE_2FA, MANUAL_REVIEW or BLOCKED."),
        Column("confidence", ColumnType.NUMBER, "How sure the model is of its decision.", unit="0 to 1", required=False),
        Column("top_features", ColumnType.TEXT, "Features that weighed most, as JSON.", required=False),
        Column("model_version", ColumnType.TEXT, "Model that scored."),
    ),
    extra_rules=(
        Rule("score_range", InRange("fraud_score", 0, 1), "a probability lies between 0 and 1"),
        Rule("confidence_range", InRange("confidence", 0, 1), "a confidence lies between 0 and 1"),
        Rule("decision_known", OneOf("decision", DECISIONS), "the decision is none of the known ones"),
    ),
)
