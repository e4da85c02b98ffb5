"""Has the population changed that a model scores? Measured for each feature and for the score, decided for all together.

The decision is a permutation test at the day's own number of rows (`drift_permutation`), because a fixed threshold on a
divergence is none: with nothing changed, KL > 0.15 over twenty bins fires on most days of fifty rows and on none of two
thousand. What the specification (KL > 0.15) and the escrow (mean shifted by over 20 %) ask for is reported beside it.

The rows are taken as independent draws. Where they come in clusters, or one day is unlike the next for reasons of the calendar,
that is a difference of populations and is found as such: the reference has to span the days that count as usual.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.drift_permutation import KINDS, SHAPE, Thresholds, permute
from ticketintel_pipelines.learning.drift_reference import (
    NULL,
    Bins,
    Matrix,
    Reference,
    as_columns,
    build_reference,
    count_codes,
    group_codes,
    in_own_order,
    moments_of,
)
from ticketintel_pipelines.learning.examples import Features, Floats, Integers

__all__ = ["ColumnDrift", "Drift", "Reference", "build_reference", "measure_drift"]

LEVEL = 0.003
"""Family-wise false alarms of the decision: at most 0.01 is asked for, over 1,000 days; at 0.003 more than ten are unlikely."""
OUTSIDE_SHARE = 0.1
"""The part of the level spent on values outside the range of the reference; the rest goes to the permutations."""
PERMUTATIONS = 4_000
LEAST_ROWS = 200
"""Below, of the day or of the reference, nothing is decided: 0.2 σ could not be told from chance."""
KL_THRESHOLD = 0.15
KL_BINS = 20
_SMOOTHING = 0.5
MEAN_SHIFT_THRESHOLD = 0.20
OUTSIDE = "outside"

_Judged = tuple[str | None, float | None, float | None]
"""Kind of the statistic, statistic, threshold."""


@dataclass(frozen=True)
class ColumnDrift:
    """One feature, or the score, of a day against the reference. None stands where there is nothing to compute from.

    `kl` is the Kullback-Leibler divergence of the day from the reference in nats, over twenty bins and one for nulls, half a
    row added to each; `mean_shift` the difference of the means as a share of the reference's, `sigma_shift` in its standard
    deviations. `statistic` is the one of the column nearest to its threshold or furthest over it, `kind` says which: |z| of
    "location", "spread" or "missing", chi-squared of "shape", or the rows "outside" the reference's range, on one side. The
    column has drifted where the statistic exceeds the threshold.
    """

    name: str
    kl: float | None
    kl_exceeded: bool
    mean: float | None
    reference_mean: float | None
    mean_shift: float | None
    mean_shift_exceeded: bool
    sigma_shift: float | None
    missing: float | None
    reference_missing: float | None
    outside: float | None
    kind: str | None
    statistic: float | None
    threshold: float | None
    drifted: bool


@dataclass(frozen=True)
class Drift:
    """A day against the reference: `features` in the order of the reference, and the score where the reference has one.

    `decided` is False where there are too few rows; then nothing has drifted and `words` says why. `p_value` is that of the
    permutations over all columns together.
    """

    rows: int
    reference_rows: int
    decided: bool
    drifted: bool
    p_value: float | None
    words: str
    features: tuple[ColumnDrift, ...]
    score: ColumnDrift | None

    @property
    def columns(self) -> tuple[ColumnDrift, ...]:
        return self.features if self.score is None else (*self.features, self.score)

    @property
    def drifted_names(self) -> tuple[str, ...]:
        """The columns that have drifted, the furthest over its threshold first."""
        drifted = [column for column in self.columns if column.drifted]
        drifted.sort(key=lambda column: -_excess((column.kind, column.statistic, column.threshold)))
        return tuple(column.name for column in drifted)

    def as_document(self) -> dict[str, Any]:
        """For JSON: all fields, and the names of what drifted."""
        return {**asdict(self), "drifted_names": list(self.drifted_names)}


def measure_drift(
    reference: Reference,
    features: Matrix,
    scores: Matrix | None = None,
    *,
    level: float = LEVEL,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Drift:
    """Compare a day's (n, m) features, NaN where missing, and n scores with the reference.

    `level` is the probability of deciding for drift where there is none, over all columns together. The order of the rows does
    not matter, and the same seed gives the same answer.

    Raises:
        ValueError: the shapes do not agree with the reference, or it has scores and the day has not, or the other way round.
    """
    if reference.scored != (scores is not None):
        raise ValueError(f"the reference has {'a' if reference.scored else 'no'} score, the day the opposite")
    values = as_columns(reference.names, features, scores)
    codes = in_own_order(reference.encode(values))
    decided = min(len(codes), reference.rows) >= LEAST_ROWS
    judged: list[_Judged] = [(None, None, None)] * len(reference.columns)
    p_value = None
    if decided and judged:
        found = permute(codes, reference.codes, level * (1 - OUTSIDE_SHARE), permutations, seed)
        p_value = found.p_value
        judged = list(_judge(found, reference, codes, level * OUTSIDE_SHARE))
    measured = _measure(reference, values, codes)
    columns = tuple(
        ColumnDrift(name, **fields, kind=kind, statistic=statistic, threshold=threshold, drifted=_over(statistic, threshold))
        for name, fields, (kind, statistic, threshold) in zip(reference.columns, measured, judged, strict=True)
    )
    drifted = [column.name for column in columns if column.drifted]
    if not decided:
        words = f"{len(codes)} rows against {reference.rows}: fewer than {LEAST_ROWS}, nothing is decided"
    else:
        words = f"drift in {', '.join(drifted)}" if drifted else "no drift"
    return Drift(
        rows=len(codes),
        reference_rows=reference.rows,
        decided=decided,
        drifted=bool(drifted),
        p_value=p_value,
        words=words,
        features=columns[: len(reference.names)],
        score=columns[-1] if reference.scored else None,
    )


def _judge(found: Thresholds, reference: Reference, codes: Bins, level: float) -> Iterator[_Judged]:
    """For each column the statistic with the greatest ratio to its threshold."""
    level_of_side = level / (2 * len(reference.edges))
    known_before = (reference.codes != NULL).sum(axis=0)
    for place, edges in enumerate(reference.edges):
        options: list[_Judged] = [
            (kind, float(statistic), float(threshold))
            for kind, statistic, threshold in zip(KINDS, found.statistics[place], found.thresholds[place], strict=True)
        ]
        column = codes[:, place]
        known = int((column != NULL).sum())
        if edges and known:
            allowed = outside_allowed(known, int(known_before[place]), level_of_side)
            beyond = max(int((column == 1).sum()), int((column == len(edges) + 2).sum()))
            options.append((OUTSIDE, float(beyond), float(allowed)))
        yield max(options, key=_excess)


def outside_allowed(rows: int, reference_rows: int, level: float) -> int:
    """How many of `rows` may exceed the greatest of `reference_rows` values before that is less likely than `level`.

    Where both are draws of one population, the k greatest of all are all the day's with probability
    Π (rows − i) / (rows + reference_rows − i) for i < k; with ties less often.
    """
    probability = 1.0
    for count in range(rows):
        probability *= (rows - count) / (rows + reference_rows - count)
        if probability <= level:
            return count
    return rows


def _measure(reference: Reference, values: Features, codes: Bins) -> list[dict[str, Any]]:
    """The fields that need no decision, for each column."""
    counts, before = count_codes(codes), reference.counts
    divergences = _divergences(counts, before)
    fields, rows = [], len(codes)
    for place, edges in enumerate(reference.edges):
        mean, _ = moments_of(values[:, place])
        mean_before, deviation = reference.means[place], reference.deviations[place]
        moved = None if mean is None or mean_before is None else mean - mean_before
        shift = moved / abs(mean_before) if moved is not None and mean_before else None
        kl = float(divergences[place]) if rows and reference.rows else None
        beyond = int(counts[place, 1] + counts[place, len(edges) + 2]) if edges else int(counts[place, 1:].sum())
        fields.append(
            {
                "kl": kl,
                "kl_exceeded": kl is not None and kl > KL_THRESHOLD,
                "mean": mean,
                "reference_mean": mean_before,
                "mean_shift": shift,
                "mean_shift_exceeded": shift is not None and abs(shift) > MEAN_SHIFT_THRESHOLD,
                "sigma_shift": moved / deviation if moved is not None and deviation else None,
                "missing": int(counts[place, NULL]) / rows if rows else None,
                "reference_missing": int(before[place, NULL]) / reference.rows if reference.rows else None,
                "outside": beyond / rows if rows else None,
            }
        )
    return fields


def _divergences(counts: Integers, before: Integers) -> Floats:
    """KL of the day from the reference for each column, over groups of the reference's bins and nulls as one of their own."""
    group = group_codes(before, KL_BINS)
    shares = []
    for rows in (counts, before):
        held = np.stack([np.where(group == bin_, rows, 0).sum(axis=1) for bin_ in range(KL_BINS + 1)], axis=1)
        # A group no bin belongs to would only dilute the others.
        smoothed = np.where(_groups_held(group), held + _SMOOTHING, 0.0)
        shares.append(smoothed / smoothed.sum(axis=1, keepdims=True))
    day, reference = shares
    return np.where(day > 0, day * np.log(np.where(day > 0, day, 1) / np.where(reference > 0, reference, 1)), 0).sum(axis=1)


def _groups_held(group: Integers) -> Any:
    return (group[:, :, None] == np.arange(KL_BINS + 1)).any(axis=1)


def _excess(judged: _Judged) -> float:
    """Ratio of statistic and threshold on the scale of |z|; chi-squared is on that of its square."""
    kind, statistic, threshold = judged
    if not statistic or threshold is None:
        return 0.0
    ratio = statistic / threshold if threshold else float("inf")
    return ratio**0.5 if kind == SHAPE else ratio


def _over(statistic: float | None, threshold: float | None) -> bool:
    return statistic is not None and threshold is not None and statistic > threshold
