"""How demand is learned: tickets sold of each market and day, with the calendar of its event."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.day_numbers import day_number
from ticketintel_pipelines.learning.assessment import Learnt
from ticketintel_pipelines.learning.columns import floats_of
from ticketintel_pipelines.learning.examples import DAY, Integers
from ticketintel_pipelines.learning.forecasting.boosted import FittedCounts
from ticketintel_pipelines.learning.forecasting.judging import assess
from ticketintel_pipelines.learning.forecasting.model import fit, forecast, newest, split
from ticketintel_pipelines.learning.forecasting.series import OPEN, UNKNOWN, Counts, last_week, rows_of
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.queries import QUERIES

FACTS = ("face_value_usd", "on_sale_hour", "start_hour")


def learn(window: Window, seed: int) -> Learnt:
    """Fit and judge the seasonal model; raises `TooFewExamplesError` where the history is too short."""
    counts, _ = counted(window)
    first = day_number(window.days.first)
    parts = split(counts, first)
    assessment = assess(fit(counts, parts.fitted, parts.calibrated, seed), counts, parts, "tickets")
    fitted, calibrated = newest(counts, first)
    return Learnt(fit(counts, fitted, calibrated, seed).dump(), assessment, len(fitted) + len(calibrated))


def score(files: Mapping[str, bytes], window: Window) -> pa.Table:
    """Rows of `demand_forecasts` made at the end of each of the window's days."""
    counts, markets = counted(window)
    made = np.arange(day_number(window.days.first), day_number(window.days.last) + 1)
    rows = rows_of(counts, made)
    said = forecast(FittedCounts.load(files), counts, rows)
    return pa.table(
        {
            "day": _instants(rows.made),
            "market": pa.array(counts.names[rows.series].tolist(), pa.string()),
            **{name: markets[name].take(pa.array(rows.series)) for name in ("event_id", "contract_address")},
            "horizon_days": pa.array(rows.ahead, pa.int64()),
            "for_day": _instants(rows.day),
            "expected_sales": said.expected,
            "low_sales": said.low,
            "high_sales": said.high,
            "linear_sales": said.linear,
            "trend_per_day": said.slope,
            "last_week_sales": last_week(counts, rows),
        }
    )


def counted(window: Window) -> tuple[Counts, pa.Table]:
    """Tickets sold of each market and day of the window's reach, and event and contract of each market.

    A market is an event from its announcement to its start, or a contract of tokens without events, which is always open.
    """
    sales, events = window.rows(QUERIES / "market_trend_sales.sql"), window.rows(QUERIES / "market_trend_events.sql")
    start = day_number(window.reach.first)
    days = (window.reach.last - window.reach.first).days + 1
    announced = _day_numbers(events, "known_on") < start + days
    events = events.filter(pa.array(announced))
    of_events = events["event_id"].to_pylist()
    # What sells without being an event of the platform has no calendar.
    others = sales.filter(pc.invert(pc.is_in(sales["market"], value_set=events["event_id"].combine_chunks())))
    contracts: dict[str, tuple[str | None, str | None]] = dict(
        zip(
            others["market"].to_pylist(),
            zip(others["event_id"].to_pylist(), others["contract_address"].to_pylist(), strict=True),
            strict=True,
        )
    )
    names = [*of_events, *contracts]
    place = {name: number for number, name in enumerate(names)}
    row = np.array([place[name] for name in sales["market"].to_pylist()], np.int64)
    column = _day_numbers(sales, "day") - start
    sold, taken = np.zeros((len(names), days)), np.zeros((len(names), days))
    sold[row, column], taken[row, column] = floats_of(sales["sold"]), floats_of(sales["primary_sold"])
    more = len(contracts)
    unlimited = np.full(more, np.nan)
    counts = Counts(
        names=np.array(names, dtype=object),
        start=start,
        counts=sold,
        taken=taken,
        known=np.concatenate([_day_numbers(events, "known_on"), np.full(more, UNKNOWN)]),
        first=np.concatenate([_day_numbers(events, "first_day"), np.full(more, UNKNOWN)]),
        last=np.concatenate([_day_numbers(events, "last_day"), np.full(more, OPEN)]),
        limit=np.concatenate([floats_of(events["capacity"]), unlimited]),
        facts=np.column_stack([np.concatenate([floats_of(events[name]), unlimited]) for name in FACTS]),
        fact_names=FACTS,
    )
    event_ids = [*of_events, *(event for event, _ in contracts.values())]
    addresses = [*events["contract_address"].to_pylist(), *(address for _, address in contracts.values())]
    markets = pa.table({"event_id": pa.array(event_ids, pa.string()), "contract_address": pa.array(addresses, pa.string())})
    return counts, markets


def _day_numbers(rows: pa.Table, name: str) -> Integers:
    return np.asarray(rows[name].cast(pa.date32()).cast(pa.int32()).to_numpy(), np.int64)


def _instants(days: Integers) -> pa.Array:
    return pa.array(days * DAY, pa.timestamp("us", tz="UTC")) if len(days) else pa.array([], pa.timestamp("us", tz="UTC"))
