"""How a resale's fair price is learned: what was known before the sale, counted from the price level of its event."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.learning.assessment import Learnt
from ticketintel_pipelines.learning.columns import floats_of
from ticketintel_pipelines.learning.examples import DAY, Floats, Texts
from ticketintel_pipelines.learning.pricing.judging import assess
from ticketintel_pipelines.learning.pricing.model import FairPrice, fit, fit_newest, split
from ticketintel_pipelines.learning.pricing.sales import Sales
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.fair_price import REACH_DAYS, USUAL
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables.chain import MARKETPLACES

PRICES = (
    "face",
    "market_price",
    "resale_price",
    "resale_price_1d",
    "resale_price_7d",
    "resale_low_7d",
    "resale_high_7d",
    "tier_price",
    "token_price",
)
"""Counted from the level, so that they mean the same in dear and in cheap markets."""
RATIOS = (
    "resale_mark_up",
    "resale_mark_up_1d",
    "all_mark_up_7d",
    "token_premium",
    "event_popularity_score",
    "event_transactions_per_seat",
)
COUNTS = ("minutes_since_on_sale", "hours_to_event", "token_hours", "resales_1d", "resales", "capacity")
"""Spans and counts, taken as logarithms of one more: from 1 to 2 is as far as from 100 to 200."""
TIERS = ("standard", "premium", "vip")
CATEGORIES = ("concert", "sport", "festival", "theatre", "comedy", "conference")
KINDS = {"marketplace": MARKETPLACES, "tier": TIERS, "category": CATEGORIES}
NAMES = (*PRICES, *RATIOS, *COUNTS, *(f"{column}: {value}" for column, values in KINDS.items() for value in values))

LEVEL = "level: face value times the event's usual mark-up"
CLOSENESS = {"a day or less": 24.0, "two to seven days": 168.0}
"""Hours to the event, at most."""


def learn(window: Window, seed: int) -> Learnt:
    """Fit and judge both regressions; raises `TooFewExamplesError` where there are too few resales."""
    _, sales = priced(window)
    parts = split(sales)
    judged = fit(parts.fitted, parts.calibrated, seed)
    assessment = assess(judged, parts, USUAL, LEVEL, "ETH")
    return Learnt(fit_newest(sales, seed).dump(), assessment, len(sales))


def score(files: Mapping[str, bytes], window: Window) -> pa.Table:
    """Rows of `fair_prices` for the resales of the window's days."""
    rows, sales = priced(window)
    said = FairPrice.load(files).predict(sales.features, sales.level)
    paid = floats_of(rows["price_eth"])
    low, fair, high = np.exp(said.low), np.exp(said.fair), np.exp(said.high)
    return pa.table(
        {
            **{name: rows[name] for name in ("transaction_id", "occurred_at", "event_id", "contract_address", "token_id")},
            "price_eth": paid,
            "fair_price_eth": fair,
            "low_eth": low,
            "high_eth": high,
            "linear_price_eth": np.exp(said.linear),
            "earlier_price_eth": pa.array(np.exp(sales.usual), from_pandas=True),
            "earlier_resales": pc.cast(rows["resales"], pa.int64()),
            "deviation_ratio": paid / fair,
            "is_outside": (paid < low) | (paid > high),
        }
    )


def priced(window: Window) -> tuple[pa.Table, Sales]:
    """The resales of the window's days before which some price was known, as rows of the query and as the model sees them."""
    rows = window.rows(QUERIES / "fair_price_sales.sql", reach=REACH_DAYS * DAY)
    rows = rows.filter(pa.array(np.isfinite(known_level(rows))))
    return rows, sales_of(rows)


def known_level(rows: pa.Table) -> Floats:
    """The price level known before each sale (n,), logarithm of ETH; NaN where there is none.

    Face value times the usual mark-up of the event's resales, else that of all resales of the week, else none. Without a face
    value, the median resale of the day before, of the week, of the month.
    """
    face, everywhere = floats_of(rows["face"]), floats_of(rows["all_mark_up_7d"])
    choices = (
        face + floats_of(rows["resale_mark_up"]),
        face + everywhere,
        face,
        *(floats_of(rows[name]) for name in ("resale_price_1d", "resale_price_7d", "resale_price", "market_price")),
    )
    return _first_known(choices)


def sales_of(rows: pa.Table) -> Sales:
    """Rows of the query, each with a known level, as sales."""
    level = known_level(rows)
    columns = [
        *(floats_of(rows[name]) - level for name in PRICES),
        *(floats_of(rows[name]) for name in RATIOS),
        *(np.log1p(np.maximum(floats_of(rows[name]), 0)) for name in COUNTS),
        *((_texts(rows, name) == value).astype(np.float64) for name, values in KINDS.items() for value in values),
    ]
    usual = _first_known((floats_of(rows["market_price"]), floats_of(rows["face"]), level))
    return Sales(
        NAMES,
        np.column_stack(columns) if len(rows) else np.empty((0, len(NAMES))),
        floats_of(rows["price"]),
        level,
        usual,
        np.asarray(pc.cast(rows["occurred_at"], pa.int64()).to_numpy()) // DAY,
        _texts(rows, "market"),
        _slices(rows),
    )


def _slices(rows: pa.Table) -> dict[str, Texts]:
    hours, resales = floats_of(rows["hours_to_event"]), floats_of(rows["resales"])
    close = np.full(len(rows), "over seven days", dtype=object)
    for words, most in reversed(CLOSENESS.items()):
        close[hours <= most] = words
    close[np.isnan(hours)] = "no event"
    steps = np.array(["none", "1 to 9", "10 to 99", "100 or more"], dtype=object)
    return {
        **{name: _texts(rows, name) for name in ("marketplace", "category", "tier")},
        "time to the event": close,
        "earlier resales": steps[np.digitize(resales, [1, 10, 100])],
    }


def _first_known(choices: tuple[Floats, ...]) -> Floats:
    found = choices[0]
    for other in choices[1:]:
        found = np.where(np.isnan(found), other, found)
    return found


def _texts(rows: pa.Table, name: str) -> Texts:
    return np.array(pc.fill_null(pc.cast(rows[name], pa.string()), "none").to_pylist(), dtype=object)
