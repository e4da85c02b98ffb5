"""Item neighbours: which items are bought by the same users."""

import numpy as np

from ticketintel_pipelines.learning.examples import Integers
from ticketintel_pipelines.learning.recommending.known import Matrix, Sparse


def similarities(bought: Sparse, candidates: Integers, neighbours: int, shrink: float) -> Matrix:
    """Cosine of each item with each candidate over their buyers (m, c), of the nearest items of a candidate alone.

    `shrink` is added to the denominator: items with few buyers are near each other by accident. No item is its own neighbour.
    """
    together = np.asarray((bought.T @ bought[:, candidates]).todense(), dtype=np.float64)
    buyers = np.asarray(bought.sum(axis=0), dtype=np.float64).ravel()
    length = np.sqrt(buyers[:, None] * buyers[candidates][None, :])
    found = np.divide(together, length + shrink, out=np.zeros_like(together), where=together > 0)
    found[candidates, np.arange(len(candidates))] = 0
    if neighbours < len(found):
        # The last kept of each column; with ties at it a few more stay, so that the order of items decides nothing.
        least = np.partition(found, len(found) - neighbours, axis=0)[len(found) - neighbours]
        found[found < least] = 0
    return found.astype(np.float32)
