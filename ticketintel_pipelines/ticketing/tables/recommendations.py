"""Events recommended to wallets."""

from ticketintel_pipelines.contract import (
    WALLET,
    Column,
    ColumnType,
    InRange,
    OneOf,
    PersonalData,
    RetentionClass,
    Rule,
    Source,
    Table,
)

MOST_RECOMMENDED = 10
SOURCES = ("content", "collaborative", "popular")

RECOMMENDATIONS = Table(
    name="recommendations",
    grain="one event recommended to one wallet at the end of a day",
    description="The ten best events, or as many as there are, for each wallet that bought or visited lately: on sale at the "
    "end of the day, not yet started, not sold out, and none that the wallet has bought.",
    source=Source.MODEL,
    key=("day", "wallet_address", "rank"),
    time="day",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("day", ColumnType.TIMESTAMP, "First instant of the day at whose end this was recommended.", unit="UTC"),
        Column(
            "wallet_address",
            ColumnType.ADDRESS,
            "Wallet of the person.",
            personal=PersonalData.LINK,
            identifies=WALLET,
        ),
        Column("rank", ColumnType.INTEGER, "1 for the best."),
        Column("event_id", ColumnType.TEXT, "Event that is recommended."),
        Column(
            "score",
            ColumnType.NUMBER,
            "How much speaks for the event; compares events of one wallet and day alone.",
            unit="log odds",
        ),
        Column(
            "source",
            ColumnType.TEXT,
            "What adds most to the score: content (attributes of events), collaborative (what others bought) or popular.",
        ),
        # What a person bought and where they live would name them to whoever reads the chain.
        Column(
            "reason",
            ColumnType.TEXT,
            "Why, as JSON with words: a rule (bought, support, confidence, lift), a similar event that was bought, shared "
            "attributes, or how many bought it.",
            personal=PersonalData.LINK,
            erased="null",
        ),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was scored.", unit="UTC"),
        Column("model_version", ColumnType.TEXT, "Model that scored."),
    ),
    extra_rules=(
        Rule("rank_range", InRange("rank", 1, MOST_RECOMMENDED), "a rank lies between 1 and 10"),
        Rule("source_known", OneOf("source", SOURCES), "the source is none of the known ones"),
    ),
)
