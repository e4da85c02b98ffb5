"""What the price model writes about sales on the secondary market."""

from ticketintel_pipelines.contract import Column, ColumnType, Holds, InRange, RetentionClass, Rule, Source, Table

FAIR_PRICES = Table(
    name="fair_prices",
    grain="one resale with a price",
    description="What each resale should have cost by what was known before it, and within which bounds; four prices in five "
    "lie inside them. Prices are in ETH, which every market states. Primary sales, which go at face value, are not "
    "priced, nor is a sale before which nothing was known. Days that the model has learned from are not scored.",
    source=Source.MODEL,
    key=("transaction_id",),
    time="occurred_at",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("transaction_id", ColumnType.TEXT, "Sale that was priced."),
        Column("occurred_at", ColumnType.TIMESTAMP, "Time of the sale.", unit="UTC"),
        Column("event_id", ColumnType.TEXT, "Event of the ticket; null without the platform's tickets.", required=False),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the token.", required=False),
        Column("token_id", ColumnType.UINT256, "Token that was sold."),
        Column("price_eth", ColumnType.NUMBER, "Price paid.", unit="ETH"),
        Column("fair_price_eth", ColumnType.NUMBER, "Price that half of such sales stay below.", unit="ETH"),
        Column("low_eth", ColumnType.NUMBER, "Price that one in ten of such sales stays below.", unit="ETH"),
        Column("high_eth", ColumnType.NUMBER, "Price that one in ten of such sales goes above.", unit="ETH"),
        Column("linear_price_eth", ColumnType.NUMBER, "Price by the linear regression.", unit="ETH"),
        Column(
            "earlier_price_eth",
            ColumnType.NUMBER,
            "Median price of the event's sales of the 30 days before, or of the contract's; face value before the first.",
            unit="ETH",
            required=False,
        ),
        Column("earlier_resales", ColumnType.INTEGER, "Resales of the event, or of the contract, in the 30 days before."),
        Column("deviation_ratio", ColumnType.NUMBER, "Price paid against the fair price.", unit="ratio"),
        Column("is_outside", ColumnType.BOOLEAN, "Whether the price lies below the lower or above the upper bound."),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was priced.", unit="UTC"),
        Column("model_version", ColumnType.TEXT, "Model that priced."),
    ),
    extra_rules=(
        Rule("prices_positive", InRange("fair_price_eth", 0), "a price is negative"),
        Rule(
            "bounds_in_order",
            Holds("low_eth <= fair_price_eth AND fair_price_eth <= high_eth"),
            "the fair price lies outside its own bounds",
        ),
    ),
)
