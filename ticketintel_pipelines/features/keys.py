"""Whole-number keys made of texts, the same in Python as in SQL (`CAST(md5_number_lower(text) >> 1 AS BIGINT)` in DuckDB)."""

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.features.rows import MISSING, Integers

if TYPE_CHECKING:
    import duckdb

MANY = 1_000
"""Different texts from which on an engine hashes them faster than Python does."""


def key(text: str) -> int:
    """The key of a text: 63 bits of its MD5, of which the second half is read as a number with the lowest byte first."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") >> 1


def key_of(texts: pa.Array | pa.ChunkedArray) -> Integers:
    """The keys of a column of texts, plain or dictionary-encoded, null as `MISSING`. Each different text is hashed once."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    keys = np.append(_keys(whole.dictionary), MISSING)
    # The place after the last one is null's.
    return keys[pc.fill_null(whole.indices.cast(pa.int64()), len(keys) - 1).to_numpy()]


def _keys(texts: pa.Array) -> Integers:
    if len(texts) < MANY:
        return np.array([MISSING if text is None else key(text) for text in texts.to_pylist()], np.int64)
    engine = _engine().cursor()
    engine.register("texts", pa.table({"text": texts}))
    found = engine.sql(f"SELECT coalesce(CAST(md5_number_lower(text) >> 1 AS BIGINT), {MISSING}) AS key FROM texts")
    return found.to_arrow_table()["key"].to_numpy()


@cache
def _engine() -> "duckdb.DuckDBPyConnection":
    import duckdb  # Takes long to import; few texts do without.

    return duckdb.connect()
