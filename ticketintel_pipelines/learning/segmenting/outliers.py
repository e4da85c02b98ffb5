"""Rows that lie outside all groups, by DBSCAN on a sample: a row is one when no core row of the sample is near.

Source: M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A Density-Based Algorithm for Discovering Clusters", KDD 1996, with the
distance read off the knee of the sorted distances to the k-th neighbour; the knee as in V. Satopää et al., "Finding a 'Kneedle'
in a Haystack", ICDCS 2011: where the curve is furthest from the line between its ends.
"""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Floats, Integers
from ticketintel_pipelines.learning.segmenting.clusters import drawn_rows

SAMPLE = 8_000
"""Rows whose neighbours are searched; what is near is read off the same rows, so that a larger sample means nearer."""


@dataclass(frozen=True)
class Density:
    """`cores` (c, m) are scaled rows with at least `neighbours` of the sample (themselves counted) within `radius`.

    `groups` (c,) numbers the dense region of each; `curve` (s,) are the sorted distances to the `neighbours`-th, for a picture.
    """

    cores: Floats
    groups: Integers
    radius: float
    neighbours: int
    curve: Floats

    def outliers(self, scaled: Floats) -> Flags:
        """Which of scaled rows (n, m) are within `radius` of no core."""
        from scipy.spatial import cKDTree

        if not len(self.cores):
            return np.zeros(len(scaled), dtype=bool)
        distance, _ = cKDTree(self.cores).query(scaled, distance_upper_bound=np.nextafter(self.radius, np.inf), workers=-1)
        return ~np.isfinite(distance)


def fit_density(scaled: Floats, seed: int) -> Density:
    """Of scaled rows (n, m), at least three."""
    from scipy.spatial import cKDTree
    from sklearn.cluster import DBSCAN

    rows = scaled[drawn_rows(len(scaled), SAMPLE, seed)]
    neighbours = min(max(4, 2 * rows.shape[1]), len(rows))
    distance, _ = cKDTree(rows).query(rows, k=[neighbours], workers=1)
    curve = np.sort(distance[:, -1])
    radius = max(knee(curve), np.finfo(np.float64).tiny)
    found = DBSCAN(eps=radius, min_samples=neighbours, algorithm="ball_tree").fit(rows)
    cores = found.core_sample_indices_
    return Density(rows[cores], found.labels_[cores].astype(np.int64), float(radius), neighbours, curve)


def knee(curve: Floats) -> float:
    """Where a rising curve (s,) turns up: its point furthest below the line between its ends."""
    if curve[-1] <= curve[0]:
        return float(curve[-1])
    line = np.linspace(0, 1, len(curve))
    return float(curve[np.argmax(line - (curve - curve[0]) / (curve[-1] - curve[0]))])
