"""What models write about the domain's transactions."""

from ticketintel_pipelines.contract import Column, ColumnType, InRange, OneOf, RetentionClass, Rule, Source, Table

DECISIONS = ("APPROVED", "REQUIRE_2FA", "MANUAL_REVIEW", "BLOCKED")

FRAUD_PREDICTIONS = Table(
    name="fraud_predictions",
    grain="one scored ticket transaction",
    description="The fraud model's score of each transaction, given once; a transaction is scored again only when late rows "
    "have changed its features. Days that the model has learned from are not scored.",
    source=Source.MODEL,
    key=("transaction_id",),
    time="scored_at",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("transaction_id", ColumnType.TEXT, "Transaction that was scored."),
        Column("occurred_at", ColumnType.TIMESTAMP, "Time of the transaction.", unit="UTC"),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was scored.", unit="UTC"),
        Column("fraud_score", ColumnType.NUMBER, "Calibrated probability of fraud.", unit="0 to 1"),
        Column("decision", ColumnType.TEXT, "APPROVED, REQUIRE_2FA, MANUAL_REVIEW or BLOCKED."),
        Column(
            "confidence",
            ColumnType.NUMBER,
            "How far the score lies within the band of its decision; 0 at its edge.",
            unit="0 to 1",
            required=False,
        ),
        Column(
            "top_features",
            ColumnType.TEXT,
            "Up to three features that raised the score most, as a JSON list of feature, value, weight (log odds) and words; "
            "null for approved transactions.",
            required=False,
        ),
        Column("model_version", ColumnType.TEXT, "Model that scored."),
    ),
    extra_rules=(
        Rule("score_range", InRange("fraud_score", 0, 1), "a probability lies between 0 and 1"),
        Rule("confidence_range", InRange("confidence", 0, 1), "a confidence lies between 0 and 1"),
        Rule("decision_known", OneOf("decision", DECISIONS), "the decision is none of the known ones"),
    ),
)
