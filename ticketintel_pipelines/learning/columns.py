"""Columns of tables as arrays of numbers."""

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.learning.examples import Floats, Integers


def codes_of(column: pa.Array | pa.ChunkedArray) -> Integers:
    """A number (n,) for each value, the same for equal ones, -1 where null; the column may be dictionary-encoded."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    found: Integers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def floats_of(column: pa.Array | pa.ChunkedArray) -> Floats:
    """A column of numbers or decimals as floats (n,), NaN for null."""
    found: Floats = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found
