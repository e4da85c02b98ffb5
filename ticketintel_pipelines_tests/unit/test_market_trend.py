"""Demand of the next seven days: within the calendar of each event, known at the end of the day, with or without events."""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ticketintel_pipelines.learning.assessment import Learnt
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.forecasting.series import REACH
from ticketintel_pipelines.ticketing.models.market_trend import MARKET_TREND
from ticketintel_pipelines_tests.small_market import instant, seen, small_market, without_events

LAST = 43


@pytest.fixture(scope="module")
def market() -> dict[str, pa.Table]:
    return small_market()


@pytest.fixture(scope="module")
def learnt(market: dict[str, pa.Table]) -> Learnt:
    return MARKET_TREND.learn(seen(market, 0, LAST, REACH), 1)


def scored(learnt: Learnt, tables: Mapping[str, pa.Table], first: int, last: int) -> pa.Table:
    return MARKET_TREND.score(learnt.files, seen(tables, first, last, REACH))


def test_forecasts_lie_between_the_opening_of_the_sale_and_the_start(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    rows = scored(learnt, market, 20, 26).to_pandas()
    events = market["events"].to_pandas().set_index("event_id").loc[rows.event_id]
    assert len(rows) and set(rows.horizon_days) == set(range(1, 8))
    assert (rows.for_day.to_numpy() >= events.on_sale_at.dt.floor("D").to_numpy()).all()
    assert (rows.for_day.to_numpy() <= events.starts_at.dt.floor("D").to_numpy()).all()
    assert (rows.day.to_numpy() >= events.created_at.dt.floor("D").to_numpy()).all()
    assert ((rows.for_day - rows.day).dt.days == rows.horizon_days).all()
    assert (rows.low_sales <= rows.expected_sales).all() and (rows.expected_sales <= rows.high_sales).all()


def test_rows_have_the_columns_and_types_of_the_table(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    window = seen(market, LAST, LAST, REACH)
    window.engine.register("rows", MARKET_TREND.score(learnt.files, window))
    types = {name: kind for name, kind, *_ in window.engine.execute("DESCRIBE rows").fetchall()}
    types = {name: kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") for name, kind in types.items()}
    asked = {column.name: column.type.duckdb for column in MARKET_TREND.table.columns}
    assert types == {name: kind for name, kind in asked.items() if name not in ("scored_at", "model_version")}


def test_the_model_beats_last_weeks_same_day(learnt: Learnt) -> None:
    first = learnt.assessment.comparisons[0]
    assert first.baseline == MARKET_TREND.baseline and first.beats


def test_files_are_equal_for_equal_data(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    assert MARKET_TREND.learn(seen(market, 0, LAST, REACH), 1).files == learnt.files


def test_several_days_at_once_are_forecast_as_day_by_day(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    order = [("day", "ascending"), ("market", "ascending"), ("horizon_days", "ascending")]
    whole = scored(learnt, market, 36, LAST).sort_by(order)
    single = pa.concat_tables([scored(learnt, market, day, day) for day in range(36, LAST + 1)]).sort_by(order)
    assert whole.num_rows and whole.equals(single)


def test_later_sales_and_announcements_change_no_forecast(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    made = 30
    late = market["transactions"].filter(pc.greater_equal(market["transactions"]["occurred_at"], instant(made + 1)))
    news = market["events"].filter(pc.equal(market["events"]["event_id"], "e000"))
    news = news.set_column(0, "event_id", pa.array(["new"])).set_column(1, "created_at", pa.array([instant(made + 1)]))
    poisoned = {
        **market,
        "transactions": pa.concat_tables([market["transactions"], *[late] * 5]),
        "events": pa.concat_tables([market["events"], news.cast(market["events"].schema)]),
    }
    order = [("day", "ascending"), ("market", "ascending"), ("horizon_days", "ascending")]
    until = pa.scalar(instant(made), pa.timestamp("us", tz="UTC"))
    one, two = (
        rows.filter(pc.less_equal(rows["day"], until)).sort_by(order)
        for rows in (scored(learnt, market, 25, LAST), scored(learnt, poisoned, 25, LAST))
    )
    assert one.num_rows and one.equals(two)


def test_last_weeks_sales_are_those_of_the_same_weekday(learnt: Learnt, market: dict[str, pa.Table]) -> None:
    rows = scored(learnt, market, 30, 30).to_pandas()
    sales = market["transactions"].to_pandas()
    counts = sales.groupby(["event_id", sales.occurred_at.dt.floor("D")]).size()
    found = [counts.get((row.event_id, row.for_day - timedelta(days=7)), 0) for row in rows.itertuples()]
    np.testing.assert_array_equal(rows.last_week_sales, found)
    assert sum(found) > 0


def test_a_market_without_events_is_one_series_that_never_ends(market: dict[str, pa.Table]) -> None:
    tables = without_events(market)
    learnt = MARKET_TREND.learn(seen(tables, 0, LAST, REACH), 1)
    rows = scored(learnt, tables, LAST, LAST)
    assert rows["horizon_days"].to_pylist() == list(range(1, 8))
    assert rows["event_id"].null_count == 7 and set(rows["market"].to_pylist()) == {"0xcc"}


def test_a_short_history_is_refused(market: dict[str, pa.Table]) -> None:
    with pytest.raises(TooFewExamplesError, match="days with counts"):
        MARKET_TREND.learn(seen(market, 0, 12, REACH), 1)
