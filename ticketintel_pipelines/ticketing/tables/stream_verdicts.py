"""What the band rule writes about figures of the market and of its events."""

from ticketintel_pipelines.contract import Column, ColumnType, Holds, OneOf, RetentionClass, Rule, Source, Table
from ticketintel_pipelines.learning.bands.judging import VERDICTS

MEASURES = ("sales", "resale_price_eth", "volume_eth")

STREAM_VERDICTS = Table(
    name="stream_verdicts",
    grain="one slot (an hour or a day) of one stream that has a value",
    description="Whether a figure of the market or of an event lies outside the Bollinger band of its stream's earlier values.",
    source=Source.MODEL,
    key=("stream", "started_at"),
    time="started_at",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("stream", ColumnType.TEXT, "Event, or `market` for all of them; measure; hour or day; joined by slashes."),
        Column("started_at", ColumnType.TIMESTAMP, "Start of the hour or day.", unit="UTC"),
        Column(
            "measure",
            ColumnType.TEXT,
            "sales (tickets sold first or again), resale_price_eth (mean price of resales) or volume_eth (paid in all sales).",
        ),
        Column("event_id", ColumnType.TEXT, "Event; null for the whole market.", required=False),
        Column("value", ColumnType.NUMBER, "The figure.", unit="by `measure`: tickets or ETH"),
        Column("mean", ColumnType.NUMBER, "Mean of the band's values.", unit="as `value`", required=False),
        Column("lower", ColumnType.NUMBER, "Lower edge of the band.", unit="as `value`", required=False),
        Column("upper", ColumnType.NUMBER, "Upper edge of the band.", unit="as `value`", required=False),
        Column("band_slots", ColumnType.INTEGER, "Slots before this one that the band looks back on.", unit="slots"),
        Column("band_values", ColumnType.INTEGER, "Values in them.", unit="values"),
        Column(
            "verdict",
            ColumnType.TEXT,
            "ANOMALY outside the band, NORMAL within or on its edge, UNKNOWN while there are too few values.",
        ),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was judged.", unit="UTC"),
        Column("model_version", ColumnType.TEXT, "Model that judged."),
    ),
    extra_rules=(
        Rule("measure_known", OneOf("measure", MEASURES), "the measure is none of the known ones"),
        Rule("verdict_known", OneOf("verdict", VERDICTS), "the verdict is none of the known ones"),
        Rule("band_order", Holds("lower IS NULL OR lower <= upper"), "the band's lower edge is above its upper one"),
    ),
)
