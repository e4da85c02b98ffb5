"""What a recommendation rests on most: a source, and the bought item that is nearest to it."""

import numpy as np

from ticketintel_pipelines.learning.examples import Integers
from ticketintel_pipelines.learning.recommending.known import Matrix, Sparse
from ticketintel_pipelines.learning.recommending.recommender import Prepared
from ticketintel_pipelines.learning.recommending.signals import COLLABORATIVE, CONTENT, NEIGHBOURS, POPULAR

SOURCES = (POPULAR, CONTENT, COLLABORATIVE)


def main_sources(prepared: Prepared, rows: Integers, chosen: Integers) -> tuple[Integers, Integers]:
    """For pairs of a user and a chosen candidate the source that adds most, by position in `SOURCES`, and the signal that
    adds most, by position (p,).

    For users of whom nothing is known all is popularity.
    """
    added = prepared.contributions(rows, chosen)
    of = np.array([SOURCES.index(signal.source) for signal in prepared.signals])
    by_source = np.column_stack([added[:, of == place].sum(axis=1) for place in range(len(SOURCES))])
    source = by_source.argmax(axis=1)
    within = np.where(of[None, :] == source[:, None], added, -np.inf)
    return source, within.argmax(axis=1)


def nearest_bought(prepared: Prepared, rows: Integers, chosen: Integers) -> tuple[Integers, Matrix]:
    """For such pairs the bought item that is the nearest neighbour of the candidate, −1 if none is one, and its similarity."""
    (signal,) = (one for one in prepared.signals if one.name == NEIGHBOURS)
    bought: Sparse = prepared.known.bought()
    first, last = bought.indptr[rows], bought.indptr[rows + 1]
    pair = np.repeat(np.arange(len(rows)), last - first)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    item = bought.indices[np.repeat(first, last - first) + within]
    value = signal.items[item, chosen[pair]]
    # The last of a pair after sorting is its nearest; of equals the first item.
    order = np.lexsort((-item, value, pair))
    found, similarity = np.full(len(rows), -1), np.zeros(len(rows), np.float32)
    found[pair[order]], similarity[pair[order]] = item[order], value[order]
    found[similarity <= 0] = -1
    return found, similarity
