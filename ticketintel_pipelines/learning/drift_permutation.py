"""Thresholds for many correlated statistics at once, from permutations of the rows themselves.

For each column four statistics: the shift of its normal scores (the most powerful rank test against a shifted mean where the
values are normal, van der Waerden 1952, and never less so than the t test where they are not, Chernoff and Savage 1958), the
same of their squares for spread (Klotz 1962), the share of nulls, and chi-squared over ten bins for anything else, such as a
default value that appears in the middle. Each is divided by its own 99.9th percentile under permutation, so that none is
favoured for its scale or its tail (at the 99th, those of rare flags raise the threshold of a shift from 4.5 to 5.4 σ);
the largest ratio over all columns and statistics is compared with that of the permuted rows (single-step max-T, Westfall and
Young 1993). Whole rows are permuted, hence the correlation of the columns is kept and the error is family-wise.

Rows are first put at random into blocks of equal size, and blocks are permuted: where reference and day are alike, the blocks
are exchangeable as the rows are, and one product of matrices gives all permutations. The one departure from an exact test is
that the bins are cut by the reference alone; the benchmark `drift` measures what remains of the level.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.drift_reference import CODES, NULL, Bins, count_codes, group_codes
from ticketintel_pipelines.learning.examples import Features, Floats, Integers

SHAPE = "shape"
KINDS = ("location", "spread", "missing", SHAPE)
SHAPE_BINS = 10
BLOCKS = 600
"""Blocks of both together, about: what bounds the time."""
LEAST_BLOCKS = 10
MOST_BLOCKS = 1_000
"""Of the reference. Rows of a reference many times the day's add no power, and are left out."""
_QUANTILE = 0.999
_FLOORS = (3.291, 3.291, 3.291, 10.828)
"""The same percentiles of |z| and of chi-squared with one degree of freedom: a statistic that hardly varies is not blown up."""


@dataclass(frozen=True)
class Thresholds:
    """The statistics (columns, 4) of a day, in the order of `KINDS`; each has drifted where it exceeds its threshold.

    `p_value` is that of the day as a whole.
    """

    statistics: Floats
    thresholds: Floats
    p_value: float


def permute(current: Bins, reference: Bins, level: float, permutations: int, seed: int) -> Thresholds:
    """Compare the bin codes of a day (n, columns) with those of the reference.

    Both with at least `LEAST_BLOCKS` rows, each in an order of its own that does not depend on where the rows came from;
    `level` is the family-wise error over all columns and statistics.
    """
    rng = np.random.default_rng(seed)
    size = max(1, min((len(current) + len(reference)) // BLOCKS, len(current) // LEAST_BLOCKS, len(reference) // LEAST_BLOCKS))
    ours, theirs = len(current) // size, min(len(reference) // size, MOST_BLOCKS)
    rows = np.concatenate(
        [rng.permutation(current)[: ours * size], rng.permutation(reference)[: theirs * size]],
    )
    sums = _membership(ours, theirs, permutations, seed) @ _block_columns(rows, ours + theirs)
    statistics = _standardise(rows, sums, ours * size)
    scale = np.maximum(_largest(statistics, 1 - _QUANTILE), np.array(_FLOORS)[:, None])
    greatest = (statistics / scale).max(axis=(1, 2))
    threshold = _largest(greatest, level)
    return Thresholds(
        statistics=statistics[0].T.astype(np.float64),
        thresholds=(scale * threshold).T.astype(np.float64),
        p_value=float(np.mean(greatest >= greatest[0])),
    )


def _largest(values: NDArray[np.floating], share: float) -> NDArray[np.floating]:
    """The value that at most this share of the permutations exceeds, the day itself counted among them."""
    place = len(values) - 1 - int(share * len(values))
    return np.partition(values, place, axis=0)[place]


@lru_cache(maxsize=4)
def _membership(ours: int, theirs: int, permutations: int, seed: int) -> Features:
    """(1 + permutations, blocks): 1 where a block is taken for the day's; first the day as it was."""
    true = np.zeros(ours + theirs, np.float32)
    true[:ours] = 1
    members = np.tile(true, (permutations + 1, 1))
    np.random.default_rng([seed, 1]).permuted(members[1:], axis=1, out=members[1:])
    return members


def _scores(counts: Integers) -> Floats:
    """(3, columns, CODES): the score of each bin for location, spread and missing, each of mean zero over the pooled rows."""
    from scipy.special import ndtri

    values = counts[:, 1:]
    known = np.maximum(values.sum(axis=1, keepdims=True), 1)
    ranks = (np.cumsum(values, axis=1) - values / 2) / known
    scores = np.zeros((3, *counts.shape))
    location = np.where(values > 0, ndtri(np.clip(ranks, 1e-9, 1 - 1e-9)), 0)
    for place, score in enumerate((location, location**2)):
        scores[place, :, 1:] = score - (score * values).sum(axis=1, keepdims=True) / known
    scores[2] = -counts[:, [NULL]] / counts.sum(axis=1, keepdims=True)
    scores[2, :, NULL] += 1
    return scores


def _block_columns(rows: Bins, blocks: int) -> Features:
    """(blocks, columns × (3 + SHAPE_BINS)): sums of scores, and rows in each shape bin less those expected.

    Expected are the pooled shares of the bins times the block's own rows that are not null: nulls are for "missing" to judge.
    """
    columns = rows.shape[1]
    counts = count_codes(rows)
    places = rows + CODES * np.arange(columns)
    scores = [score.astype(np.float32).ravel()[places].reshape(blocks, -1, columns).sum(axis=1) for score in _scores(counts)]
    # One bin more for nulls.
    width = SHAPE_BINS + 1
    group = (group_codes(counts, SHAPE_BINS) + width * np.arange(columns)[:, None]).ravel()[places]
    block = np.repeat(np.arange(blocks), len(rows) // blocks)[:, None] * (width * columns)
    held = np.bincount((group + block).ravel(), minlength=blocks * width * columns).reshape(blocks, columns, width)
    held = held[:, :, :SHAPE_BINS]
    known = held.sum(axis=2, keepdims=True)
    shape = held - known * (held.sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    return np.concatenate([*scores, shape.reshape(blocks, -1)], axis=1, dtype=np.float32)


def _standardise(rows: Bins, sums: Features, day: int) -> Features:
    """(1 + permutations, 4, columns): |z| for the scores, chi-squared for the shape, from sums over `day` rows.

    To each variance that of one row is added, which keeps one rare value from counting as a great surprise.
    """
    columns = rows.shape[1]
    counts = count_codes(rows)
    rest = 1 - day / len(rows)
    statistics = np.empty((len(sums), len(KINDS), columns), np.float32)
    for place, score in enumerate(_scores(counts)):
        variance = day * rest * (score**2 * counts).sum(axis=1) / len(rows)
        one_row = np.where(counts > 0, score**2, 0).max(axis=1)
        deviation = np.sqrt(np.maximum(variance + one_row, 1e-12))
        statistics[:, place] = np.abs(sums[:, place * columns : (place + 1) * columns]) / deviation
    group = group_codes(counts, SHAPE_BINS)
    held = np.stack([np.where(group == bin_, counts, 0).sum(axis=1) for bin_ in range(SHAPE_BINS)], axis=1)
    expected = (held * day / len(rows) + 1) * rest
    squares = sums[:, 3 * columns :].reshape(len(sums), columns, SHAPE_BINS) ** 2
    statistics[:, 3] = np.einsum("pcb,cb->pc", squares, (1 / expected).astype(np.float32))
    return statistics
