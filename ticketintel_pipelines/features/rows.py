"""Rows that folds learn from and ask by: whole numbers in columns, in order of the instant at which each row was seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = np.iinfo(np.int64).min
"""What stands for null among whole numbers."""

Integers = np.ndarray[tuple[int], np.dtype[np.int64]]

SEEN = "seen"
"""The instant from which on a row is known, in microseconds since 1970 UTC."""
EVERYTHING = "*"
"""The name of a key that all rows have in common."""


@dataclass(frozen=True)
class Grouping:
    """The rows of a table by one of its columns: `codes` number the keys from 0 in order of appearance, -1 is no key."""

    keys: Integers
    codes: Integers


@dataclass
class Rows:
    """Columns of equal length, 64-bit integers with `MISSING` for null, in order of `seen`.

    Raises:
        ValueError: the rows are not in order of time, or one has no time, or a column is of another length or type.
    """

    columns: dict[str, Integers]
    _groupings: dict[str, Grouping] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if SEEN not in self.columns:
            raise ValueError(f"rows need a column {SEEN!r}: the instant at which each was seen")
        self._check(self.columns)
        seen = self.columns[SEEN]
        if (seen == MISSING).any():
            raise ValueError(f"row {int(np.argmax(seen == MISSING))} has no instant at which it was seen")
        if (earlier := seen[1:] < seen[:-1]).any():
            raise ValueError(
                "rows must be in order of the instant at which they were seen: "
                f"row {int(np.argmax(earlier)) + 1} was seen before the one in front of it"
            )

    def __len__(self) -> int:
        return len(self.columns[SEEN])

    def __getitem__(self, name: str) -> Integers:
        return self.columns[name]

    def add(self, columns: Mapping[str, Integers]) -> None:
        """Append columns.

        Raises:
            ValueError: there is such a column already, or one is of another length or type.
        """
        if taken := self.columns.keys() & columns.keys():
            raise ValueError(f"the rows have a column {sorted(taken)[0]} already")
        self._check(columns)
        self.columns.update(columns)

    def _check(self, columns: Mapping[str, Integers]) -> None:
        """The kernels look at places in columns without asking whether they are there."""
        for name, column in columns.items():
            if column.dtype != np.int64 or column.shape != (len(self),):
                raise ValueError(
                    f"column {name!r} must be {len(self)} 64-bit integers; it is of shape {column.shape} and of {column.dtype}"
                )

    def grouped_by(self, name: str) -> Grouping:
        """The rows by a column, worked out once."""
        if name not in self._groupings:
            column = np.zeros(len(self), np.int64) if name == EVERYTHING else self.columns[name]
            self._groupings[name] = grouping_of(column)
        return self._groupings[name]

    @classmethod
    def from_arrow(cls, table: pa.Table, names: Iterable[str]) -> "Rows":
        """The whole-number columns of an Arrow table by name; timestamps in microseconds, booleans as 0 and 1."""
        return cls({name: integers(table[name]) for name in names})


def integers(column: pa.ChunkedArray) -> Integers:
    """A column of whole numbers as NumPy has it, nulls as `MISSING`; it may be Arrow's own memory, which cannot be written to.

    Raises:
        pyarrow.ArrowInvalid: it has a value that is no 64-bit integer, or an instant finer than a microsecond.
    """
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz))
    whole = column.cast(pa.int64())
    if whole.null_count:
        whole = pc.fill_null(whole, int(MISSING))
    return whole.to_numpy()


def nullable(values: Integers) -> pa.Array:
    """The other way round."""
    missing = values == MISSING
    return pa.array(values, mask=missing) if missing.any() else pa.array(values)


def grouping_of(column: Integers) -> Grouping:
    """Rows by the values of a column; `MISSING` is no key."""
    import pandas as pd  # Takes long to import; declarations do without.

    codes, keys = pd.factorize(column)
    absent = np.flatnonzero(keys == MISSING)
    if absent.size:
        gone = absent[0]
        codes = np.where(codes == gone, -1, codes - (codes > gone))
        keys = np.delete(keys, gone)
    return Grouping(np.asarray(keys), np.asarray(codes, np.int64))
