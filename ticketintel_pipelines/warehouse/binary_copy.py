"""Arrow batches as binary COPY: a tenth of the work of text on this side, and less of it on the server."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pgpq
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.lake.arrow_types import arrow_schema, arrow_type

DIGITS_OF_GROUP = 4
"""Postgres keeps a `numeric` as groups of four decimal digits, 16 bits each."""
NUMERIC_HEADER = 4
"""Number of groups, weight of the first, sign and scale, 16 bits each."""


def encode(columns: Sequence[Column], batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[bytes, int]]:
    """The pieces of one binary COPY of these columns, each with the rows that it holds.

    Raises:
        ValueError: an unsigned 256-bit integer is not written in decimal digits.
    """
    # The server checks little more than the length of a value: the types have to be exactly those of its columns.
    schema = arrow_schema(columns)
    encoder = pgpq.ArrowToPostgresBinaryEncoder(pa.schema([_sent_as(column) for column in columns]))
    yield encoder.write_header(), 0
    for batch in batches:
        batch = batch.select(schema.names).cast(schema)
        arrays = [
            numeric_from_digits(array).cast(pa.binary()) if column.type is ColumnType.UINT256 else array
            for column, array in zip(columns, batch.columns, strict=True)
        ]
        yield encoder.write_batch(pa.record_batch(arrays, schema.names)), batch.num_rows
    yield encoder.finish(), 0


def _sent_as(column: Column) -> tuple[str, pa.DataType]:
    return column.name, pa.binary() if column.type is ColumnType.UINT256 else arrow_type(column)


def numeric_from_digits(texts: pa.Array) -> pa.Array:
    """Whole numbers in decimal digits as Postgres sends a `numeric` over the wire: n fixed-size binaries, absent ones kept."""
    digits = pc.fill_null(texts, "0")
    longest = pc.max(pc.binary_length(digits)).as_py() or 1
    groups = -(-longest // DIGITS_OF_GROUP)
    padded = pc.utf8_lpad(digits, groups * DIGITS_OF_GROUP, "0").cast(pa.binary(groups * DIGITS_OF_GROUP))
    characters = np.frombuffer(padded.buffers()[1], np.uint8).reshape(-1, groups, DIGITS_OF_GROUP)[padded.offset :][
        : len(texts)
    ]
    values = characters - ord("0")
    if (values > 9).any():
        raise ValueError("a whole number of up to 256 bits is not written in decimal digits")
    words = np.zeros((len(texts), NUMERIC_HEADER + groups), dtype=">i2")
    words[:, 0] = groups
    words[:, 1] = groups - 1
    words[:, NUMERIC_HEADER:] = values @ np.array([1000, 100, 10, 1], dtype=np.int16)
    width = words.dtype.itemsize * words.shape[1]
    missing = pa.array(texts.is_null().to_numpy(zero_copy_only=False)) if texts.null_count else None
    encoded = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(texts), [None, pa.py_buffer(words.tobytes())])
    return encoded if missing is None else pc.if_else(missing, pa.scalar(None, encoded.type), encoded)
