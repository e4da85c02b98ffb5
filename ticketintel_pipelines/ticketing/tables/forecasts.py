"""What the market trend model writes about the days to come."""

from ticketintel_pipelines.contract import Column, ColumnType, Holds, InRange, RetentionClass, Rule, Source, Table

DEMAND_FORECASTS = Table(
    name="demand_forecasts",
    grain="one market, one day on which its demand was forecast, one number of days ahead",
    description="How many tickets each event will sell on each of the next seven days, as it was forecast at the end of each "
    "day, from the opening of the sale to the start of the event. Where tokens have no events, the market is their contract.",
    source=Source.MODEL,
    key=("day", "market", "horizon_days"),
    time="day",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("day", ColumnType.TIMESTAMP, "First instant of the day at whose end the forecast was made.", unit="UTC"),
        Column("market", ColumnType.TEXT, "Event, or contract where there are no events."),
        Column("event_id", ColumnType.TEXT, "Event; null without the platform's events.", required=False),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the tickets.", required=False),
        Column("horizon_days", ColumnType.INTEGER, "Days from the day of the forecast to the day forecast.", unit="days"),
        Column("for_day", ColumnType.TIMESTAMP, "First instant of the day that is forecast.", unit="UTC"),
        Column("expected_sales", ColumnType.NUMBER, "Tickets that will be sold, resales among them.", unit="tickets"),
        Column("low_sales", ColumnType.NUMBER, "One day in ten sells less.", unit="tickets"),
        Column("high_sales", ColumnType.NUMBER, "One day in ten sells more.", unit="tickets"),
        Column(
            "linear_sales",
            ColumnType.NUMBER,
            "Forecast by the straight line through the last fourteen days on sale; 0 before the first.",
            unit="tickets",
        ),
        Column("trend_per_day", ColumnType.NUMBER, "Slope of that line.", unit="tickets a day"),
        Column(
            "last_week_sales",
            ColumnType.NUMBER,
            "Tickets sold on the same day of the week before; 0 where it was not on sale.",
            unit="tickets",
        ),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was written.", unit="UTC"),
        Column("model_version", ColumnType.TEXT, "Model that forecast."),
    ),
    extra_rules=(
        Rule("horizon_range", InRange("horizon_days", 1, 7), "no forecast goes so far"),
        Rule(
            "bounds_in_order",
            Holds("0 <= low_sales AND low_sales <= expected_sales AND expected_sales <= high_sales"),
            "the forecast lies outside its own bounds",
        ),
    ),
)
