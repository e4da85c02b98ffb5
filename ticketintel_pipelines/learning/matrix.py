"""Rows as the matrix that models read, and a hash of each row of it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.learning.examples import Features, Integers

_SEED = 20_260_101


def matrix(rows: pa.Table, names: Sequence[str]) -> Features:
    """Columns of numbers and flags as a matrix (n, m), NaN where null."""
    found = np.empty((rows.num_rows, len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        found[:, place] = rows[name].cast(pa.float64()).to_numpy()
    return found


def row_hashes(features: Features) -> Integers:
    """A number (n,) for each row that changes, but for odds of 2⁻³¹ or less, whenever one of its values does."""
    # Every missing value is the same one, and so is every zero.
    plain = np.where(np.isnan(features), np.float32(np.nan), features + np.float32(0))
    bits = np.ascontiguousarray(plain, dtype=np.float32).view(np.uint32).astype(np.uint64)
    odd = 2 * np.random.default_rng(_SEED).integers(1, 2**62, features.shape[1], dtype=np.uint64) + 1
    mixed = (bits * odd).sum(axis=1, dtype=np.uint64)
    return (mixed ^ (mixed >> np.uint64(31))).view(np.int64)
