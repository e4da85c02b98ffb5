"""Calibration: what a model puts out becomes a probability that can be counted on."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Floats, Integers

EDGE = 1e-6
"""Predictions are kept so far from 0 and 1, whose logarithms are not finite."""


@dataclass(frozen=True)
class Beta:
    """Beta calibration: log odds = a · ln p − b · ln(1 − p) + c with a, b ≥ 0, so that order is kept.

    Source: Kull, Silva Filho, Flach, "Beta calibration", AISTATS 2017. a = b = 1, c = 0 changes nothing.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def apply(self, predictions: Floats) -> Floats:
        """Calibrated probabilities (n,) of predictions (n,)."""
        low = np.log(np.clip(predictions, EDGE, 1 - EDGE))
        high = np.log1p(-np.clip(predictions, EDGE, 1 - EDGE))
        found: Floats = 1 / (1 + np.exp(-(self.a * low - self.b * high + self.c)))
        return found


def fit_beta(predictions: Floats, labels: Integers) -> Beta:
    """The calibration with the least log loss on predictions and labels, both (n,); none at all without both classes."""
    from scipy.optimize import minimize

    if labels.min(initial=1) == labels.max(initial=0):
        return Beta()
    low = np.log(np.clip(predictions, EDGE, 1 - EDGE))
    high = -np.log1p(-np.clip(predictions, EDGE, 1 - EDGE))
    columns = np.column_stack([low, high, np.ones_like(low)])
    signs = 2.0 * labels - 1

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = signs * (columns @ weights)
        # A trace of ridge towards the identity keeps few or separable labels from running off.
        apart = weights - np.array([1.0, 1.0, 0.0])
        value = float(np.logaddexp(0, -odds).sum() + 0.5e-2 * apart @ apart)
        pull = -signs / (1 + np.exp(np.clip(odds, -500, 500)))
        return value, columns.T @ pull + 1e-2 * apart

    found = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, bounds=[(0, None), (0, None), (None, None)], method="L-BFGS-B")
    return Beta(*(float(value) for value in found.x))
