-- Tickets that events will sell on the days to come.

CREATE TABLE ticketing.demand_forecasts (
    day              timestamp with time zone NOT NULL,
    market           text NOT NULL,
    event_id         text,
    contract_address text,
    horizon_days     bigint NOT NULL,
    for_day          timestamp with time zone NOT NULL,
    expected_sales   double precision NOT NULL,
    low_sales        double precision NOT NULL,
    high_sales       double precision NOT NULL,
    linear_sales     double precision NOT NULL,
    trend_per_day    double precision NOT NULL,
    last_week_sales  double precision NOT NULL,
    scored_at        timestamp with time zone NOT NULL,
    model_version    text NOT NULL,
    PRIMARY KEY (day, market, horizon_days)
) PARTITION BY RANGE (day);
CREATE INDEX demand_forecasts_by_time ON ticketing.demand_forecasts USING brin (day);
