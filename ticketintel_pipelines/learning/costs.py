"""What decisions cost: positives that are let through, and negatives that are stopped."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.declaration import Costs, Decision
from ticketintel_pipelines.learning.examples import Floats, Integers


@dataclass(frozen=True)
class Band:
    """The rows of one decision, and what it would cost to stop all rows from its threshold on."""

    decision: Decision
    below: float
    """The threshold of the next stricter decision, infinite for the strictest."""
    rows: int
    positives: int
    amount: float
    """Of the positives."""
    cost: float

    @property
    def precision(self) -> float:
        return self.positives / self.rows if self.rows else float("nan")


@dataclass(frozen=True)
class CostCurve:
    """What stopping rows from a threshold on costs, for each threshold (T,) that differs, highest first.

    The first threshold is above all scores: nothing is stopped.
    """

    thresholds: Floats
    cost: Floats

    @property
    def best(self) -> tuple[float, float]:
        """The cheapest threshold, known in hindsight alone, and its cost; of equal ones the highest."""
        place = int(np.argmin(self.cost))
        return float(self.thresholds[place]), float(self.cost[place])

    @property
    def nothing_stopped(self) -> float:
        return float(self.cost[0])


def row_costs(labels: Integers, scores: Floats, amount: Floats, costs: Costs, threshold: float) -> Floats:
    """What the decision on each row costs, (n,), if rows from the threshold on are stopped.

    A missed positive costs its share of the amount (nothing where the amount is unknown), a false alarm its fixed sum.
    """
    called = scores >= threshold
    missed = costs.missed_share * np.nan_to_num(amount)
    found: Floats = np.where(labels == 1, np.where(called, 0.0, missed), np.where(called, costs.false_alarm, 0.0))
    return found


def cost_curve(labels: Integers, scores: Floats, amount: Floats, costs: Costs) -> CostCurve:
    """The cost of every threshold, in one pass over the rows in order of their scores."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    missed = np.where(labels == 1, costs.missed_share * np.nan_to_num(amount), 0.0)
    change = np.where(labels[order] == 1, -missed[order], costs.false_alarm)
    last = np.flatnonzero(np.r_[np.diff(ranked) != 0, True]) if len(ranked) else np.empty(0, np.int64)
    above = np.nextafter(ranked[:1], np.inf)
    return CostCurve(np.r_[above, ranked[last]], missed.sum() + np.r_[np.zeros(len(above)), np.cumsum(change)[last]])


def bands(labels: Integers, scores: Floats, amount: Floats, costs: Costs, decisions: tuple[Decision, ...]) -> tuple[Band, ...]:
    """What falls to each decision, the strictest first."""
    found = []
    below = float("inf")
    for decision in decisions:
        inside = (scores >= decision.at_least) & (scores < below)
        bad = inside & (labels == 1)
        cost = float(row_costs(labels, scores, amount, costs, decision.at_least).sum())
        found.append(
            Band(decision, below, int(inside.sum()), int(bad.sum()), float(np.nan_to_num(amount[bad]).sum()), cost),
        )
        below = decision.at_least
    return tuple(found)
