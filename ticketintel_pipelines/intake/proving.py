"""A raw file asked at once: does every cell hold what the contract wants, and is it as it will be stored?

Almost all files pass. This says less than the questions of `landing.py` and is never more lenient: a file that does not pass is
asked again there, where each column is judged by itself and the sentence about a cell is found.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.hexadecimal import string_buffers
from ticketintel_pipelines.day_numbers import day_number, day_of
from ticketintel_pipelines.intake.casting import Cast
from ticketintel_pipelines.intake.reading import RawRelation
from ticketintel_pipelines.lake.engine import fetch_rows, stream

BATCH_ROWS = 8_192
"""Small enough for a column's texts to stay in the processor's cache between being written and being judged."""
DAY_MICROSECONDS = 86_400 * 10**6
PREFIX = b"0x"
LOWER_DIGITS = b"0123456789abcdef"
UPPER_DIGITS = b"ABCDEF"


@dataclass(frozen=True)
class Proven:
    """A file without a cell that breaks the contract."""

    days: dict[date, int]
    """Its rows by day, UTC, in the order of the days."""
    casts: list[Cast]
    """Those asked about; a hexadecimal column whose cells are all in lower case and not empty is read as it is."""
    has_upper_case: bool
    """Whether a hexadecimal cell has a digit in upper case, as an address with a checksum does."""


@dataclass
class _Texts:
    """What has been seen so far of the texts of one hexadecimal column."""

    has_upper_case: bool = False
    has_empty: bool = False


def prove(
    connection: duckdb.DuckDBPyConnection, relation: RawRelation, casts: Sequence[Cast], clock: Cast, first_day: date
) -> Proven | None:
    """The file if each of its cells fits and each row's time, read by `clock`, is from `first_day` to a day from now.

    None says that this is not sure, and not why. Reads the file once, its hexadecimal texts once more.
    """
    hexadecimal = [cast for cast in casts if cast.misfit and cast.column.type.is_hexadecimal]
    days = _days(connection, relation, [cast for cast in casts if cast not in hexadecimal], clock, first_day)
    if days is None:
        return None
    seen = _texts(connection, relation, hexadecimal) if hexadecimal else []
    if seen is None:
        return None
    stored = {
        cast.column.name
        for cast, texts in zip(hexadecimal, seen, strict=True)
        if not (texts.has_upper_case or texts.has_empty or cast.column.nulls)
    }
    as_stored = [replace(cast, sql=cast.raw) if cast.column.name in stored else cast for cast in casts]
    return Proven(days, as_stored, any(texts.has_upper_case for texts in seen))


def _days(
    connection: duckdb.DuckDBPyConnection, relation: RawRelation, casts: Sequence[Cast], clock: Cast, first_day: date
) -> dict[date, int] | None:
    """The rows by day, if all cells of these columns fit and all times are in bounds."""
    # Taken before the file is read: at the bound this is stricter than the question that follows.
    latest = time.time_ns() // 1_000 + DAY_MICROSECONDS
    # The division rounds towards zero, which is another day before 1970.
    earliest = max(day_number(first_day) * DAY_MICROSECONDS, 0)
    # Only as a filter: elsewhere DuckDB may answer a condition from a Parquet file's statistics, which leave NaN out.
    misfit = " OR ".join(f"({cast.misfit})" for cast in casts if cast.misfit) or "false"
    instant = f"epoch_us({clock.sql})"
    counted = fetch_rows(
        connection,
        f"SELECT {instant} // {DAY_MICROSECONDS}, count(*), min({instant}), max({instant}), count(*) FILTER (WHERE {misfit}) "
        f"FROM {relation.sql} GROUP BY 1 ORDER BY 1",
    )
    days: dict[date, int] = {}
    for day, rows, first, last, misfits in counted:
        if day is None or misfits or first < earliest or last > latest:
            return None
        days[day_of(day)] = rows
    return days


def _texts(connection: duckdb.DuckDBPyConnection, relation: RawRelation, casts: Sequence[Cast]) -> list[_Texts] | None:
    """What the texts of hexadecimal columns are like, if all that are not empty are `0x` and digits."""
    seen = [_Texts() for _ in casts]
    cells = ", ".join(f"{cast.raw} AS cells{place}" for place, cast in enumerate(casts))
    try:
        with stream(connection, f"SELECT {cells} FROM {relation.sql}", BATCH_ROWS) as batches:
            for batch in batches:
                if not all(map(_are_hexadecimal, batch.columns, seen)):
                    return None
    except OSError:
        # What Arrow makes of a failure of DuckDB's after the first batch; asked otherwise, DuckDB tells it in its own words.
        return None
    return seen


def _are_hexadecimal(column: pa.StringArray, seen: _Texts) -> bool:
    """Whether all texts of a column that are neither null nor empty are `0x` and digits; what they are like goes to `seen`."""
    characters, offsets = string_buffers(column)
    lengths = np.diff(offsets)
    starts = offsets[:-1][lengths > 0]
    seen.has_empty |= len(column) - column.null_count > len(starts)
    if not len(starts):
        return True
    if lengths[lengths > 0].min() < len(PREFIX):
        return False
    if (characters[starts] != PREFIX[0]).any() or (characters[starts + 1] != PREFIX[1]).any():
        return False
    # Each text has an x in its second place: as many as there are texts, and nothing else but digits, is one in each.
    others = characters[offsets[0] : offsets[-1]].tobytes().translate(None, LOWER_DIGITS)
    beyond = others.translate(None, UPPER_DIGITS)
    seen.has_upper_case |= len(beyond) < len(others)
    return beyond == PREFIX[1:] * len(starts)
