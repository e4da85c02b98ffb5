"""Models, declared: what is predicted, how it is learned, judged and decided by. A new model is one such declaration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from ticketintel_pipelines.contract import Column
from ticketintel_pipelines.learning.estimators import Estimator
from ticketintel_pipelines.learning.splits import Split


@dataclass(frozen=True)
class Decision:
    """What is done with a row whose score is at least so high."""

    name: str
    at_least: float
    words: str


@dataclass(frozen=True)
class Costs:
    """What mistakes cost, in the unit of the examples' amounts."""

    missed_share: float
    """Of the amount of a positive that was let through."""
    false_alarm: float
    """Each negative that was called positive."""
    unit: str


@dataclass(frozen=True)
class Card:
    """Words for the people who read the report."""

    purpose: str
    target: str
    learned_from: str
    limits: tuple[str, ...]


@dataclass(frozen=True)
class Targets:
    """Figures that were specified, by name of the metric, and what to say where they cannot hold together."""

    figures: Mapping[str, float] = field(default_factory=dict)
    threshold: float | None = None
    positive_share: float | None = None


@dataclass(frozen=True)
class Model:
    """One binary classifier.

    `features` are columns of the domain's feature table. `estimator` learns; `candidates` are shown beside it in the report.
    `decisions` go from the strictest one down to one at 0; `operating_threshold` is that of the report's confusion matrix.
    `most_worse` is by how much the average precision of a slice may fall below the champion's.
    """

    name: str
    title: str
    card: Card
    features: tuple[Column, ...]
    estimator: Estimator
    split: Split
    decisions: tuple[Decision, ...]
    operating_threshold: float
    costs: Costs
    baseline: str
    """Name of the feature that ranks rows by itself: the naive baseline."""
    candidates: tuple[Estimator, ...] = ()
    targets: Targets = field(default_factory=Targets)
    least_positives: int = 50
    most_worse: float = 0.05
    seed: int = 20_260_101
    guarded: tuple[str, ...] = ()
    """Features of which rows far out are shown to a person before they are trusted: somebody may try to teach the model."""
    excluded: Mapping[str, str] = field(default_factory=dict)
    """Columns that are left out, with the reason."""

    def __post_init__(self) -> None:
        """Raises ValueError for thresholds out of order or a baseline that is no feature."""
        if self.decisions[-1].at_least != 0 or any(one.at_least <= two.at_least for one, two in pairwise(self.decisions)):
            raise ValueError(f"{self.name}: decisions go down from the highest threshold to 0")
        if self.baseline not in self.feature_names:
            raise ValueError(f"{self.name}: the baseline {self.baseline} is none of the features")

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.features)
