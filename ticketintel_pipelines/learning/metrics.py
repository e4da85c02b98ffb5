"""Figures of scores against labels, all plain functions on arrays of n rows."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import NO_ENTITY, Floats, Integers


def auc_roc(labels: Integers, scores: Floats) -> float:
    """Probability that a positive scores above a negative, ties counting half; NaN without both."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    # The mean rank of each group of ties.
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(labels: Integers, scores: Floats) -> float:
    """Area under the step curve of precision over recall, ties taken together; NaN without positives."""
    if not labels.sum():
        return float("nan")
    precision, recall, _ = precision_recall(labels, scores)
    return float((np.diff(np.r_[0.0, recall]) * precision).sum())


def precision_recall(labels: Integers, scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision and recall at each different score, from the highest threshold on."""
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order])
    last = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True]) if len(order) else np.empty(0, np.int64)
    return found[last] / (last + 1), found[last] / max(int(labels.sum()), 1), scores[order][last]


def precision_at_recall(labels: Integers, scores: Floats, recall: float) -> float:
    """The best precision with which at least that share of the positives is found; NaN without positives."""
    precision, reached, _ = precision_recall(labels, scores)
    enough = reached >= recall
    return float(precision[enough].max()) if labels.sum() and enough.any() else float("nan")


def brier_score(labels: Integers, probabilities: Floats) -> float:
    """Mean squared distance of probabilities from labels."""
    return float(np.mean((probabilities - labels) ** 2)) if len(labels) else float("nan")


def card_precision(labels: Integers, scores: Floats, entity: Integers, day: Integers, top: int = 100) -> float:
    """Mean over days of the share of bad entities among the `top` of highest score, each entity once with its highest.

    Entities found bad on a day are not counted again on later ones; rows without an entity are passed over.
    Source: Le Borgne et al., "Reproducible Machine Learning for Credit Card Fraud Detection", Card Precision top-k.
    """
    shares = []
    found: set[int] = set()
    for today in np.unique(day):
        rows = np.flatnonzero((day == today) & (entity != NO_ENTITY) & ~np.isin(entity, list(found)))
        order = rows[np.argsort(-scores[rows], kind="stable")]
        _, firsts = np.unique(entity[order], return_index=True)
        shown = entity[order][np.sort(firsts)[:top]]
        bad = np.unique(entity[rows][labels[rows] == 1])
        hits = np.intersect1d(shown, bad)
        shares.append(len(hits) / top)
        found.update(hits.tolist())
    return float(np.mean(shares)) if shares else float("nan")


@dataclass(frozen=True)
class Confusion:
    """Counts at a threshold."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def precision(self) -> float:
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> float:
        return _share(self.false_positives, self.false_positives + self.true_negatives)


def confusion(labels: Integers, scores: Floats, threshold: float) -> Confusion:
    """Rows counted by label and by whether their score reaches the threshold."""
    called = scores >= threshold
    positives = labels == 1
    return Confusion(
        int((called & positives).sum()),
        int((called & ~positives).sum()),
        int((~called & positives).sum()),
        int((~called & ~positives).sum()),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
