"""How central each key is among those that things were passed between: PageRank of a weighted, directed graph.

The result is a function of the transfers alone: neither their order, nor threads, nor an earlier result has a part in it, so
that a day worked out again gives the same bits. A graph needs all of its edges at once: there are no states to go on from.

Source: Brin and Page, "The anatomy of a large-scale hypertextual Web search engine", 1998.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ticketintel_pipelines.features.rows import MISSING, Integers, grouping_of

DAMPING = 0.85
"""Share of steps in which the random walker follows a transfer instead of going to any key; Brin and Page's own value."""
TOLERANCE = 1e-10
"""Mean change of a score in one step below which the walk counts as settled. What is left of the mean error is at most
DAMPING / (1 - DAMPING), 5.7, times as much."""
MOST_STEPS = 200
"""More than there can be: the change is at most 2 at first and each step leaves at most DAMPING of it, so that 147 suffice."""

Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Centrality:
    """Keys, ascending and each once, with what the graph says of them; a key without a transfer to count is not among them.

    `score` is PageRank times the number of keys: the mean is 1 however many there are, and none is below 0.15, 1 - DAMPING.
    `givers` and `receivers` are the numbers of different keys that gave to it and that it gave to.
    """

    key: Integers
    score: Numbers
    givers: Integers
    receivers: Integers

    def scores_of(self, keys: Integers) -> Numbers:
        """The scores of some keys; NaN for one that is not in the graph."""
        if not len(self.key):
            return np.full(len(keys), np.nan)
        places = np.minimum(np.searchsorted(self.key, keys), len(self.key) - 1)
        return np.where(self.key[places] == keys, self.score[places], np.nan)


def centrality(giver: Integers, receiver: Integers) -> Centrality:
    """PageRank of the graph in which each pair (giver, receiver) is joined with the number of its transfers as weight.

    One transfer is one place of both arrays. Whoever receives from central ones is central. Transfers without a giver or a
    receiver (`MISSING`) and those to oneself are left out; what a key that never gives would pass on goes to all alike.
    Without any transfer the result is empty.

    Raises:
        ValueError: the arrays are not 64-bit integers, or not equally long.
    """
    if giver.dtype != np.int64 or receiver.dtype != np.int64 or giver.ndim != 1 or giver.shape != receiver.shape:
        raise ValueError(
            "givers and receivers must be 64-bit integers, as many of one as of the other; "
            f"they are {giver.shape} of {giver.dtype} and {receiver.shape} of {receiver.dtype}"
        )
    keys, pairs = _pairs(giver, receiver)
    count = len(keys)
    if not count:
        nobody = np.empty(0, np.int64)
        return Centrality(nobody, np.empty(0, np.float64), nobody, nobody)
    # By receiver, then giver: sums are made in this order whatever that of the transfers was.
    pairs, weights = np.unique(pairs, return_counts=True)
    receivers, givers = np.divmod(pairs, count)
    given = np.bincount(givers, weights, count)
    in_degree = np.bincount(receivers, minlength=count)
    steps = sparse.csr_array(
        (weights / given[givers], givers, np.concatenate([[0], np.cumsum(in_degree)])), shape=(count, count)
    )
    return Centrality(keys, _settled(steps, np.flatnonzero(given == 0)), in_degree, np.bincount(givers, minlength=count))


def _pairs(giver: Integers, receiver: Integers) -> tuple[Integers, Integers]:
    """The keys of the graph, ascending, and for each of its transfers receiver * number of keys + giver, by place in them."""
    passed = (giver != MISSING) & (receiver != MISSING) & (giver != receiver)
    transfers = np.count_nonzero(passed)
    # Numbered by hashing and then put in order of the keys: sorting all ends of the transfers takes several times as long.
    ends = grouping_of(np.concatenate([giver[passed], receiver[passed]]))
    order = np.argsort(ends.keys)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    pairs = place[ends.codes[transfers:]]
    pairs *= len(order)
    pairs += place[ends.codes[:transfers]]
    return ends.keys[order], pairs


def _settled(steps: sparse.csr_array, silent: Integers) -> Numbers:
    """The scores that a step leaves as they are. `steps` has what each row's key gets from others, `silent` give nothing."""
    count = steps.shape[0]
    score = np.ones(count)
    for _ in range(MOST_STEPS):
        before = score
        score = DAMPING * (steps @ before + before[silent].sum() / count) + (1 - DAMPING)
        if np.abs(score - before).mean() < TOLERANCE:
            break
    return score
