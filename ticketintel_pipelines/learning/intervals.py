"""Figures with intervals, by resampling whole days: rows of one day share its events, its attackers and its mood.

Every figure is computed from sums over days (`DayCounts`), so that a thousand resamples of days are a few products of matrices
and the figure of the table itself is the resample in which each day counts once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ticketintel_pipelines.learning.examples import NO_ENTITY, Flags, Floats, Integers

RESAMPLES = 1_000
LEVEL = 0.95
RECALL = 0.9
"""At which precision is given."""
MOST_CELLS = 4_000_000
"""Resamples are worked through in parts whose matrices have at most so many cells."""


@dataclass(frozen=True)
class Measured:
    """A figure with the bounds of its 95 % interval, NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Difference(Measured):
    """A figure minus that of another scoring of the same rows, with the two-sided p-value of there being none."""

    p_value: float = float("nan")


@dataclass(frozen=True)
class DayCounts:
    """What one scoring of the rows of D days amounts to, day by day.

    J is the number of different scores of positives, the highest first. `positives` (D, J) have just that score, `above` (D, J)
    negatives score as high or higher, `tied` (D, J) of them just as high. `confusion` (D, 4) counts true and false positives,
    false and true negatives at the threshold; `squared` (D,) sums squared distances of score and label. `means` (D,) each are
    figures of a day of which the mean over days is the figure.
    """

    positives: Floats
    above: Floats
    tied: Floats
    confusion: Floats
    squared: Floats
    means: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def days(self) -> int:
        return len(self.squared)


def count_days(
    labels: Integers,
    scores: Floats,
    day: Integers,
    days: Integers,
    threshold: float,
    means: Mapping[str, Floats] | None = None,
) -> DayCounts:
    """Count n rows (labels, scores, day) by the D different `days`, in order, of which the intervals are made up."""
    place = np.searchsorted(days, day)
    positive = labels == 1
    levels = np.unique(scores[positive])[::-1]
    # The first level that a row reaches; rows below them all fall behind the last.
    first = len(levels) - np.searchsorted(levels[::-1], scores, side="right")
    reaches = first < len(levels)
    just = np.zeros(len(scores), dtype=bool)
    just[reaches] = scores[reaches] == levels[first[reaches]]

    def table(rows: Flags) -> Floats:
        cells = np.bincount(place[rows] * len(levels) + first[rows], minlength=len(days) * len(levels))
        return cells.reshape(len(days), len(levels)).astype(np.float64)

    def by_day(values: Floats | Flags) -> Floats:
        found: Floats = np.bincount(place, weights=values.astype(np.float64), minlength=len(days)).astype(np.float64)
        return found

    called = scores >= threshold
    confusion = [by_day(called & positive), by_day(called & ~positive), by_day(~called & positive), by_day(~called & ~positive)]
    return DayCounts(
        positives=table(positive),
        above=np.cumsum(table(~positive & reaches), axis=1),
        tied=table(~positive & just),
        confusion=np.column_stack(confusion),
        squared=by_day((scores - labels) ** 2),
        means=means or {},
    )


def figures(counts: DayCounts, weights: Floats) -> dict[str, Floats]:
    """Each figure by name, (K,), for K weightings of the days, (K, D); NaN where it is not defined."""
    size = max(1, MOST_CELLS // max(1, counts.positives.shape[1]))
    parts = [_ranking(counts, weights[start : start + size]) for start in range(0, len(weights), size)]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    hits, alarms, missed, passed = (weights @ counts.confusion).T
    with np.errstate(divide="ignore", invalid="ignore"):
        found |= {
            "precision": hits / (hits + alarms),
            "detection": hits / (hits + missed),
            "f1": 2 * hits / (2 * hits + alarms + missed),
            "false_positive_rate": alarms / (alarms + passed),
            "brier": weights @ counts.squared / (hits + alarms + missed + passed),
        }
        found |= {name: weights @ values / weights.sum(axis=1) for name, values in counts.means.items()}
    return found


def _ranking(counts: DayCounts, weights: Floats) -> dict[str, Floats]:
    found = weights @ counts.positives
    reached, above, tied = np.cumsum(found, axis=1), weights @ counts.above, weights @ counts.tied
    positives = found.sum(axis=1)
    negatives = (weights @ counts.confusion)[:, [1, 3]].sum(axis=1)
    precision = reached / np.maximum(reached + above, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        enough = reached / positives[:, None] >= RECALL
        at_recall = np.where(enough, precision, -1.0).max(axis=1, initial=-1.0)
        return {
            "auc_roc": 1 - (found * (above - tied / 2)).sum(axis=1) / (positives * negatives),
            "auc_pr": (found * precision).sum(axis=1) / positives,
            "precision_at_90_recall": np.where(at_recall < 0, np.nan, at_recall),
        }


def resampled_days(days: int, seed: int, resamples: int = RESAMPLES) -> Floats:
    """How often each of D days is drawn in each of K resamples, (K, D): D draws with replacement."""
    return np.random.default_rng(seed).multinomial(days, np.full(days, 1 / days), size=resamples).astype(np.float64)


def once(days: int) -> Floats:
    """The weights (1, D) of the table itself."""
    return np.ones((1, days))


def measured(value: float, resampled: Floats, days: int) -> Measured:
    """A figure with its interval from its resamples (K,)."""
    return Measured(value, *bounds(resampled, days))


def difference(value: float, resampled: Floats, days: int) -> Difference:
    """A difference with its interval and p-value from the differences on the same resamples (K,)."""
    from scipy.special import ndtri, stdtr

    kept = resampled[~np.isnan(resampled)]
    if days < 2 or not len(kept):
        return Difference(value)
    tail = min(0.5, (min(int((kept <= 0).sum()), int((kept >= 0).sum())) + 1) / (len(kept) + 1))
    # The way of `bounds` back, so that p is under 5 % where the interval excludes 0.
    p_value = 2 * float(stdtr(days - 1, ndtri(tail) * np.sqrt((days - 1) / days)))
    return Difference(value, *bounds(resampled, days), p_value=p_value)


def bounds(resampled: Floats, days: int) -> tuple[float, float]:
    """The 95 % interval of a figure from its resamples (K,); NaN where one day cannot tell, or nothing is defined.

    Percentiles, taken further out the fewer days there are: plain ones are too narrow by the factor √((D−1)/D) and know nothing
    of Student's t. Where most positives come on a few of the days, they still hold the true value less often than they say.
    Source: Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69, 2015.
    """
    from scipy.special import ndtr, stdtrit

    kept = resampled[~np.isnan(resampled)]
    if days < 2 or not len(kept):
        return float("nan"), float("nan")
    tail = float(ndtr(np.sqrt(days / (days - 1)) * stdtrit(days - 1, (1 - LEVEL) / 2)))
    low, high = np.quantile(kept, [tail, 1 - tail])
    return float(low), float(high)


def entities_found(labels: Integers, scores: Floats, entity: Integers, day: Integers, days: Integers, top: int) -> Integers:
    """On each of D days, how many bad entities are among the `top` of highest score; see `metrics.card_precision`.

    Rows without an entity are passed over.
    """
    found: set[int] = set()
    hits = np.zeros(len(days), dtype=np.int64)
    order = np.lexsort((-scores, day))
    order = order[entity[order] != NO_ENTITY]
    begin, end = np.searchsorted(day[order], days), np.searchsorted(day[order], days, side="right")
    for number, (start, past) in enumerate(zip(begin, end, strict=True)):
        rows = order[start:past]
        rows = rows[~np.isin(entity[rows], list(found))]
        shown, firsts = np.unique(entity[rows], return_index=True)
        listed = shown[np.argsort(firsts)[:top]]
        today = np.intersect1d(listed, entity[rows][labels[rows] == 1])
        hits[number] = len(today)
        found.update(today.tolist())
    return hits
