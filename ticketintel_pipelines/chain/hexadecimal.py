"""Hexadecimal text as Arrow columns, to and from matrices of bytes, without a loop over rows."""

import numpy as np
import pyarrow as pa

_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_BYTE_TO_PAIR = np.stack([_DIGITS[np.arange(256) >> 4], _DIGITS[np.arange(256) & 15]], axis=1)
_NO_DIGIT = 255
_CHARACTER_TO_NIBBLE = np.full(256, _NO_DIGIT, dtype=np.uint8)
for _value, _characters in enumerate(zip(b"0123456789abcdef", b"0123456789ABCDEF", strict=True)):
    _CHARACTER_TO_NIBBLE[list(_characters)] = _value


def bytes_to_hex(matrix: np.ndarray) -> pa.StringArray:
    """Each row of an (n, width) uint8 matrix as lower-case text with `0x`."""
    rows, width = matrix.shape
    text = np.empty((rows, 2 + 2 * width), dtype=np.uint8)
    text[:, 0] = ord("0")
    text[:, 1] = ord("x")
    text[:, 2:] = _BYTE_TO_PAIR[matrix].reshape(rows, 2 * width)
    return _fixed_width_strings(text)


def hex_to_bytes(column: pa.StringArray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The texts of a column as an (n, width) uint8 matrix, and which rows are exactly `0x` and 2·width digits.

    Rows that are null, of another length or not hexadecimal are zero in the matrix and False in the mask.
    """
    characters, offsets = string_buffers(column)
    rows = len(column)
    length = 2 + 2 * width
    starts = offsets[:-1]
    fits = (np.diff(offsets) == length) & np.asarray(column.is_valid())
    matrix = np.zeros((rows, width), dtype=np.uint8)
    index = np.flatnonzero(fits)
    if index.size == 0:
        return matrix, fits
    dense = index.size == rows and int(offsets[-1] - offsets[0]) == rows * length
    if dense:
        text = characters[offsets[0] : offsets[-1]].reshape(rows, length)
    else:
        text = characters[starts[index][:, None] + np.arange(length)]
    nibbles = _CHARACTER_TO_NIBBLE[text[:, 2:]]
    is_hex = (nibbles != _NO_DIGIT).all(axis=1) & (text[:, 0] == ord("0")) & (text[:, 1] == ord("x"))
    good = index[is_hex]
    matrix[good] = (nibbles[is_hex, 0::2] << 4) | nibbles[is_hex, 1::2]
    valid = np.zeros(rows, dtype=bool)
    valid[good] = True
    return matrix, valid


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
