"""Daily counts of many series, and the rows of a forecast: a series, the day on which it is made, and a day to come.

Everything known of a row was known at the end of the day on which it is made, and reaches back at most `REACH` days, so that
forecasts of several days made at once are those made day by day.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.examples import Floats, Integers, Texts

WEEK = 7
HORIZONS = 7
"""Days ahead."""
REACH = 56
"""Days before the day of the forecast that it may look back on, that day among them."""
OPEN = np.iinfo(np.int32).max
"""The last day of a series that has none."""
UNKNOWN = -OPEN
"""The first day of a series of which it is not known."""


@dataclass(frozen=True)
class Counts:
    """S series over D days. Days are numbers since 1970 UTC.

    `counts` (S, D) is what was counted on each day from `start` on, `taken` (S, D) the part of it that came out of the
    series' `limit` (S,), NaN where it has none. It counts from `first` (S,) to `last` (S,), both included, and is known from
    `known` (S,) on. `facts` (S, k), named, do not change.
    """

    names: Texts
    start: int
    counts: Floats
    taken: Floats
    known: Integers
    first: Integers
    last: Integers
    limit: Floats
    facts: Floats
    fact_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where shapes differ."""
        if self.counts.shape != self.taken.shape or len(self.counts) != len(self.names):
            raise ValueError("counts and taken have other shapes than names")
        if self.facts.shape != (len(self.names), len(self.fact_names)):
            raise ValueError(f"facts have shape {self.facts.shape}, {len(self.fact_names)} are named")

    @property
    def days(self) -> Integers:
        """The days counted (D,)."""
        return self.start + np.arange(self.counts.shape[1])


@dataclass(frozen=True)
class Rows:
    """n rows: the place of the series, the day on which it is made, how many days ahead."""

    series: Integers
    made: Integers
    ahead: Integers

    def __len__(self) -> int:
        return len(self.series)

    @property
    def day(self) -> Integers:
        """The day that is forecast (n,)."""
        return self.made + self.ahead

    def take(self, rows: NDArray[np.bool_]) -> "Rows":
        return Rows(self.series[rows], self.made[rows], self.ahead[rows])


def rows_of(counts: Counts, made: Integers) -> Rows:
    """What can be forecast on some days: each series known by then, for the days ahead on which it is open.

    A series whose first day is unknown is forecast while it has counted anything in the days reached.
    """
    series, day, ahead = (
        axis.ravel() for axis in np.meshgrid(np.arange(len(counts.names)), made, np.arange(1, HORIZONS + 1), indexing="ij")
    )
    target = day + ahead
    open_then = (counts.known[series] <= day) & (counts.first[series] <= target) & (target <= counts.last[series])
    rows = Rows(series, day, ahead).take(open_then)
    counted = trailing(counts.counts, rows.made - counts.start, rows.series, REACH)
    return rows.take((counts.first[rows.series] != UNKNOWN) | (counted > 0))


def actual(counts: Counts, rows: Rows) -> Floats:
    """What was counted on the days forecast (n,); NaN for days that have not been counted yet."""
    return counted_on(counts, rows.series, rows.day)


def counted_on(counts: Counts, series: Integers, day: Integers) -> Floats:
    """The count of each series on each day (n,); NaN outside of the days counted and of those on which it is open."""
    place = day - counts.start
    within = (place >= 0) & (place < counts.counts.shape[1])
    within &= (day >= counts.first[series]) & (day <= counts.last[series])
    found = np.full(len(series), np.nan)
    found[within] = counts.counts[series[within], place[within]]
    return found


def trailing(values: Floats, place: Integers, series: Integers, days: int) -> Floats:
    """Sums of values (S, D) over the `days` columns that end with `place`, of each row's series, (n,)."""
    running = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    end = np.clip(place + 1, 0, values.shape[1])
    found: Floats = running[series, end] - running[series, np.clip(place + 1 - days, 0, values.shape[1])]
    return found


def last_week(counts: Counts, rows: Rows) -> Floats:
    """The naive forecast (n,): what the same day of the week before counted, 0 where the series was not open."""
    return np.nan_to_num(counted_on(counts, rows.series, rows.day - WEEK))
