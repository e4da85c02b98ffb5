"""K-means whose clusters keep their ids: it starts also where the last one ended, and is matched to it."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Floats, Integers

STARTS = 8
MOST_ROWS = 50_000
"""Fitted to; of more rows so many are drawn. All rows are assigned."""
WORSE = 0.02
"""By how much the clusters that continue the last ones may be looser (in sum of squared distances) than the best found."""
MOST_STEPS = 300


@dataclass(frozen=True)
class Clusters:
    """`centres` (k, m), and the sum of squared distances to them of the rows fitted to."""

    centres: Floats
    inertia: float

    def assign(self, scaled: Floats) -> tuple[Integers, Floats]:
        """The cluster (n,) of scaled rows (n, m), the first of equally near ones, and the distance (n,) to its centre."""
        best, nearest = np.zeros(len(scaled), np.int64), np.full(len(scaled), np.inf)
        for number, centre in enumerate(self.centres):
            squared = ((scaled - centre) ** 2).sum(axis=1)
            closer = squared < nearest
            best[closer], nearest[closer] = number, squared[closer]
        return best, np.sqrt(nearest)


def drawn_rows(count: int, most: int, seed: int) -> Integers:
    """Places of at most so many of `count` rows, in order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def fit_clusters(scaled: Floats, number: int, seed: int, start: Floats | None = None) -> Clusters:
    """K-means with so many clusters on scaled rows (n, m).

    With centres to start from, those they lead to are taken unless the best of other starts are tighter by `WORSE`: of two
    equally good partitions the one that people know. Equal rows and seed give equal bits.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    rows = scaled[drawn_rows(len(scaled), MOST_ROWS, seed)]
    # Threads would add up distances in an order of their own.
    with threadpool_limits(1):
        best = KMeans(number, n_init=STARTS, max_iter=MOST_STEPS, random_state=seed).fit(rows)
        if start is not None:
            again = KMeans(number, init=start, n_init=1, max_iter=MOST_STEPS, random_state=seed).fit(rows)
            if again.inertia_ <= best.inertia_ * (1 + WORSE):
                best = again
    return Clusters(np.asarray(best.cluster_centers_, np.float64), float(best.inertia_))


def match(centres: Floats, last: Floats) -> Integers:
    """For each of k centres the place of the last night's centre whose id it takes, both (k, m) on one scale.

    The pairs with the least sum of squared distances. Source: H. W. Kuhn, "The Hungarian Method for the Assignment Problem",
    Naval Research Logistics Quarterly 2, 1955.
    """
    from scipy.optimize import linear_sum_assignment

    squared = ((centres[:, None, :] - last[None, :, :]) ** 2).sum(axis=2)
    _, place = linear_sum_assignment(squared)
    return np.asarray(place, np.int64)
