"""Gradient-boosted quantile regression whose quantiles do not cross and whose interval covers what it says.

Three boosters minimise the pinball loss at 10, 50 and 90 %. They are fitted apart and may cross; sorted they do not, and lose
nothing by it (Chernozhukov, Fernández-Val, Galichon, "Quantile and probability curves without crossing", Econometrica 78,
2010). Each end is then moved by how far prices of later days, which the boosters have not seen, lay beyond it (Romano,
Patterson, Candès, "Conformalized quantile regression", NeurIPS 2019, with a margin for each end).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.conformal import conformal_quantile
from ticketintel_pipelines.learning.estimators import THREADS
from ticketintel_pipelines.learning.examples import Floats

LEVELS = (0.1, 0.5, 0.9)
COVERAGE = LEVELS[-1] - LEVELS[0]
_MARGINS = "margins.json"


@dataclass(frozen=True)
class QuantileBoosting:
    """Small trees, many of them: prices are noisy, and the ends of the interval learn from a tenth of the rows."""

    trees: int = 150
    leaves: int = 7
    rate: float = 0.05
    least_rows: int = 100
    columns: float = 0.6

    def fit(self, features: Floats, targets: Floats, seed: int) -> "FittedQuantiles":
        """Learn from features (n, m), NaN where unknown, and targets (n,). Same data and seed, same bytes."""
        import lightgbm

        parameters = {
            "objective": "quantile",
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            # A history of some hundred rows still gives trees.
            "min_data_in_leaf": min(self.least_rows, max(5, len(targets) // 20)),
            "feature_fraction": self.columns,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": THREADS,
            "verbosity": -1,
        }
        boosters = []
        for level in LEVELS:
            data = lightgbm.Dataset(features, label=targets, params={"verbosity": -1})
            boosters.append(lightgbm.train({**parameters, "alpha": level}, data, num_boost_round=self.trees))
        return FittedQuantiles(tuple(boosters))


@dataclass(frozen=True)
class FittedQuantiles:
    """One booster for each of `LEVELS`, and by how much the lowest and the highest are moved outwards."""

    boosters: tuple[Any, ...]
    margins: tuple[float, float] = (0.0, 0.0)

    def raw(self, features: Floats) -> Floats:
        """Quantiles (n, 3) of features (n, m), sorted, before any margin."""
        if not len(features):
            return np.empty((0, len(LEVELS)))
        found = [np.asarray(one.predict(features, num_threads=THREADS), np.float64) for one in self.boosters]
        return np.sort(np.column_stack(found), axis=1)

    def predict(self, features: Floats) -> Floats:
        """Low end, middle and high end (n, 3) of features (n, m); never in another order."""
        return widened(self.raw(features), self.margins)

    def calibrated(self, features: Floats, targets: Floats) -> "FittedQuantiles":
        """The same boosters with the margins that rows they have not seen ask for."""
        low, _, high = self.raw(features).T
        at = LEVELS[-1]
        return FittedQuantiles(self.boosters, (conformal_quantile(low - targets, at), conformal_quantile(targets - high, at)))

    def importances(self) -> Floats:
        """How much each feature (m,) took off the loss of the middle quantile; sums to 1, or is 0 throughout."""
        gains: Floats = np.asarray(self.boosters[1].feature_importance("gain"), np.float64)
        return gains / gains.sum() if gains.sum() > 0 else gains

    def dump(self) -> dict[str, bytes]:
        """LightGBM's own text for each quantile, and the margins as JSON."""
        files = {_file(level): one.model_to_string().encode() for level, one in zip(LEVELS, self.boosters, strict=True)}
        return {**files, _MARGINS: json.dumps(self.margins).encode()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FittedQuantiles":
        """The quantiles of a dump."""
        import lightgbm

        low, high = json.loads(files[_MARGINS])
        boosters = tuple(lightgbm.Booster(model_str=files[_file(level)].decode()) for level in LEVELS)
        return cls(boosters, (float(low), float(high)))


def widened(quantiles: Floats, margins: tuple[float, float]) -> Floats:
    """Quantiles (n, 3) with their ends moved outwards, or inwards by negative margins, but never past the middle."""
    low, middle, high = quantiles.T
    return np.column_stack([np.minimum(low - margins[0], middle), middle, np.maximum(high + margins[1], middle)])


def pinball(targets: Floats, quantile: Floats, level: float) -> Floats:
    """The loss (n,) that the quantile of that level minimises."""
    apart = targets - quantile
    found: Floats = np.maximum(level * apart, (level - 1) * apart)
    return found


def _file(level: float) -> str:
    return f"quantile_{round(100 * level)}.txt"
