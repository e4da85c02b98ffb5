"""Choose a band for each family of streams: the length that finds most planted anomalies at a fixed rate of false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ticketintel_pipelines.learning.bands.judging import Band, judge
from ticketintel_pipelines.learning.bands.planting import Planted, plant
from ticketintel_pipelines.learning.bands.streams import Family, Streams
from ticketintel_pipelines.learning.examples import Floats, Integers

FALSE_ALARMS = 0.01
"""The share of values as they came that may be called anomalies. Some are: this bounds what people are asked to look at."""
LEAST_PLANTED = 10
ENOUGH = 2_000
"""Values of a family that anomalies are planted among, if need be in several rounds."""
NARROWEST = 2.0
"""Standard deviations, as in Bollinger's book: what a few calm values would let be narrower is not trusted."""
WIDEST = 1_000.0
"""Standard deviations; a family whose every other value is off a flat stream would ask for infinitely many."""


@dataclass(frozen=True)
class Choice:
    """The band of a family; `tried` are those tried with their recall, on `planted` anomalies among `values` of all rounds."""

    family: Family
    band: Band
    tried: tuple[tuple[Band, float], ...]
    planted: int
    values: int

    @property
    def recall(self) -> float:
        """Of the chosen band; NaN where there was too little to choose by."""
        return max((recall for _, recall in self.tried), default=float("nan"))


def choose(streams: Streams, families: Sequence[Family], whole_numbers: frozenset[str], seed: int) -> tuple[Choice, ...]:
    """Choose the band of each family that has a row in the streams, with anomalies planted into them.

    The width follows from the rest: that which calls `FALSE_ALARMS` of the values that nobody planted, and no less than
    `NARROWEST`. Of bands with equal recall the plainest is taken; with few planted anomalies the length is the classic one.
    """
    return tuple(
        _choose(plant(here, np.ones(len(here), bool), whole_numbers, seed, ENOUGH), family)
        for family in families
        for here in (streams.take(streams.family == family.name),)
        if len(here)
    )


def _choose(planted: Planted, family: Family) -> Choice:
    streams, usable, anomalous = planted.streams, planted.usable, planted.anomalous
    enough = int(anomalous.sum()) >= LEAST_PLANTED
    tried: list[tuple[Band, float]] = []
    best: tuple[float, Band] | None = None
    for band in family.bands if enough else (family.classic,):
        deviation = judge(streams.stream, streams.at, streams.values, band).deviation
        cut = cut_at(deviation[usable & ~np.isnan(deviation) & ~anomalous])
        cut = max(cut, NARROWEST)
        recall = float((deviation[anomalous] > cut).mean()) if enough else 0.0
        tried.append((replace(band, sigmas=cut), recall))
        if best is None or recall > best[0]:
            best = (recall, tried[-1][0])
    assert best is not None
    return Choice(family, best[1], tuple(tried) if enough else (), int(anomalous.sum()), int(usable.sum()))


def cut_at(deviation: Floats, share: float = FALSE_ALARMS) -> float:
    """The deviation that at most this share of these (n,) lies above, and the next lower one does not keep; 0 to `WIDEST`."""
    if not len(deviation):
        return NARROWEST
    cut = float(np.quantile(deviation, 1 - share, method="higher"))
    return min(max(cut, np.finfo(np.float64).tiny), WIDEST)


@dataclass(frozen=True)
class Fixed:
    """A fixed threshold for each stream: mean and standard deviation of all its values, those of its family where it has
    fewer than `least`.
    """

    mean: Floats
    spread: Floats

    def deviation(self, values: Floats, row: Integers) -> Floats:
        """How many deviations values (k,) are away, each for one of the rows."""
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(values - self.mean[row])
            return np.where(distance == 0, 0.0, distance / self.spread[row])


def fixed_thresholds(earlier: Streams, rows: Streams, families: Sequence[Family]) -> Fixed:
    """What the earlier slots say of each of n rows, with the same floors as the families' bands."""
    mean, spread = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for family in families:
        past = (earlier.family == family.name) & ~np.isnan(earlier.values)
        here = np.flatnonzero(rows.family == family.name)
        if not past.any() or not len(here):
            continue
        values = earlier.values[past]
        names, place = np.unique(earlier.stream[past], return_inverse=True)
        count = np.bincount(place)
        means = np.bincount(place, values) / count
        spreads = np.sqrt(np.bincount(place, (values - means[place]) ** 2) / count)
        at = np.minimum(np.searchsorted(names, rows.stream[here]), len(names) - 1)
        own = (names[at] == rows.stream[here]) & (count[at] >= family.least)
        mean[here] = np.where(own, means[at], values.mean())
        spread[here] = np.where(own, spreads[at], values.std())
        spread[here] = np.maximum(spread[here], np.maximum(family.least_spread, family.least_share * np.abs(mean[here])))
    return Fixed(mean, spread)
