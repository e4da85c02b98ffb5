"""Exact 256-bit unsigned integers as columns: rows of 32 big-endian bytes, their decimal text and their sums.

NumPy and Arrow end at 64 and 76 digits respectively; a token id may use all 78 digits of 2**256 - 1.
"""

import numpy as np
import pyarrow as pa

WORD = 32
_LIMBS = 8
_LIMB_BITS = np.uint64(32)
_LIMB_MASK = np.uint64(2**32 - 1)

_GROUP = np.uint64(10**9)
_GROUPS = 9
_THOUSAND = np.uint64(1000)
_TEXT_OF_THOUSAND = np.array([list(f"{value:03d}".encode()) for value in range(1000)], dtype=np.uint8)


def from_uint64(values: np.ndarray) -> np.ndarray:
    """(n,) non-negative integers below 2**64 as an (n, 32) matrix of big-endian bytes."""
    matrix = np.zeros((len(values), WORD), dtype=np.uint8)
    matrix[:, WORD - 8 :] = np.ascontiguousarray(values).astype(">u8").view(np.uint8).reshape(-1, 8)
    return matrix


def decimal_text(matrix: np.ndarray) -> pa.StringArray:
    """Each row of an (n, 32) big-endian uint8 matrix as exact decimal text without leading zeros."""
    parts = matrix.view(">u8")
    large = (parts[:, 0] | parts[:, 1] | parts[:, 2]) != 0
    low = parts[:, 3].astype(np.uint64)
    if not large.any():
        return pa.array(low).cast(pa.string())
    if large.all():
        return _decimal_text_by_division(matrix)
    small_texts = pa.array(low[~large]).cast(pa.string())
    large_texts = _decimal_text_by_division(matrix[large])
    place = np.where(large, len(small_texts) + np.cumsum(large) - 1, np.cumsum(~large) - 1)
    return pa.concat_arrays([small_texts, large_texts]).take(pa.array(place))


def is_zero(matrix: np.ndarray) -> np.ndarray:
    """Which words of an (n, 32) matrix are zero."""
    return ~np.asarray(matrix.any(axis=1))


def small_integers(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 32) words as (n,) int64, and which rows are below 2**63; the others are zero in the result."""
    parts = matrix.view(">i8")
    fits = ((parts[:, 0] | parts[:, 1] | parts[:, 2]) == 0) & (parts[:, 3] >= 0)
    return np.where(fits, parts[:, 3], 0).astype(np.int64), fits


def run_sums(matrix: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of consecutive runs of rows: (m, 32) words and (n,) run lengths that add up to m.

    Returns the (n, 32) sums, zero for an empty run, and which of them exceed 256 bits (there the sum is what remains
    after dropping the carry).
    """
    limbs = _limbs(matrix)
    # A limb has 32 bits, so the running totals of up to 2**32 rows stay exact in 64.
    totals = np.zeros((limbs.shape[0] + 1, _LIMBS), dtype=np.uint64)
    np.cumsum(limbs, axis=0, out=totals[1:])
    ends = np.cumsum(lengths)
    columns = totals[ends] - totals[ends - lengths]
    sums = np.empty((len(lengths), _LIMBS), dtype=np.uint64)
    carry = np.zeros(len(lengths), dtype=np.uint64)
    for limb in reversed(range(_LIMBS)):
        column = columns[:, limb] + carry
        sums[:, limb] = column & _LIMB_MASK
        carry = column >> _LIMB_BITS
    return sums.astype(">u4").view(np.uint8).reshape(-1, WORD), carry != 0


def _limbs(matrix: np.ndarray) -> np.ndarray:
    """(n, 32) bytes as (n, 8) limbs of 32 bits held in uint64, most significant first."""
    return np.ascontiguousarray(matrix).view(">u4").astype(np.uint64)


def _decimal_text_by_division(matrix: np.ndarray) -> pa.StringArray:
    rows = matrix.shape[0]
    limbs = np.ascontiguousarray(_limbs(matrix).T)
    digits = np.empty((rows, _GROUPS * 9), dtype=np.uint8)
    leading = 0
    for group in reversed(range(_GROUPS)):
        remainder = np.zeros(rows, dtype=np.uint64)
        # Most amounts leave the upper limbs empty, and every division empties more of them.
        while leading < _LIMBS and not limbs[leading].any():
            leading += 1
        for limb in range(leading, _LIMBS):
            dividend = (remainder << _LIMB_BITS) | limbs[limb]
            limbs[limb] = dividend // _GROUP
            remainder = dividend - limbs[limb] * _GROUP
        upper, lowest = np.divmod(remainder, _THOUSAND)
        highest, middle = np.divmod(upper, _THOUSAND)
        for place, thousand in enumerate((highest, middle, lowest)):
            start = group * 9 + place * 3
            digits[:, start : start + 3] = _TEXT_OF_THOUSAND[thousand.astype(np.intp)]
    first = (digits != ord("0")).argmax(axis=1)
    text = digits[np.arange(digits.shape[1]) >= first[:, None]]
    if text.size > np.iinfo(np.int32).max:
        raise ValueError(f"the decimal text of {rows:,} words exceeds one string column; split the batch")
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(digits.shape[1] - first, out=offsets[1:])
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))
