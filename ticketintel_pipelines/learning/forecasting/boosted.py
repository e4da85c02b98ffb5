"""Boosted counts: one model for all series, which learns how far the days to come lie from each series' own level.

Trees minimise the Poisson loss of exp(level + trees): a series that has doubled since they were fitted is still forecast at its
own level. Of what the trees add, so much is kept as serves best on later days than they were learned from: a single series of a
few weeks teaches little that holds in the next. Intervals come from the same days, for small and large forecasts and for each
number of days ahead by themselves (class-conditional conformal prediction: Vovk, "Conditional validity of inductive conformal
predictors", Machine Learning 92, 2013).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.conformal import conformal_quantile
from ticketintel_pipelines.learning.estimators import THREADS
from ticketintel_pipelines.learning.examples import Flags, Floats, Integers
from ticketintel_pipelines.learning.forecasting.series import HORIZONS

COVERAGE = 0.8
TAIL = (1 + COVERAGE) / 2
MOST_LOG = 12.0
"""No series counts more than e¹² a day; the exponential stays finite."""
KEPT = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the trees' word of which the best one is taken."""
SIZES = (3.0, 10.0, 30.0, 100.0)
"""Forecasts are told apart at these: a crowd of a thousand varies in another way than one of three."""
LEAST_CLASS = 40
"""Calibrated on with fewer rows, an end of the interval would rest on four of them."""
_BOOSTER, _SETTINGS = "counts.txt", "settings.json"


@dataclass(frozen=True)
class CountBoosting:
    """Small trees: a season is some thousand rows, most of them of the same days."""

    trees: int = 200
    leaves: int = 15
    rate: float = 0.05
    least_rows: int = 30
    columns: float = 0.6

    def fit(self, features: Floats, level: Floats, counts: Floats, seed: int) -> "FittedCounts":
        """Learn from features (n, m), logarithms of levels (n,) and counts (n,). Same data and seed, same bytes."""
        import lightgbm

        parameters = {
            "objective": "poisson",
            "boost_from_average": False,
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": min(self.least_rows, max(5, len(counts) // 20)),
            "feature_fraction": self.columns,
            "lambda_l2": 1.0,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": THREADS,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(features, label=counts, init_score=level, params={"verbosity": -1})
        booster = lightgbm.train(parameters, data, num_boost_round=self.trees)
        return FittedCounts(booster, np.zeros((len(SIZES) + 1, HORIZONS, 2)))


@dataclass(frozen=True)
class FittedCounts:
    """The booster, and `margins` (len(SIZES) + 1, HORIZONS, 2): how far below and above a forecast of that size, so many days
    ahead, the interval reaches, in `spread`s.

    `kept` is the share of the trees' word that counts, from 0, the level alone, to 1.
    """

    booster: Any
    margins: Floats
    kept: float = 1.0

    def predict(self, features: Floats, level: Floats) -> Floats:
        """Expected counts (n,) for features (n, m) and logarithms of levels (n,)."""
        if not len(features):
            return np.empty(0)
        raw = np.asarray(self.booster.predict(features, raw_score=True, num_threads=THREADS), np.float64)
        found: Floats = np.exp(np.minimum(self.kept * raw + level, MOST_LOG))
        return found

    def bounds(self, expected: Floats, ahead: Integers) -> tuple[Floats, Floats]:
        """Low and high end (n,) of forecasts (n,) so many days ahead (n,); the low end is not negative."""
        below, above = self.margins[np.digitize(expected, SIZES), ahead - 1].T
        width = spread(expected)
        # Never past the forecast itself, whatever the margins.
        return np.clip(expected - below * width, 0, expected), np.maximum(expected + above * width, expected)

    def calibrated(self, features: Floats, level: Floats, ahead: Integers, counts: Floats) -> "FittedCounts":
        """The same booster with the share kept and the margins that rows (n,) of later days ask for."""
        choices = [FittedCounts(self.booster, self.margins, kept) for kept in KEPT]
        losses = [_poisson_loss(one.predict(features, level), counts) for one in choices]
        best = choices[int(np.argmin(losses))]
        expected = best.predict(features, level)
        apart = (counts - expected) / spread(expected)
        size = np.digitize(expected, SIZES)
        margins = np.zeros_like(self.margins)
        for step in range(len(SIZES) + 1):
            for days in range(1, HORIZONS + 1):
                rows = _alike(size == step, ahead == days)
                margins[step, days - 1] = conformal_quantile(-apart[rows], TAIL), conformal_quantile(apart[rows], TAIL)
        return FittedCounts(self.booster, margins, best.kept)

    def importances(self) -> Floats:
        """How much each feature took off the loss; sums to 1, or is 0 throughout."""
        gains: Floats = np.asarray(self.booster.feature_importance("gain"), np.float64)
        return gains / gains.sum() if gains.sum() > 0 else gains

    def dump(self) -> dict[str, bytes]:
        """LightGBM's own text, and the rest as JSON."""
        settings = json.dumps({"kept": self.kept, "margins": self.margins.tolist()})
        return {_BOOSTER: self.booster.model_to_string().encode(), _SETTINGS: settings.encode()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "FittedCounts":
        """The model of a dump."""
        import lightgbm

        settings = json.loads(files[_SETTINGS])
        booster = lightgbm.Booster(model_str=files[_BOOSTER].decode())
        return cls(booster, np.array(settings["margins"], dtype=np.float64), float(settings["kept"]))


def _alike(size: Flags, ahead: Flags) -> Flags:
    """The rows of one size and so many days ahead; where they are too few, of one of the two alone, or all."""
    for rows in (size & ahead, size, ahead):
        if rows.sum() >= LEAST_CLASS:
            return rows
    return np.ones(len(size), dtype=bool)


def _poisson_loss(expected: Floats, counts: Floats) -> float:
    return float((expected - counts * np.log(np.maximum(expected, 1e-9))).mean())


def spread(expected: Floats) -> Floats:
    """In what a forecast's error is counted, (n,): between √x, how counts vary by chance, and x, how crowds do."""
    found: Floats = np.power(expected + 1.0, 0.75)
    return found
