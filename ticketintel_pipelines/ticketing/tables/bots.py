"""What the bot model writes about visits."""

from ticketintel_pipelines.contract import (
    PERSON,
    Column,
    ColumnType,
    InRange,
    PersonalData,
    RetentionClass,
    Rule,
    Source,
    Table,
)

BOT_SCORES = Table(
    name="bot_scores",
    grain="one visit",
    description="How likely it is that a program, and not a person, made a visit, judged by what was known at the end of the "
    "day on which it began.",
    source=Source.MODEL,
    key=("session_id",),
    time="started_at",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("session_id", ColumnType.TEXT, "Visit.", personal=PersonalData.LINK, identifies="session"),
        Column("started_at", ColumnType.TIMESTAMP, "First request.", unit="UTC"),
        Column(
            "user_id",
            ColumnType.TEXT,
            "Account; null when not signed in.",
            required=False,
            personal=PersonalData.LINK,
            identifies=PERSON,
        ),
        Column(
            "bot_probability",
            ColumnType.NUMBER,
            "How likely it is a bot's. Calibrated on verdicts of the fraud desk, which names some bots only, where enough are "
            "known; else it only keeps the order, by rank among the visits that were learned from (the model's report says "
            "which).",
            unit="0 to 1",
        ),
        Column("is_bot", ColumnType.BOOLEAN, "Whether the probability reaches the threshold of the model's version."),
        Column("rules_fired", ColumnType.TEXT, "Written rules that fired, as a JSON list of their names."),
        Column(
            "top_features",
            ColumnType.TEXT,
            "Up to three measures furthest out, as a JSON list of feature, value, above (the share of learned visits with "
            "less) and words; null for visits that are no bot's and break no rule.",
            required=False,
        ),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was scored.", unit="UTC"),
        Column("model_version", ColumnType.TEXT, "Model that scored."),
    ),
    extra_rules=(Rule("probability_range", InRange("bot_probability", 0, 1), "a probability lies between 0 and 1"),),
)
