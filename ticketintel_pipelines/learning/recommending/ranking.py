"""The best k of many candidates for many users, by products of matrices in pieces."""

from collections.abc import Callable, Iterator

import numpy as np

from ticketintel_pipelines.learning.examples import Integers
from ticketintel_pipelines.learning.recommending.known import Matrix, Sparse

PIECE_CELLS = 4_000_000
"""Users are worked through in pieces whose matrix of scores has at most so many cells: 16 MB."""
NONE = -1
"""In the place of a candidate that there is not."""


def best(scores: Matrix, count: int) -> Integers:
    """Positions of the `count` highest of each row (r, count), the highest first; of equal ones the first comes first.

    Those at −∞ are left out, and `NONE` stands in their places.
    """
    rows, candidates = scores.shape
    found = np.full((rows, count), NONE)
    kept = min(count, candidates)
    if not rows or not kept:
        return found
    if kept == candidates:
        chosen = np.tile(np.arange(candidates), (rows, 1))
    else:
        chosen = np.argpartition(scores, candidates - kept, axis=1)[:, candidates - kept :]
        least = np.take_along_axis(scores, chosen, axis=1).min(axis=1)
        # A partition takes any of those that are equal to the last one.
        unclear = np.flatnonzero((scores >= least[:, None]).sum(axis=1) > kept)
        chosen[unclear] = np.argsort(-scores[unclear], axis=1, kind="stable")[:, :kept]
    chosen.sort(axis=1)
    values = np.take_along_axis(scores, chosen, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    chosen, values = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(values, order, axis=1)
    found[:, :kept] = np.where(np.isneginf(values), NONE, chosen)
    return found


def pieces(rows: Integers, candidates: int) -> Iterator[Integers]:
    """The rows in pieces; their size depends on the number of candidates alone."""
    size = max(1, PIECE_CELLS // max(candidates, 1))
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def hide_bought(scores: Matrix, bought: Sparse) -> None:
    """Put −∞, in place, where a user has bought the candidate; `bought` (r, c) has the rows of the scores."""
    entries = bought.tocoo()
    scores[entries.row, entries.col] = -np.inf


def best_for(rows: Integers, scored: Callable[[Integers], Matrix], bought: Sparse, count: int) -> tuple[Integers, Matrix]:
    """The best candidates of users (r, count) and their scores, NaN in the places of `NONE`.

    `scored` gives the scores of some users (r, c); `bought` (n, c) holds the candidates that each user has bought.
    """
    found = np.full((len(rows), count), NONE)
    values = np.full((len(rows), count), np.nan, np.float32)
    first = 0
    for piece in pieces(rows, bought.shape[1]):
        scores = scored(piece)
        hide_bought(scores, bought[piece])
        chosen = best(scores, count)
        last = first + len(piece)
        found[first:last] = chosen
        taken = np.take_along_axis(scores, np.maximum(chosen, 0), axis=1) if bought.shape[1] else values[first:last]
        values[first:last] = np.where(chosen == NONE, np.nan, taken)
        first = last
    return found, values
