"""How much each signal weighs: learned from which candidates were chosen, by a conditional logit (McFadden, 1974)."""

from collections.abc import Sequence

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Floats
from ticketintel_pipelines.learning.recommending.known import Trial
from ticketintel_pipelines.learning.recommending.signals import Signal

MOST_CELLS = 6_000_000
"""Values of signals that weights are learned from; of more, users are drawn."""
RIDGE = 1.0
"""Penalty of a squared weight of a signal of spread one: keeps weights of signals that say the same within bounds."""
STEPS = 50
LEAST_STEP = 1e-8
Choices = tuple[Floats, Flags, Flags]
"""Signals (r, c, s), which candidates were chosen (r, c), and which could be (r, c)."""


def choices(trial: Trial, signals: Sequence[Signal], chosen: Flags, seed: int, most_cells: int) -> Choices:
    """The choices of those of a trial's users that are `chosen` (r,), or of as many drawn as `most_cells` allow."""
    places = np.flatnonzero(chosen)
    most = max(1, most_cells // max(1, len(trial.known.candidates) * len(signals)))
    if len(places) > most:
        places = np.sort(np.random.default_rng(seed).choice(places, most, replace=False))
    rows = trial.rows[places]
    values = np.stack([signal.of(rows).astype(np.float64) for signal in signals], axis=2)
    possible = ~np.asarray(trial.known.bought()[rows][:, trial.known.candidates].todense(), dtype=bool)
    return values, trial.relevant[places], possible


def learn_weights(sets: Sequence[Choices]) -> Floats:
    """The weights (s,) that make the choices likeliest, by Newton's method on the penalised log-likelihood, which is concave.

    Each purchase is one choice among the candidates that the user had not bought.
    """
    spread = _spread(sets)
    weights = np.zeros(len(spread))
    value, gradient, curvature = _likelihood(sets, weights, spread)
    for _ in range(STEPS):
        step = np.linalg.solve(curvature, gradient)
        while True:
            moved = _likelihood(sets, weights + step, spread)
            if moved[0] >= value or np.abs(step).max() < LEAST_STEP:
                break
            step = step / 2
        weights = weights + step
        value, gradient, curvature = moved
        if np.abs(step).max() < LEAST_STEP:
            break
    found: Floats = weights / spread
    return found


def _spread(sets: Sequence[Choices]) -> Floats:
    """Of each signal over all choices (s,); 1 where it does not vary, or hardly."""
    count = sum(int(possible.sum()) for _, _, possible in sets)
    mean = sum(values[possible].sum(axis=0) for values, _, possible in sets) / max(count, 1)
    square = sum(((values[possible] - mean) ** 2).sum(axis=0) for values, _, possible in sets) / max(count, 1)
    spread = np.sqrt(np.asarray(square))
    found: Floats = np.where(spread > 1e-9, spread, 1.0)
    return found


def _likelihood(sets: Sequence[Choices], weights: Floats, spread: Floats) -> tuple[float, Floats, Floats]:
    """Penalised log-likelihood, its gradient (s,) and its negative second derivative (s, s)."""
    value = -RIDGE / 2 * float(weights @ weights)
    gradient = -RIDGE * weights
    curvature = RIDGE * np.eye(len(weights))
    for values, relevant, possible in sets:
        scaled = values / spread
        utility = np.where(possible, scaled @ weights, -np.inf)
        utility -= utility.max(axis=1, keepdims=True)
        share = np.exp(utility)
        total = share.sum(axis=1, keepdims=True)
        share /= total
        times = relevant.sum(axis=1)
        value += float(utility[relevant].sum() - (times * np.log(total[:, 0])).sum())
        mean = np.einsum("rc,rcs->rs", share, scaled)
        gradient = gradient + scaled[relevant].sum(axis=0) - times @ mean
        weighted = (share * times[:, None]).ravel()
        flat = scaled.reshape(-1, scaled.shape[2])
        curvature = curvature + flat.T @ (flat * weighted[:, None]) - mean.T @ (mean * times[:, None])
    return value, gradient, curvature
