"""The features of ticket transactions as analysts find them in Postgres; what each means is declared with its family."""

from ticketintel_pipelines.contract import RetentionClass, Source, Table
from ticketintel_pipelines.features.rows import SEEN
from ticketintel_pipelines.ticketing.features.families import FEATURES

FEATURE_TABLE = Table(
    name=FEATURES.name,
    grain="one ticket transaction",
    description="What was known of each transaction at its time, strictly before it; the last 180 days, the lake has all.",
    source=Source.FEATURE,
    key=("transaction_id",),
    time="occurred_at",
    retention=RetentionClass.PREDICTION,
    columns=tuple(column for column in FEATURES.columns if column.name != SEEN),
)
