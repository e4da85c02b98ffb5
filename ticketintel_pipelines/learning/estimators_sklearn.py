"""Estimators of scikit-learn: random forest, isolation forest, logistic regression. Their files are skops files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ticketintel_pipelines.learning import skops_files
from ticketintel_pipelines.learning.estimators import THREADS
from ticketintel_pipelines.learning.examples import Features, Floats, Integers

FILE = "model.skops"


@dataclass(frozen=True)
class RandomForest:
    """Trees on bootstrap samples; unknown values go to the side of a split that serves them."""

    trees: int = 200
    depth: int = 16
    least_leaf: int = 5
    columns: float | str = "sqrt"

    @property
    def name(self) -> str:
        return "random_forest"

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> "FittedForest":
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            n_estimators=self.trees,
            max_depth=self.depth,
            min_samples_leaf=self.least_leaf,
            max_features=self.columns,
            random_state=seed,
            n_jobs=THREADS,
        )
        return FittedForest(forest.fit(features, labels, sample_weight=weights))

    def varied(self, random: np.random.Generator) -> "RandomForest":
        return RandomForest(
            trees=self.trees,
            depth=int(random.integers(8, 25)),
            least_leaf=int(random.choice((1, 3, 5, 10, 20))),
            columns=float(random.choice((0.2, 0.35, 0.5))),
        )


class FittedForest:
    """A random forest."""

    def __init__(self, forest: Any) -> None:
        # Threads would add up the votes in the order in which they finish, and the last bits of a score with them.
        self.forest = forest.set_params(n_jobs=None)

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FittedForest":
        """The model of a dump."""
        return cls(skops_files.load(files[FILE]))

    def predict(self, features: Features) -> Floats:
        return _positive(self.forest, features)

    def contributions(self, features: Features) -> None:
        return None

    def dump(self) -> dict[str, bytes]:
        return {FILE: skops_files.dump(self.forest)}


@dataclass(frozen=True)
class IsolationForest:
    """How few random cuts set a row apart from the others; learned without labels.

    Its prediction is the anomaly score of Liu, Ting, Zhou, "Isolation Forest", ICDM 2008, in (0, 1), which is no probability
    before it is calibrated.
    """

    trees: int = 200
    sample: int = 256
    columns: float = 1.0

    @property
    def name(self) -> str:
        return "isolation_forest"

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> "FittedIsolation":
        from sklearn.ensemble import IsolationForest as Forest

        sample = min(self.sample, len(features))
        forest = Forest(n_estimators=self.trees, max_samples=sample, max_features=self.columns, random_state=seed)
        return FittedIsolation(forest.fit(features))

    def varied(self, random: np.random.Generator) -> "IsolationForest":
        return IsolationForest(
            trees=self.trees, sample=int(random.choice((128, 256, 512, 2048))), columns=float(random.choice((0.3, 0.6, 1.0)))
        )


class FittedIsolation:
    """An isolation forest."""

    def __init__(self, forest: Any) -> None:
        self.forest = forest

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FittedIsolation":
        """The model of a dump."""
        return cls(skops_files.load(files[FILE]))

    def predict(self, features: Features) -> Floats:
        if not len(features):
            return np.empty(0)
        found: Floats = -self.forest.score_samples(features).astype(np.float64)
        return found

    def contributions(self, features: Features) -> None:
        return None

    def dump(self) -> dict[str, bytes]:
        return {FILE: skops_files.dump(self.forest)}


@dataclass(frozen=True)
class LogisticRegression:
    """Log odds as a weighted sum. Unknown values become the median and a flag of their own; each column has unit deviation."""

    inverse_penalty: float = 1.0

    @property
    def name(self) -> str:
        return "logistic_regression"

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> "FittedLogistic":
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression as Regression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        line = make_pipeline(
            # A column that is unknown throughout stays, so that the weights keep their places.
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            Regression(C=self.inverse_penalty, max_iter=1_000, random_state=seed),
        )
        return FittedLogistic(line.fit(features.astype(np.float64), labels, logisticregression__sample_weight=weights))

    def varied(self, random: np.random.Generator) -> "LogisticRegression":
        return LogisticRegression(inverse_penalty=float(10.0 ** random.uniform(-3, 2)))


class FittedLogistic:
    """A pipeline of imputation, scaling and regression."""

    def __init__(self, line: Any) -> None:
        self.line = line

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FittedLogistic":
        """The model of a dump."""
        return cls(skops_files.load(files[FILE]))

    def predict(self, features: Features) -> Floats:
        return _positive(self.line, features.astype(np.float64))

    def contributions(self, features: Features) -> Floats:
        """Distance from the mean row; what the flag of an unknown value adds counts for its feature."""
        scaled = self.line[:-1].transform(features.astype(np.float64))
        moved = scaled * self.line[-1].coef_[0]
        width = features.shape[1]
        found: Floats = moved[:, :width].copy()
        found[:, self.line[0].indicator_.features_] += moved[:, width:]
        return found

    def dump(self) -> dict[str, bytes]:
        return {FILE: skops_files.dump(self.line)}


def _positive(model: Any, features: Any) -> Floats:
    if not len(features):
        return np.empty(0)
    found: Floats = model.predict_proba(features)[:, 1].astype(np.float64)
    return found
