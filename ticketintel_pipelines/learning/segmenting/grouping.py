"""A grouping of rows: so many clusters over some traits, with ids that stay and names made of words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.examples import Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.segmenting.clusters import Clusters, fit_clusters, match
from ticketintel_pipelines.learning.segmenting.describing import describe
from ticketintel_pipelines.learning.segmenting.scaling import Scaler, Trait, fit_scaler, raise_all, telling

LEAST_ROWS = 20
"""For each cluster."""


@dataclass(frozen=True)
class Grouping:
    """`number` clusters over `traits`. Ids are `letter` and a number; at first they rise with the first trait."""

    name: str
    letter: str
    number: int
    traits: tuple[Trait, ...]


@dataclass(frozen=True)
class Grouped:
    """A fitted grouping. `traits` are those that tell rows apart; `clusters.centres` (k, m) are scaled and in order of ids.

    `moved` (k,) is how far each went since the last fit, in its standard deviations; empty at first.
    """

    grouping: Grouping
    traits: tuple[Trait, ...]
    scaler: Scaler
    clusters: Clusters
    names: tuple[str, ...]
    moved: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(f"{self.grouping.letter}{number + 1}" for number in range(len(self.clusters.centres)))

    def scaled(self, columns: Mapping[str, Floats]) -> Floats:
        """Rows (n, m) in standard deviations, of the values of each trait by name."""
        return self.scaler.scaled(raise_all(self.traits, stacked(self.traits, columns)))

    def assign(self, columns: Mapping[str, Floats]) -> tuple[Integers, Floats]:
        """The place of each row's cluster (n,), and the distance to its centre in standard deviations."""
        return self.clusters.assign(self.scaled(columns))

    def state(self) -> dict[str, Any]:
        """What a file keeps of it."""
        return {
            "traits": [list(trait.scale) for trait in self.traits],
            "mean": self.scaler.mean.tolist(),
            "spread": self.scaler.spread.tolist(),
            "centres": self.clusters.centres.tolist(),
            "inertia": self.clusters.inertia,
            "names": list(self.names),
            "moved": self.moved.tolist(),
        }


def from_state(grouping: Grouping, state: Mapping[str, Any]) -> Grouped:
    """A fitted grouping of what was kept of it; its traits are those it was fitted with, on the scales of that time."""
    words = {trait.name: trait for trait in grouping.traits}
    traits = [
        replace(words.get(name, Trait(name, "", "")), logarithmic=logarithmic, offset=offset, missing=missing)
        for name, logarithmic, offset, missing in state["traits"]
    ]
    return Grouped(
        grouping,
        tuple(traits),
        Scaler(np.array(state["mean"]), np.array(state["spread"])),
        Clusters(np.array(state["centres"]), float(state["inertia"])),
        tuple(state["names"]),
        np.array(state["moved"], dtype=np.float64),
    )


def stacked(traits: Sequence[Trait], columns: Mapping[str, Floats]) -> Floats:
    """The values of some traits as columns (n, m)."""
    return np.column_stack([columns[trait.name] for trait in traits])


def fit_grouping(grouping: Grouping, columns: Mapping[str, Floats], seed: int, last: Grouped | None = None) -> Grouped:
    """Fit to n rows, the values of each trait by name.

    With the last fit, clusters start from it and take its ids: centres are matched in its scaled space, over the traits that
    both have on the same scale. A last fit of another number of clusters is left aside.

    Raises:
        TooFewExamplesError: there are too few rows, or all are alike.
    """
    rows, least = len(columns[grouping.traits[0].name]), LEAST_ROWS * grouping.number
    if rows < least:
        raise TooFewExamplesError(f"{rows} rows are too few for {grouping.number} groups; {least} are needed")
    traits = tuple(grouping.traits[place] for place in telling(grouping.traits, stacked(grouping.traits, columns)))
    if not traits:
        raise TooFewExamplesError(f"all {rows} rows have the same traits: there is nothing to group them by")
    raised = raise_all(traits, stacked(traits, columns))
    scaler = fit_scaler(raised)
    scaled = scaler.scaled(raised)
    if len(np.unique(scaled, axis=0)) < grouping.number:
        raise TooFewExamplesError(f"the {rows} rows have fewer than {grouping.number} different descriptions")
    if last is not None and len(last.clusters.centres) != grouping.number:
        last = None
    start = None
    if last is not None and _scales(last.traits) == _scales(traits):
        start = scaler.scaled(last.scaler.raised(last.clusters.centres))
    clusters = fit_clusters(scaled, grouping.number, seed, start)
    order, moved = _order(traits, scaler, clusters, last)
    centres = clusters.centres[order]
    return Grouped(grouping, traits, scaler, Clusters(centres, clusters.inertia), tuple(describe(traits, centres)), moved)


def _scales(traits: Sequence[Trait]) -> list[tuple[str, bool, float, float | None]]:
    return [trait.scale for trait in traits]


def _order(traits: Sequence[Trait], scaler: Scaler, clusters: Clusters, last: Grouped | None) -> tuple[Integers, Floats]:
    """The clusters in order of their ids, and how far each moved."""
    shared = [] if last is None else [scale for scale in _scales(traits) if scale in _scales(last.traits)]
    if last is None or not shared:
        return np.lexsort(clusters.centres.T[::-1]), np.zeros(0)
    new = [_scales(traits).index(scale) for scale in shared]
    old = [_scales(last.traits).index(scale) for scale in shared]
    there = (scaler.raised(clusters.centres)[:, new] - last.scaler.mean[old]) / last.scaler.spread[old]
    before = last.clusters.centres[:, old]
    place = match(there, before)
    order = np.argsort(place)
    return order, np.sqrt(((there[order] - before) ** 2).sum(axis=1))


def changed_meaning(grouped: Grouped, last: Grouped) -> list[str]:
    """The ids whose centre moved further than half the way to its nearest neighbour: the id stays, its meaning may not."""
    if not len(grouped.moved):
        return []
    centres = last.clusters.centres
    apart = np.sqrt(((centres[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2))
    np.fill_diagonal(apart, math.inf)
    return [name for name, moved, near in zip(grouped.ids, grouped.moved, apart.min(axis=1), strict=True) if moved > near / 2]


@dataclass(frozen=True)
class Quantiles:
    """The plain way: equal shares of rows by one trait."""

    cuts: Floats

    def assign(self, values: Floats) -> Integers:
        return np.searchsorted(self.cuts, values, side="right").astype(np.int64)


def fit_quantiles(values: Floats, number: int) -> Quantiles:
    """Cut values (n,) into so many equal shares; of tied cuts some shares stay empty."""
    return Quantiles(np.quantile(values, np.arange(1, number) / number))
