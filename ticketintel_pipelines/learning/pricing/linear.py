"""Linear regression by ordinary least squares, with what its features need before it written into its file."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.examples import Floats

EDGE = 0.01
"""Values below this share of what was learned from, or above one minus it, count as that quantile: a straight line goes on for
ever, and a market's next month lies outside its last one."""
LEAST_SPREAD = 1e-9


@dataclass(frozen=True)
class LinearRegression:
    """ŷ = c + Σ w_j z_j, z the features as `_prepared` makes them: m of them, then m flags of being unknown.

    `middle`, `low` and `high` (m,) are medians and edges of what was learned from; `mean` and `scale` (2m,) standardise;
    weights (2m,) of what never varied are 0.
    """

    middle: Floats
    low: Floats
    high: Floats
    mean: Floats
    scale: Floats
    weights: Floats
    constant: float

    def predict(self, features: Floats) -> Floats:
        """Predictions (n,) for features (n, m), NaN where unknown."""
        known = _filled(features, self.middle, self.low, self.high)
        # Row by row: a product of matrices rounds otherwise when other rows stand beside.
        found: Floats = ((known - self.mean) / self.scale * self.weights).sum(axis=1) + self.constant
        return found

    def dump(self) -> bytes:
        """The regression as JSON."""
        values = {name: np.asarray(value).tolist() for name, value in vars(self).items()}
        return json.dumps(values, sort_keys=True).encode()

    @classmethod
    def load(cls, content: bytes) -> "LinearRegression":
        """The regression of a dump."""
        values: dict[str, Any] = json.loads(content)
        constant = float(values.pop("constant"))
        return cls(**{name: np.array(value, np.float64) for name, value in values.items()}, constant=constant)


def fit_linear(features: Floats, targets: Floats) -> LinearRegression:
    """Least squares on targets (n,) and features (n, m), NaN where unknown; the solution of least length where several are.

    What is unknown becomes the median, beside a flag that says so; extremes, of targets too, become the edges: a sale for one
    wei lies 44 below in logarithms and would bend the line for all. All is standardised, so that weights can be compared.
    """
    unknown = np.isnan(features)
    # A feature nobody ever knew says nothing: 0 throughout.
    held = np.where(unknown.all(axis=0), 0.0, features)
    middle = np.nanmedian(held, axis=0)
    low, high = np.nanquantile(held, [EDGE, 1 - EDGE], axis=0)
    known = _filled(features, middle, low, high)
    mean, spread = known.mean(axis=0), known.std(axis=0)
    varies = spread > LEAST_SPREAD
    scale = np.where(varies, spread, 1.0)
    standard = ((known - mean) / scale) * varies
    kept = np.clip(targets, *np.quantile(targets, [EDGE, 1 - EDGE]))
    constant = float(kept.mean())
    weights, *_ = np.linalg.lstsq(standard, kept - constant, rcond=1e-8)
    return LinearRegression(middle, low, high, mean, scale, np.where(varies, weights, 0.0), constant)


def _filled(features: Floats, middle: Floats, low: Floats, high: Floats) -> Floats:
    unknown = np.isnan(features)
    filled = np.clip(np.where(unknown, middle, features), low, high)
    return np.column_stack([filled, unknown.astype(np.float64)])
