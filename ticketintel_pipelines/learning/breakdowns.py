"""The test rows taken apart: by group, by kind of positive, by fold, by score, and along the threshold."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.examples import Examples, Floats, Integers
from ticketintel_pipelines.learning.intervals import Measured, count_days, figures, measured
from ticketintel_pipelines.learning.metrics import auc_roc, average_precision, confusion
from ticketintel_pipelines.learning.tested import CHAMPION, Tested

SMALL_POSITIVES = 30
"""Groups with fewer positives are shown, and marked: their figures say little."""
QUANTILES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
"""Of the scores, where the bins of the calibration curve meet: finer towards the top, where the positives are."""
CURVE_STEPS = 400
"""A curve keeps the points that are so far apart, as a part of its axis."""


@dataclass(frozen=True)
class Slice:
    """One group of rows. `champion` is its average precision by the champion, `worse` whether ours falls too far below."""

    name: str
    group: str
    rows: int
    positives: int
    average_precision: Measured
    precision: float
    detection: float
    champion: float | None
    small: bool
    worse: bool


@dataclass(frozen=True)
class Kind:
    """One kind of positive: how many rows, how many of them hidden by construction or known, and the share found."""

    name: str
    rows: int
    hidden: int
    known: int
    detection: float


@dataclass(frozen=True)
class FoldFigures:
    """One fold: what was learned from (None where not recorded) and what came out."""

    number: int
    trained_rows: int | None
    trained_positives: int | None
    rows: int
    positives: int
    auc_roc: float
    average_precision: float


@dataclass(frozen=True)
class Bin:
    """Rows of similar score: the mean of their scores, and the share of positives among them."""

    rows: int
    positives: int
    score: float
    share: Measured


@dataclass(frozen=True)
class Curve:
    """Points of the ROC and of the precision-recall curve, from the highest threshold to the lowest, (T,) each."""

    false_positive_rate: Floats
    recall: Floats
    precision: Floats


def slices_of(model: Model, tested: Tested, days: Integers, weights: Floats) -> tuple[Slice, ...]:
    """Every group of every slice, the largest first; `weights` (1 + K, D) are the table itself and its resamples."""
    found = []
    threshold = model.operating_threshold
    champion = tested.contenders.get(CHAMPION)
    for name, groups in tested.examples.slices.items():
        texts = groups.astype(str)
        values, sizes = np.unique(texts, return_counts=True)
        for group in values[np.argsort(-sizes, kind="stable")]:
            rows = texts == group
            labels, scores = tested.labels[rows], tested.scores[rows]
            counts = count_days(labels, scores, tested.examples.day[rows], days, threshold)
            resampled = figures(counts, weights)["auc_pr"]
            precision = measured(float(resampled[0]), resampled[1:], len(days))
            called = confusion(labels, scores, threshold)
            before = None if champion is None else average_precision(labels, champion[rows])
            small = int(labels.sum()) < SMALL_POSITIVES
            worse = before is not None and not small and before - precision.value > model.most_worse
            found.append(
                Slice(
                    name,
                    str(group),
                    len(labels),
                    int(labels.sum()),
                    precision,
                    called.precision,
                    called.recall,
                    before,
                    small,
                    worse,
                )
            )
    return tuple(found)


def kinds_of(tested: Tested, threshold: float) -> tuple[Kind, ...]:
    """The kinds of positive that the examples name, the most frequent first; none where they name none."""
    examples = tested.examples
    if examples.kind is None:
        return ()
    positive = (tested.labels if examples.truth is None else examples.truth) == 1
    hidden = np.zeros(len(examples), dtype=bool) if examples.hidden is None else examples.hidden
    called = tested.scores >= threshold
    kinds = examples.kind.astype(str)
    names, sizes = np.unique(kinds[positive], return_counts=True)
    found = []
    for name in names[np.argsort(-sizes, kind="stable")]:
        rows = positive & (kinds == name)
        known = int(tested.labels[rows].sum())
        found.append(Kind(str(name), int(rows.sum()), int(hidden[rows].sum()), known, float(called[rows].mean())))
    return tuple(found)


def folds_of(tested: Tested) -> tuple[FoldFigures, ...]:
    """Each fold by itself."""
    found = []
    for place, number in enumerate(np.unique(tested.fold)):
        rows = tested.fold == number
        labels, scores = tested.labels[rows], tested.scores[rows]
        found.append(
            FoldFigures(
                place + 1,
                tested.trained_rows[place] if place < len(tested.trained_rows) else None,
                tested.trained_positives[place] if place < len(tested.trained_positives) else None,
                len(labels),
                int(labels.sum()),
                auc_roc(labels, scores),
                average_precision(labels, scores),
            )
        )
    return tuple(found)


def calibration_of(labels: Integers, examples: Examples, scores: Floats, days: Integers, weights: Floats) -> tuple[Bin, ...]:
    """The calibration curve: bins between quantiles of the scores, from the lowest on. Rows of equal score share a bin."""
    edges = np.unique(np.quantile(scores, QUANTILES))
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, max(len(edges) - 2, 0))
    day = np.searchsorted(days, examples.day)
    found = []
    for number in np.unique(place):
        inside = place == number
        rows = np.bincount(day[inside], minlength=len(days)).astype(np.float64)
        positives = np.bincount(day[inside], weights=labels[inside], minlength=len(days))
        with np.errstate(divide="ignore", invalid="ignore"):
            resampled = (weights @ positives) / (weights @ rows)
        share = measured(float(resampled[0]), resampled[1:], len(days))
        found.append(Bin(int(inside.sum()), int(labels[inside].sum()), float(scores[inside].mean()), share))
    return tuple(found)


def curve_of(labels: Integers, scores: Floats) -> Curve:
    """The points of both curves that the eye can tell apart."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    found = np.cumsum(labels[order])[last]
    recall = found / max(int(labels.sum()), 1)
    rate = (last + 1 - found) / max(len(labels) - int(labels.sum()), 1)
    precision = found / (last + 1)
    steps = np.round(np.column_stack([recall, rate, precision]) * CURVE_STEPS)
    kept = np.r_[True, (np.diff(steps, axis=0) != 0).any(axis=1)]
    kept[-1] = True
    return Curve(np.r_[0.0, rate[kept]], np.r_[0.0, recall[kept]], np.r_[precision[0], precision[kept]])
