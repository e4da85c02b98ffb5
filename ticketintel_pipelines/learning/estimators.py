"""Estimators: how a model learns, behind one small protocol, and what it has learned.

An `Estimator` is a frozen declaration of hyper-parameters. `fit` gives a `Fitted`, which predicts, explains, and dumps itself
into files that hold no code. Each library is imported where it is used: loading the definitions imports none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ticketintel_pipelines.learning.examples import Features, Floats, Integers

THREADS = 2
LEAST_ODDS = -700.0
"""Below, the exponential is no longer finite."""
LEARNING_RATES = (0.03, 0.05, 0.1, 0.2)


class Fitted(Protocol):
    """What was learned."""

    def predict(self, features: Features) -> Floats:
        """Uncalibrated probabilities of being positive, (n,), of features (n, m)."""

    def contributions(self, features: Features) -> Floats | None:
        """How much each feature moved each row's prediction, (n, m), in log odds; None where the kind of model cannot say."""

    def dump(self) -> dict[str, bytes]:
        """The model as files, by name; equal for equal models."""


class Estimator(Protocol):
    """How to learn."""

    @property
    def name(self) -> str:
        """Short name for reports."""

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> Fitted:
        """Learn from features (n, m), NaN where unknown, and labels (n,) of 0 and 1. Same data and seed, same bytes."""

    def varied(self, random: np.random.Generator) -> "Estimator":
        """Another one of the kind, drawn from its space of hyper-parameters."""


@dataclass(frozen=True)
class XGBoost:
    """Gradient-boosted trees on log loss.

    `max_bin` and the base score are those with which rare positives are found: few bins merge their narrow ranges, and a base
    score of the positives' share makes the first trees spend themselves on the rest.
    """

    trees: int = 300
    depth: int = 6
    rate: float = 0.1
    max_bin: int = 2048
    least_child_weight: float = 1.0
    columns: float = 1.0
    rows: float = 1.0
    l2: float = 1.0
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "xgboost"

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> "FittedXGBoost":
        import xgboost

        parameters = {
            "objective": "binary:logistic",
            "base_score": 0.5,
            "tree_method": "hist",
            "max_bin": self.max_bin,
            "max_depth": self.depth,
            "eta": self.rate,
            "min_child_weight": self.least_child_weight,
            "colsample_bytree": self.columns,
            "subsample": self.rows,
            "lambda": self.l2,
            "nthread": THREADS,
            "seed": seed,
            **self.more,
        }
        data = xgboost.DMatrix(features, label=labels, weight=weights)
        return FittedXGBoost(xgboost.train(parameters, data, num_boost_round=self.trees))

    def varied(self, random: np.random.Generator) -> "XGBoost":
        return XGBoost(
            trees=int(random.choice((150, 300, 500))),
            depth=int(random.integers(3, 9)),
            rate=float(random.choice(LEARNING_RATES)),
            max_bin=self.max_bin,
            least_child_weight=float(random.choice((1.0, 3.0, 10.0))),
            columns=float(random.choice((0.5, 0.8, 1.0))),
            rows=float(random.choice((0.7, 1.0))),
            l2=float(random.choice((1.0, 5.0, 20.0))),
            more=self.more,
        )


class FittedXGBoost:
    """A booster; its file is in XGBoost's own binary JSON (UBJ)."""

    FILE = "model.ubj"

    def __init__(self, booster: Any) -> None:
        self.booster = booster

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FittedXGBoost":
        """The model of a dump."""
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(bytearray(files[cls.FILE]))
        booster.set_param({"nthread": THREADS})
        return cls(booster)

    def predict(self, features: Features) -> Floats:
        # The library's own logistic function is one of 32 bits; calibration would magnify what that leaves out.
        odds = self.booster.inplace_predict(features, predict_type="margin").astype(np.float64)
        found: Floats = 1 / (1 + np.exp(-np.maximum(odds, LEAST_ODDS)))
        return found

    def contributions(self, features: Features) -> Floats:
        import xgboost

        found: Floats = self.booster.predict(xgboost.DMatrix(features), pred_contribs=True)[:, :-1].astype(np.float64)
        return found

    def dump(self) -> dict[str, bytes]:
        return {self.FILE: bytes(self.booster.save_raw("ubj"))}
