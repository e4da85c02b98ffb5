"""What cannot be exceeded: by any ranker where positives are hidden by construction, and by figures asked for together."""

import math

import numpy as np

from ticketintel_pipelines.learning.declaration import Targets
from ticketintel_pipelines.learning.examples import Flags, Integers
from ticketintel_pipelines.learning.intervals import RECALL


def ceilings(labels: Integers, visible: Flags) -> dict[str, float]:
    """Expected figures of a perfect ranker of n rows: the visible ones come first, all others look alike and follow.

    Inside each of the two groups the order is random. `labels` are what is counted: with the truth, every visible row is a
    positive; with known labels, some visible ones are not known as such, and count as false alarms even here.

    With groups of n₁ and n₂ rows, p₁ and p₂ of them positive, p = p₁ + p₂, and m₁ = n₁ − p₁, m₂ = n₂ − p₂, m = m₁ + m₂:
        AUC-ROC = (p₁·m₂ + p₁·m₁/2 + p₂·m₂/2) / (p·m)
        AUC-PR  = 1/p · Σ over groups g, places j = 1…n_g of  p_g/n_g · (p_before + 1 + (j−1)(p_g−1)/(n_g−1)) / (n_before + j)
        precision at 90 % recall: at the expected place of the positive that completes it, the r-th of group g, which is
            n_before + r·(n_g + 1)/(p_g + 1)
        Brier score = Σ over groups of p_g·(1 − p_g/n_g) / n, where every row is given the share of its group
        detection = p₁/p, false-positive rate = m₁/m, precision = p₁/n₁, F1 = 2p₁/(n₁ + p), where just the visible are called.
    These are expectations: by the luck of the draw a ranker can come out somewhat above them. Without hidden positives and with
    the truth they are 1, and 0 for the Brier score and the false-positive rate.
    """
    groups = [(int(rows.sum()), int(labels[rows].sum())) for rows in (visible, ~visible)]
    (first, first_positives), (_, last_positives) = groups
    rows, positives = len(labels), first_positives + last_positives
    negatives = rows - positives
    if not positives or not negatives:
        return {}
    first_negatives, last_negatives = first - first_positives, negatives - (first - first_positives)
    pairs = first_positives * (last_negatives + first_negatives / 2) + last_positives * last_negatives / 2
    return {
        "auc_roc": pairs / (positives * negatives),
        "auc_pr": _average_precision(groups),
        "precision_at_90_recall": _precision_at_recall(groups),
        "f1": 2 * first_positives / (first + positives),
        "false_positive_rate": first_negatives / negatives,
        "detection": first_positives / positives,
        "precision": first_positives / first if first else float("nan"),
        "brier": sum(found * (1 - found / size) for size, found in groups if size) / rows,
    }


def _average_precision(groups: list[tuple[int, int]]) -> float:
    total, rows_before, positives_before = 0.0, 0, 0
    for rows, positives in groups:
        if positives:
            place = np.arange(rows)
            others = place * ((positives - 1) / max(rows - 1, 1))
            total += positives / rows * float(((positives_before + 1 + others) / (rows_before + place + 1)).sum())
        rows_before, positives_before = rows_before + rows, positives_before + positives
    return total / positives_before


def _precision_at_recall(groups: list[tuple[int, int]]) -> float:
    (first, first_positives), (last, last_positives) = groups
    needed = math.ceil(RECALL * (first_positives + last_positives) - 1e-9)
    if needed <= first_positives:
        return min(1.0, needed / (needed * (first + 1) / (first_positives + 1)))
    return needed / (first + (needed - first_positives) * (last + 1) / (last_positives + 1))


def precision_of(positive_share: float, false_positive_rate: float, detection: float) -> float:
    """Precision πd / (πd + (1−π)f) at positive share π, false-positive rate f and detection d."""
    found = positive_share * detection
    return found / (found + (1 - positive_share) * false_positive_rate)


def f1_of(positive_share: float, false_positive_rate: float, detection: float) -> float:
    """F1 = 2πd / (πd + (1−π)f + π) at positive share π, false-positive rate f and detection d."""
    found = positive_share * detection
    return 2 * found / (found + (1 - positive_share) * false_positive_rate + positive_share)


def most_f1(positive_share: float, false_positive_rate: float) -> float:
    """The highest F1 with these: it grows with detection, so with every positive found, 2π / (2π + (1−π)f)."""
    return f1_of(positive_share, false_positive_rate, 1.0)


def most_false_positive_rate(positive_share: float, f1: float, detection: float) -> float:
    """The false-positive rate at which detection d gives an F1: (2πd/F1 − πd − π) / (1−π); a higher one gives less."""
    found = positive_share * detection
    return (2 * found / f1 - found - positive_share) / (1 - positive_share)


def contradictions(targets: Targets) -> tuple[str, ...]:
    """Sentences on specified figures that cannot hold together, with the arithmetic; empty where they can."""
    asked, share = targets.figures, targets.positive_share
    f1, rate, detection = asked.get("f1"), asked.get("false_positive_rate"), asked.get("detection")
    if share is None or f1 is None or rate is None:
        return ()
    said = []
    cap = most_f1(share, rate)
    if f1 > cap:
        said.append(
            f"At {_percent(share)} positives, a false-positive rate of {_percent(rate)} caps F1 at {cap:.3f}, even if every "
            f"positive is found: 2π / (2π + (1−π)f) with π = {share:g}, f = {rate:g}. The F1 of {f1:g} that is asked for "
            "cannot hold beside it."
        )
    if detection is not None and f1 > f1_of(share, rate, detection):
        said.append(
            f"With a detection of {_percent(detection)} and that false-positive rate, precision πd / (πd + (1−π)f) is "
            f"{precision_of(share, rate, detection):.3f} and F1 {f1_of(share, rate, detection):.3f}. F1 {f1:g} at that "
            f"detection needs a false-positive rate of at most {_percent(most_false_positive_rate(share, f1, detection))}."
        )
    return tuple(said)


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
