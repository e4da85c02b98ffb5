"""LightGBM, the ensemble, and how the files of each kind of estimator are loaded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.estimators import LEARNING_RATES, THREADS, Estimator, Fitted, FittedXGBoost, XGBoost
from ticketintel_pipelines.learning.estimators_sklearn import (
    FittedForest,
    FittedIsolation,
    FittedLogistic,
    IsolationForest,
    LogisticRegression,
    RandomForest,
)
from ticketintel_pipelines.learning.examples import Features, Floats, Integers

__all__ = ["LOADERS", "Ensemble", "IsolationForest", "LightGBM", "LogisticRegression", "RandomForest", "load"]


@dataclass(frozen=True)
class LightGBM:
    """Gradient-boosted trees that grow by leaf; `max_bin` as for `XGBoost`."""

    trees: int = 300
    leaves: int = 31
    rate: float = 0.05
    max_bin: int = 1023
    least_rows: int = 20
    columns: float = 1.0
    rows: float = 1.0
    l2: float = 1.0
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "lightgbm"

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> "FittedLightGBM":
        import lightgbm

        parameters = {
            "objective": "binary",
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "max_bin": self.max_bin,
            "min_data_in_leaf": self.least_rows,
            "feature_fraction": self.columns,
            "bagging_fraction": self.rows,
            "bagging_freq": 1 if self.rows < 1 else 0,
            "lambda_l2": self.l2,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": THREADS,
            "verbosity": -1,
            **self.more,
        }
        data = lightgbm.Dataset(features, label=labels, weight=weights, params={"verbosity": -1})
        return FittedLightGBM(lightgbm.train(parameters, data, num_boost_round=self.trees))

    def varied(self, random: np.random.Generator) -> "LightGBM":
        return LightGBM(
            trees=int(random.choice((150, 300, 500))),
            leaves=int(random.choice((7, 15, 31, 63))),
            rate=float(random.choice(LEARNING_RATES)),
            max_bin=self.max_bin,
            least_rows=int(random.choice((5, 20, 50, 100))),
            columns=float(random.choice((0.5, 0.8, 1.0))),
            rows=float(random.choice((0.7, 1.0))),
            l2=float(random.choice((0.0, 1.0, 5.0, 20.0))),
            more=self.more,
        )


class FittedLightGBM:
    """A booster; its file is LightGBM's own text."""

    FILE = "model.txt"

    def __init__(self, booster: Any) -> None:
        self.booster = booster

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FittedLightGBM":
        """The model of a dump."""
        import lightgbm

        return cls(lightgbm.Booster(model_str=files[cls.FILE].decode()))

    def predict(self, features: Features) -> Floats:
        if not len(features):
            return np.empty(0)
        found: Floats = np.asarray(self.booster.predict(features, num_threads=THREADS), np.float64)
        return found

    def contributions(self, features: Features) -> Floats:
        if not len(features):
            return np.empty(features.shape)
        found: Floats = np.asarray(self.booster.predict(features, pred_contrib=True, num_threads=THREADS), np.float64)
        return found[:, :-1]

    def dump(self) -> dict[str, bytes]:
        return {self.FILE: self.booster.model_to_string().encode()}


@dataclass(frozen=True)
class Ensemble:
    """The mean log odds of several estimators, each row by itself, so that a score does not depend on its neighbours."""

    parts: Sequence[Estimator] = (XGBoost(), LightGBM(), RandomForest())

    @property
    def name(self) -> str:
        return "ensemble"

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> "FittedEnsemble":
        return FittedEnsemble([(part.name, part.fit(features, labels, seed, weights)) for part in self.parts])

    def varied(self, random: np.random.Generator) -> "Ensemble":
        return Ensemble(tuple(part.varied(random) for part in self.parts))


class FittedEnsemble:
    """Fitted parts, each with the name of its kind. The files of the first are named `0-KIND-…`."""

    EDGE = 1e-3
    """Log odds are taken no further out: a forest that says 0 would overrule all the others."""

    def __init__(self, parts: Sequence[tuple[str, Fitted]]) -> None:
        self.parts = tuple(parts)

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FittedEnsemble":
        """The model of a dump."""
        found: dict[tuple[int, str], dict[str, bytes]] = {}
        for name, content in files.items():
            place, kind, rest = name.split("-", 2)
            found.setdefault((int(place), kind), {})[rest] = content
        return cls([(kind, load(kind, found[place, kind])) for place, kind in sorted(found)])

    def predict(self, features: Features) -> Floats:
        odds = np.zeros(len(features))
        for _, part in self.parts:
            probabilities = np.clip(part.predict(features), self.EDGE, 1 - self.EDGE)
            odds += np.log(probabilities) - np.log1p(-probabilities)
        found: Floats = 1 / (1 + np.exp(-odds / len(self.parts)))
        return found

    def contributions(self, features: Features) -> Floats | None:
        """The mean of those parts that can say, None where none can."""
        said = [found for _, part in self.parts if (found := part.contributions(features)) is not None]
        return np.mean(said, axis=0) if said else None

    def dump(self) -> dict[str, bytes]:
        return {
            f"{place}-{kind}-{name}": content
            for place, (kind, part) in enumerate(self.parts)
            for name, content in part.dump().items()
        }


LOADERS: Mapping[str, Callable[[Mapping[str, bytes]], Fitted]] = {
    "xgboost": FittedXGBoost.load,
    "lightgbm": FittedLightGBM.load,
    "random_forest": FittedForest.load,
    "isolation_forest": FittedIsolation.load,
    "logistic_regression": FittedLogistic.load,
    "ensemble": FittedEnsemble.load,
}
"""By the name of the estimator."""


def load(kind: str, files: Mapping[str, bytes]) -> Fitted:
    """What an estimator of that name had dumped.

    Raises:
        KeyError: no estimator has that name.
    """
    return LOADERS[kind](files)
