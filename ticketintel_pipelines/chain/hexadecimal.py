"""Hexadecimal text as Arrow columns, to and from matrices of bytes, without a loop over rows."""

import numpy as np
import pyarrow as pa

# Two characters are looked up at once, as one 16-bit number; the tables are filled through the same view of bytes that
# reads the text, so the order of bytes in the machine does not matter.
_PREFIX = np.frombuffer(b"0x", dtype=np.uint16)[0]
_NO_BYTE = 256
_BYTE_TO_PAIR = np.frombuffer(bytes(digit for value in range(256) for digit in b"%02x" % value), dtype=np.uint16)
_PAIR_TO_BYTE = np.full(1 << 16, _NO_BYTE, dtype=np.uint16)
for _upper in (str.lower, str.upper):
    for _lower in (str.lower, str.upper):
        _pairs = "".join(_upper(f"{value:02x}"[0]) + _lower(f"{value:02x}"[1]) for value in range(256)).encode()
        _PAIR_TO_BYTE[np.frombuffer(_pairs, dtype=np.uint16)] = np.arange(256)


def bytes_to_hex(matrix: np.ndarray) -> pa.StringArray:
    """Each row of an (n, width) uint8 matrix as lower-case text with `0x`."""
    rows, width = matrix.shape
    pairs = np.empty((rows, 1 + width), dtype=np.uint16)
    pairs[:, 0] = _PREFIX
    pairs[:, 1:] = _BYTE_TO_PAIR.take(matrix)
    return _fixed_width_strings(pairs.view(np.uint8))


def hex_to_bytes(column: pa.StringArray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The texts of a column as an (n, width) uint8 matrix, and which rows are exactly `0x` and 2·width digits.

    Rows that are null, of another length or not hexadecimal are zero in the matrix and False in the mask.
    """
    characters, offsets = string_buffers(column)
    rows = len(column)
    length = 2 + 2 * width
    starts = offsets[:-1]
    valid = (np.diff(offsets) == length) & np.asarray(column.is_valid())
    if valid.all() and rows:
        text = characters[offsets[0] : offsets[-1]].reshape(rows, length)
        return _pairs_to_bytes(text, valid)
    matrix = np.zeros((rows, width), dtype=np.uint8)
    index = np.flatnonzero(valid)
    if index.size:
        text = characters[starts[index][:, None] + np.arange(length)]
        matrix[index], valid[index] = _pairs_to_bytes(text, valid[index])
    return matrix, valid


def _pairs_to_bytes(text: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pairs = text.view(np.uint16)
    values = _PAIR_TO_BYTE.take(pairs[:, 1:])
    # As bytes, a value beyond 255 would wrap to a good one.
    is_hex = valid & (pairs[:, 0] == _PREFIX)
    if values.size and values.max() >= _NO_BYTE:
        is_hex &= (values < _NO_BYTE).all(axis=1)
    matrix = values.astype(np.uint8)
    if not is_hex.all():
        matrix[~is_hex] = 0
    return matrix, is_hex


def string_buffers(column: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """The characters (uint8) and the n + 1 offsets (int64) of a string column, slices taken into account."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    offset_type = np.int64 if pa.types.is_large_string(column.type) else np.int32
    _, offsets_buffer, data_buffer = column.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=offset_type)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.empty(0, dtype=np.uint8)
    return data, offsets.astype(np.int64)


def _fixed_width_strings(text: np.ndarray) -> pa.StringArray:
    rows, width = text.shape
    if rows * width > np.iinfo(np.int32).max:
        raise ValueError(f"{rows:,} texts of {width} characters exceed one string column; split the batch")
    offsets = (np.arange(rows + 1, dtype=np.int64) * width).astype(np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))
