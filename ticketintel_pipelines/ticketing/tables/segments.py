"""Segments and personas of wallets."""

from ticketintel_pipelines.contract import Column, ColumnType, InRange, Matches, RetentionClass, Rule, Source, Table

WALLET_SEGMENTS = Table(
    name="wallet_segments",
    grain="one wallet at the end of one day",
    description="Wallets that bought or resold in the 90 days up to a day's end, grouped by alike behaviour: three segments by "
    "value and frequency, five personas by what they buy and do with it. Ids keep their meaning from night to night; names say "
    "in words what a group is, and change with it.",
    source=Source.MODEL,
    key=("wallet_address", "day"),
    time="day",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("wallet_address", ColumnType.ADDRESS, "Wallet."),
        Column("day", ColumnType.TIMESTAMP, "Start of the day at whose end this holds.", unit="UTC"),
        Column("segment", ColumnType.TEXT, "S1 to S3; at first in order of value."),
        Column("segment_name", ColumnType.TEXT, "The segment in words, from its distance to the mean of all wallets."),
        Column("persona", ColumnType.TEXT, "P1 to P5."),
        Column("persona_name", ColumnType.TEXT, "The persona in words."),
        Column("is_outlier", ColumnType.BOOLEAN, "Whether it is near no dense region of wallets: unlike any group."),
        Column(
            "distance",
            ColumnType.NUMBER,
            "Distance to the centre of its persona.",
            unit="standard deviations of the wallets that were learned from",
        ),
        Column("value_eth", ColumnType.NUMBER, "Paid in purchases and received in resales.", unit="ETH"),
        Column("trades", ColumnType.INTEGER, "Purchases and resales."),
        Column("recency_days", ColumnType.NUMBER, "From the newest of them to the day's end.", unit="days"),
        Column("resale_share", ColumnType.NUMBER, "Share of resales in purchases and resales.", unit="0 to 1"),
        Column(
            "markup_ratio",
            ColumnType.NUMBER,
            "Median of a resale's price over what the wallet paid; null where no purchase is known.",
            required=False,
        ),
        Column("hold_days", ColumnType.NUMBER, "Median time from purchase to resale.", unit="days", required=False),
        Column("events", ColumnType.INTEGER, "Events bought for; null without the platform's tickets.", required=False),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was grouped.", unit="UTC"),
        Column("model_version", ColumnType.TEXT, "Model that grouped."),
    ),
    extra_rules=(
        Rule("segment_form", Matches("segment", "S[1-9]"), "the segment has no such form"),
        Rule("persona_form", Matches("persona", "P[1-9]"), "the persona has no such form"),
        Rule("share_range", InRange("resale_share", 0, 1), "a share lies between 0 and 1"),
        Rule("distance_range", InRange("distance", 0), "a distance is negative"),
    ),
)
