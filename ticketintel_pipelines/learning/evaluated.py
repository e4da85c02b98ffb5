"""What an evaluation found: what the report shows, the registry keeps and promotion decides by."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ticketintel_pipelines.learning.breakdowns import Bin, Curve, FoldFigures, Kind, Slice
from ticketintel_pipelines.learning.costs import Band, CostCurve
from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.examples import Integers
from ticketintel_pipelines.learning.intervals import Difference, Measured
from ticketintel_pipelines.learning.metrics import Confusion

TOP = 100
CARDS, COST = "card_precision_100", "cost_a_day"
RANKING = ("auc_roc", "auc_pr", "precision_at_90_recall", CARDS)
AT_THRESHOLD = ("f1", "false_positive_rate", "detection", "precision")
LOWER_IS_BETTER = frozenset({"false_positive_rate", "brier", COST})
FIGURES = (*RANKING, *AT_THRESHOLD, "brier", COST)


@dataclass(frozen=True)
class Figure:
    """One line of the table of figures, against known labels and, on simulated data, against the truth.

    `threshold` is where it was taken, None for figures without one. A ceiling is the expected figure of a perfect ranker.
    """

    name: str
    threshold: float | None
    measured: Measured
    target: float | None = None
    ceiling: float | None = None
    truth: Measured | None = None
    truth_ceiling: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        value = self.measured.value
        return value <= self.target if self.name in LOWER_IS_BETTER else value >= self.target


@dataclass(frozen=True)
class Comparison:
    """The figures of another scoring of the same rows, and the model's minus these, by name.

    The naive baseline has no figures that need a probability.
    """

    name: str
    figures: Mapping[str, Measured]
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Undetectable:
    """Positives of simulated test rows: how many nothing observable sets apart, and how many no label says so far."""

    positives: int
    hidden: int
    unknown: int

    @property
    def share(self) -> float:
        return self.hidden / self.positives if self.positives else float("nan")


@dataclass(frozen=True)
class Evaluation:
    """What the report shows, the registry keeps and promotion decides by."""

    model: Model
    days: Integers
    rows: int
    positives: int
    figures: tuple[Figure, ...]
    confusion: Confusion
    entities_found: int
    comparisons: tuple[Comparison, ...]
    contradictions: tuple[str, ...]
    costs: CostCurve
    cost: float
    """At the operating threshold, over all test days."""
    bands: tuple[Band, ...]
    calibration: tuple[Bin, ...]
    mean_score: float
    curves: Mapping[str, Curve]
    importances: tuple[tuple[str, float], ...]
    slices: tuple[Slice, ...]
    kinds: tuple[Kind, ...]
    folds: tuple[FoldFigures, ...]
    undetectable: Undetectable | None
    removed: int
    resamples: int

    @property
    def positive_share(self) -> float:
        return self.positives / self.rows

    def figure(self, name: str, threshold: float | None = None) -> Figure:
        """A figure by its name; at another than the operating threshold, where it was also taken there.

        Raises:
            KeyError: there is none.
        """
        for one in self.figures:
            if one.name == name and (threshold is None or one.threshold == threshold):
                return one
        raise KeyError(name)

    def against(self, name: str) -> Comparison | None:
        """The comparison with a contender, None where it was not tested."""
        return next((one for one in self.comparisons if one.name == name), None)

    def to_json(self) -> dict[str, object]:
        """All but the curves and the model's declaration, as plain values; None for what is not defined or infinite."""
        best_threshold, best_cost = self.costs.best
        found = {
            "model": self.model.name,
            "operating_threshold": self.model.operating_threshold,
            "days": len(self.days),
            "rows": self.rows,
            "positives": self.positives,
            "removed_known_bad": self.removed,
            "resamples": self.resamples,
            "figures": [asdict(one) | {"met": one.met} for one in self.figures],
            "confusion": asdict(self.confusion),
            "entities_found_in_daily_top": self.entities_found,
            "comparisons": [asdict(one) for one in self.comparisons],
            "contradictions": self.contradictions,
            "cost": {
                "unit": self.model.costs.unit,
                "at_threshold": self.cost,
                "best_in_hindsight": best_cost,
                "best_threshold": best_threshold,
                "nothing_stopped": self.costs.nothing_stopped,
            },
            "decisions": [asdict(one) | {"precision": one.precision} for one in self.bands],
            "calibration": [asdict(one) for one in self.calibration],
            "importances": dict(self.importances),
            "slices": [asdict(one) for one in self.slices],
            "kinds": [asdict(one) for one in self.kinds],
            "folds": [asdict(one) for one in self.folds],
            "undetectable": None if self.undetectable is None else asdict(self.undetectable),
        }
        return {name: _plain(value) for name, value in found.items()}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
