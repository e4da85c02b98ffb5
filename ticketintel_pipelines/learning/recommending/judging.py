"""Recall and NDCG of recommended items among those that were bought soon after."""

from collections.abc import Callable

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Floats, Integers
from ticketintel_pipelines.learning.recommending.known import Matrix, Trial
from ticketintel_pipelines.learning.recommending.ranking import NONE, best_for

COUNT = 10
Scorer = Callable[[Integers], Matrix]
"""Gives the scores of some users for every candidate."""


def recall(found: Integers, relevant: Flags) -> Floats:
    """Share of what each user bought (r, c) that is among the recommended (r, k)."""
    shares: Floats = _hits(found, relevant).sum(axis=1) / relevant.sum(axis=1)
    return shares


def ndcg(found: Integers, relevant: Flags) -> Floats:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002) of each user, relevance 0 or 1."""
    discount = 1 / np.log2(np.arange(found.shape[1]) + 2)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(relevant.sum(axis=1), found.shape[1])]
    gains: Floats = (_hits(found, relevant) @ discount) / ideal
    return gains


def _hits(found: Integers, relevant: Flags) -> Flags:
    hit: Flags = np.take_along_axis(relevant, np.maximum(found, 0), axis=1) & (found != NONE)
    return hit


def recommended(trial: Trial, scored: Scorer, count: int = COUNT) -> Integers:
    """What is recommended to the trial's users (r, count)."""
    bought = trial.known.bought()[:, trial.known.candidates]
    return best_for(trial.rows, scored, bought, count)[0]
