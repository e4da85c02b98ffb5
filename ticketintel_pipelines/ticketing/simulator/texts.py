"""NumPy columns as Arrow columns: ids, money, times, addresses; whole columns at a time."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TIMESTAMP = pa.timestamp("us", "UTC")
MONEY = pa.decimal128(18, 2)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_OCTETS = pa.array([str(value) for value in range(256)])
_HEX_GROUPS = 0xFFFF
IPV6 = 1 << 32
"""Address codes below are IPv4 numbers; from here on they are documentation addresses of IPv6, 2001:db8::/32."""


def digits(values: np.ndarray, width: int) -> np.ndarray:
    """Non-negative integers as decimal characters with leading zeros, (n, width) uint8."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return ((np.asarray(values, dtype=np.int64)[:, None] // powers) % 10 + ord("0")).astype(np.uint8)


def characters(text: str, rows: int) -> np.ndarray:
    """One text repeated, (rows, length) uint8."""
    return np.broadcast_to(np.frombuffer(text.encode(), dtype=np.uint8), (rows, len(text)))


def hexadecimal(values: np.ndarray, width: int) -> np.ndarray:
    """The low 4·width bits of unsigned integers as hexadecimal characters, (n, width) uint8."""
    shifts = np.arange(4 * (width - 1), -1, -4, dtype=np.uint64)
    return _HEX[((np.asarray(values).astype(np.uint64)[:, None] >> shifts) & np.uint64(15)).astype(np.int64)]


def text_column(*parts: np.ndarray) -> pa.StringArray:
    """Parts of fixed width, (n, width) uint8 each, joined row by row."""
    matrix = np.ascontiguousarray(np.concatenate(parts, axis=1))
    rows, width = matrix.shape
    offsets = (np.arange(rows + 1, dtype=np.int64) * width).astype(np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(matrix))


class Ids:
    """Ids such as `o20260101-000123`: a letter for the table, the day, and the row's number on that day."""

    def __init__(self, start: datetime.date) -> None:
        self._first = np.datetime64(start, "D")

    def column(self, prefix: str, days: np.ndarray | int, serials: np.ndarray) -> pa.StringArray:
        """`days` are indices of days (one for all rows, or one each), `serials` numbers below one million."""
        rows = len(serials)
        dates = np.broadcast_to(self._first + np.asarray(days).astype("timedelta64[D]"), rows)
        years = dates.astype("datetime64[Y]")
        months = dates.astype("datetime64[M]")
        stamp = (
            (years.astype(np.int64) + 1970) * 10_000
            + ((months - years).astype(np.int64) + 1) * 100
            + ((dates - months).astype(np.int64) + 1)
        )
        return text_column(characters(prefix, rows), digits(stamp, 8), characters("-", rows), digits(serials, 6))


def where(mask: np.ndarray, column: pa.Array) -> pa.Array:
    """The column with nulls where the mask is False."""
    return column if mask.all() else pc.if_else(pa.array(mask), column, pa.scalar(None, column.type))


def timestamps(times_us: np.ndarray) -> pa.Array:
    return pa.array(np.asarray(times_us, dtype=np.int64)).view(TIMESTAMP)


def money(cents: np.ndarray) -> pa.Array:
    """Whole cents as decimal128(18, 2), exactly."""
    halves = np.empty((len(cents), 2), dtype=np.int64)
    halves[:, 0] = cents
    halves[:, 1] = np.asarray(cents, dtype=np.int64) >> 63
    return pa.Array.from_buffers(MONEY, len(cents), [None, pa.py_buffer(halves)])


def choose(texts: tuple[str, ...] | list[str] | pa.Array, index: np.ndarray) -> pa.StringArray:
    """`texts[index]` as a column."""
    choices = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    return choices.take(pa.array(np.asarray(index, dtype=np.int64)))


def addresses(codes: np.ndarray) -> pa.StringArray:
    """Address codes as text: below 2**32 dotted IPv4, above an IPv6 address whose last 32 bits are the code's."""
    numbers = np.asarray(codes, dtype=np.int64)
    parts = [_OCTETS.take(pa.array((numbers >> shift) & 255)) for shift in (24, 16, 8, 0)]
    ipv4 = pc.binary_join_element_wise(*parts, ".")
    is_ipv6 = numbers >= IPV6
    if not is_ipv6.any():
        return ipv4
    rows = len(numbers)
    ipv6 = text_column(
        characters("2001:db8:", rows),
        hexadecimal((numbers >> 16) & _HEX_GROUPS, 4),
        characters("::", rows),
        hexadecimal(numbers & _HEX_GROUPS, 4),
    )
    return pc.if_else(pa.array(is_ipv6), ipv6, ipv4)


def tokens_of(prefix: str, values: np.ndarray) -> pa.StringArray:
    """Opaque provider tokens: a prefix and 12 hexadecimal digits."""
    return text_column(characters(prefix, len(values)), hexadecimal(values, 12))
