"""How far out of the usual a row is, as a probability: an isolation forest over measures that all point one way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ticketintel_pipelines.learning.calibration import Beta, fit_beta
from ticketintel_pipelines.learning.estimators_sklearn import FittedIsolation, IsolationForest
from ticketintel_pipelines.learning.examples import Features, Flags, Floats, Integers
from ticketintel_pipelines.learning.metrics import precision_recall

FILE = "outliers.json"
STEPS = 1_000
"""Learned values of each measure are kept as so many steps of their distribution."""
LEAST_LABELS = 10
"""Fewer known positives than this calibrate nothing."""
LABELS, RANKS = "labels", "ranks"
EVEN = 0.5
"""Where no labels are known, a row is called positive once that is as likely as not."""


@dataclass(frozen=True)
class Ranks:
    """A probability from the rank u of an outlier score among those learned, in [0, 1]: p = u^(1/share − 1).

    It keeps the order and has the mean `share`, which is an assumption, not something learned.
    """

    share: float
    steps: tuple[float, ...]
    """Quantiles of the learned scores, from the least to the greatest."""

    def apply(self, scores: Floats) -> Floats:
        """Probabilities (n,) of outlier scores (n,)."""
        rank = np.interp(scores, self.steps, np.linspace(0, 1, len(self.steps)))
        found: Floats = rank ** (1 / self.share - 1)
        return found


@dataclass(frozen=True)
class Outliers:
    """What was learned of m measures that rise with suspicion.

    `floor` (m,) is each measure's median: what is less suspicious than that, or unknown, counts as usual, so that nobody is
    set apart for being slower or quieter than others. `steps` (STEPS + 1, m) are the learned values in order.
    """

    names: tuple[str, ...]
    floor: Floats
    steps: Floats
    forest: FittedIsolation
    mapping: Beta | Ranks
    threshold: float
    """Probability from which on a row is called positive."""

    @property
    def calibrated_by(self) -> str:
        """What makes a probability of the score: LABELS, or RANKS where too few labels were known."""
        return LABELS if isinstance(self.mapping, Beta) else RANKS

    def probability(self, features: Features) -> Floats:
        """Probabilities (n,) of measures (n, m)."""
        return self.mapping.apply(self.forest.predict(_directed(features, self.floor)))

    def below(self, features: Features) -> Floats:
        """Share of the learned rows whose measure is less, (n, m); NaN where unknown."""
        found = np.full(features.shape, np.nan)
        for place in range(features.shape[1]):
            column = self.steps[:, place]
            found[:, place] = np.searchsorted(column, features[:, place], side="left") / len(column)
        found[np.isnan(features)] = np.nan
        return found

    def reasons(self, features: Features, chosen: Flags, words: Mapping[str, str], most: int = 3) -> list[str | None]:
        """For each chosen row, as JSON, its measures that fewest learned rows exceed, with their words; None for the others."""
        below = self.below(features)
        found: list[str | None] = []
        for row, wanted in enumerate(chosen.tolist()):
            if not wanted:
                found.append(None)
                continue
            order = np.argsort(-np.nan_to_num(below[row], nan=-1.0), kind="stable")[:most]
            reasons = [
                {
                    "feature": self.names[place],
                    "value": round(float(features[row, place]), 4),
                    "above": round(float(share), 4),
                    "words": words[self.names[place]],
                }
                for place in order.tolist()
                if (share := below[row, place]) > 0.5
            ]
            found.append(json.dumps(reasons))
        return found

    def dump(self) -> dict[str, bytes]:
        """Files by name."""
        kept = {
            "names": self.names,
            "floor": self.floor.tolist(),
            "steps": self.steps.tolist(),
            "threshold": self.threshold,
            "mapping": {"by": self.calibrated_by, **vars(self.mapping)},
        }
        return {**self.forest.dump(), FILE: json.dumps(kept, allow_nan=False).encode()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "Outliers":
        """What a dump holds."""
        kept = json.loads(files[FILE])
        mapping = kept["mapping"]
        by = mapping.pop("by")
        return cls(
            names=tuple(kept["names"]),
            floor=np.array(kept["floor"]),
            steps=np.array(kept["steps"]),
            forest=FittedIsolation.load(files),
            mapping=Beta(**mapping) if by == LABELS else Ranks(mapping["share"], tuple(mapping["steps"])),
            threshold=kept["threshold"],
        )


@dataclass(frozen=True)
class OutlierModel:
    """How outliers are learned. `share` of positives is assumed where too few labels are known."""

    names: tuple[str, ...]
    share: float
    forest: IsolationForest = field(default_factory=IsolationForest)
    least_labels: int = LEAST_LABELS

    def fit(self, features: Features, labels: Integers, seed: int) -> Outliers:
        """Learn what is usual from measures (n, m), NaN where unknown; `labels` (n,) are 1 where known as positive."""
        known = [column[~np.isnan(column)] for column in features.T]
        floor = np.array([float(np.median(column)) if len(column) else 0.0 for column in known])
        levels = np.linspace(0, 1, STEPS + 1)
        steps = np.column_stack([np.quantile(c, levels, method="lower") if len(c) else np.zeros(STEPS + 1) for c in known])
        directed = _directed(features, floor)
        forest = self.forest.fit(directed, labels, seed)
        scores = forest.predict(directed)
        mapping: Beta | Ranks
        if int(labels.sum()) >= self.least_labels:
            mapping = fit_beta(scores, labels)
            threshold = float(mapping.apply(np.array([best_threshold(labels, scores)]))[0])
        else:
            mapping = Ranks(self.share, tuple(np.quantile(scores, levels).tolist()))
            threshold = EVEN
        return Outliers(self.names, floor, steps.astype(np.float64), forest, mapping, threshold)


def best_threshold(labels: Integers, scores: Floats) -> float:
    """The threshold with the greatest F1, halfway down to the next lower score.

    Where only some of the positives are known, and those at random, it still lies below all that rank with them: as long as the
    known ones go on at the same rate, calling more of them raises F1.
    """
    precision, recall, levels = precision_recall(labels, scores)
    with np.errstate(divide="ignore", invalid="ignore"):
        quality = np.nan_to_num(2 * precision * recall / (precision + recall))
    best = int(quality.argmax())
    return float(levels[best : best + 2].mean())


def _directed(features: Features, floor: Floats) -> Features:
    found: Features = np.fmax(features, floor.astype(np.float32))
    return found
