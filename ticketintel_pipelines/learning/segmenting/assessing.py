"""How good groups are on later days: how clear, how stable, and beside a plain split by one trait."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.assessment import Comparison, compare_means, compare_rankings
from ticketintel_pipelines.learning.examples import Floats, Integers
from ticketintel_pipelines.learning.segmenting.clusters import drawn_rows, fit_clusters
from ticketintel_pipelines.learning.segmenting.grouping import Grouped, Grouping, fit_grouping, fit_quantiles

JUDGED = 3_000
"""Rows whose silhouettes are taken: each needs its distances to all others."""
TRIED = range(2, 9)
TRIED_ROWS = 10_000
RESAMPLES = 300

Columns = Mapping[str, Floats]


@dataclass(frozen=True)
class Elbow:
    """For each number of clusters tried: mean silhouette on rows not fitted to, and sum of squared distances a row."""

    numbers: tuple[int, ...]
    silhouettes: tuple[float, ...]
    inertias: tuple[float, ...]

    @property
    def clearest(self) -> int:
        """The number with the highest silhouette, the smallest such."""
        return self.numbers[int(np.argmax(self.silhouettes))]

    @property
    def bend(self) -> int:
        """The number at the elbow: where the inertias lie furthest below the line between the first and the last."""
        inertias = np.array(self.inertias)
        line = np.linspace(inertias[0], inertias[-1], len(inertias))
        return self.numbers[int(np.argmax(line - inertias))]


def elbow(scaled: Floats, seed: int) -> Elbow:
    """Try numbers of clusters on scaled rows (n, m)."""
    rows = scaled[drawn_rows(len(scaled), TRIED_ROWS, seed)]
    half = np.random.default_rng(seed).random(len(rows)) < 0.5
    numbers = tuple(number for number in TRIED if number < len(np.unique(rows[half], axis=0)))
    silhouettes, inertias = [], []
    for number in numbers:
        clusters = fit_clusters(rows[half], number, seed)
        inertias.append(clusters.inertia / half.sum())
        held = rows[~half][:JUDGED]
        silhouettes.append(float(silhouette(held, clusters.assign(held)[0]).mean()))
    return Elbow(numbers, tuple(silhouettes), tuple(inertias))


def silhouette(scaled: Floats, groups: Integers) -> Floats:
    """How much nearer each row (n, m) is to its own group than to the next one, -1 to 1; 0 in a group of one, or only one."""
    from sklearn.metrics import silhouette_samples

    if not 2 <= len(np.unique(groups)) < len(groups):
        return np.zeros(len(groups))
    return np.asarray(silhouette_samples(scaled, groups), np.float64)


def clearness(earlier: Grouped, quantiles: Integers, later: Columns, seed: int) -> Comparison:
    """Silhouettes of later rows in groups of earlier ones, beside a split (n,) of the same rows by one trait."""
    scaled, (groups, _) = earlier.scaled(later), earlier.assign(later)
    rows = drawn_rows(len(scaled), JUDGED, seed)
    name, number = earlier.grouping.name, earlier.grouping.number
    return compare_means(
        f"silhouette of {number} {name}s",
        f"{number} equal shares by {earlier.grouping.traits[0].name}",
        f"{len(rows):,} of {len(scaled):,} rows of the later days, grouped by the earlier ones",
        silhouette(scaled[rows], groups[rows]),
        silhouette(scaled[rows], quantiles[rows]),
        np.arange(len(rows)),
    )


def agreement(grouping: Grouping, earlier: Columns, later: Columns, seed: int) -> Comparison:
    """How far groups of two halves of the earlier rows agree on the later rows: adjusted Rand index, 1 when they do."""
    value = grouping.traits[0].name
    half = np.random.default_rng(seed).random(len(earlier[value])) < 0.5
    ours, theirs = [], []
    for rows in (half, ~half):
        some = {name: values[rows] for name, values in earlier.items()}
        ours.append(fit_grouping(grouping, some, seed).assign(later)[0])
        theirs.append(fit_quantiles(some[value], grouping.number).assign(later[value]))

    def statistic(rows: Integers) -> tuple[float, float]:
        return rand_index(ours[0][rows], ours[1][rows]), rand_index(theirs[0][rows], theirs[1][rows])

    return compare_rankings(
        f"agreement of {grouping.number} {grouping.name}s learned on two halves (adjusted Rand)",
        f"{grouping.number} equal shares by {value}",
        f"{len(later[value]):,} rows of the later days",
        statistic,
        np.arange(len(later[value])),
        resamples=RESAMPLES,
    )


def rand_index(one: Integers, two: Integers) -> float:
    """Adjusted Rand index of two groupings of the same rows (n,): 1 when equal, about 0 by chance.

    Source: L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2, 1985.
    """
    table = np.bincount(one * (int(two.max()) + 1) + two, minlength=(int(one.max()) + 1) * (int(two.max()) + 1)).astype(
        np.float64
    )
    table = table.reshape(int(one.max()) + 1, int(two.max()) + 1)

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    whole = len(one) * (len(one) - 1) / 2
    if whole == 0:
        return float("nan")
    expected, most = rows * columns / whole, (rows + columns) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def staying(before: Grouped, after: Grouped, quantiles: tuple[Floats, Floats], night: tuple[Columns, Columns]) -> Comparison:
    """The share of rows that keep their id from one night to the next, of rows whose traits are the same on both.

    `night` are the same rows as they were on the first night and on the second; `quantiles` the cuts of either night.
    """
    one, two = night
    value = before.grouping.traits[0].name
    same = np.ones(len(one[value]), dtype=bool)
    for trait in before.grouping.traits:
        values, others = one[trait.name], two[trait.name]
        same &= (values == others) | (np.isnan(values) & np.isnan(others))
    first, second = ({name: values[same] for name, values in side.items()} for side in night)
    shares = [np.searchsorted(cuts, side[value], side="right") for cuts, side in zip(quantiles, (first, second), strict=True)]
    return compare_means(
        f"{before.grouping.name}s kept from one night to the next",
        f"{before.grouping.number} equal shares by {value}, cut anew",
        f"{int(same.sum()):,} rows that are described the same on both nights",
        (before.assign(first)[0] == after.assign(second)[0]).astype(np.float64),
        (shares[0] == shares[1]).astype(np.float64),
        np.arange(int(same.sum())),
    )
