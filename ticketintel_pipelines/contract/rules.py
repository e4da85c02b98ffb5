"""Rules as data. A rule says what must hold, why, and what happens to a row for which it does not.

Each check kind below is only a description; `quality/predicates.py` turns it into a row predicate and
`quality/expectations.py` into a Great Expectations expectation.
"""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """What a broken rule does."""

    QUARANTINE = "quarantine"
    """The row is set aside with rule and reason; the rest is published."""
    WARNING = "warning"
    """The row is published; the count is shown."""
    CRITICAL = "critical"
    """Nothing of the table is published by this run: such a row means that the extract itself cannot be trusted."""


@dataclass(frozen=True)
class NotNull:
    column: str


@dataclass(frozen=True)
class InRange:
    """`minimum` ≤ column ≤ `maximum`, in the column's own unit; either end may be open."""

    column: str
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise ValueError(f"a range of {self.column} needs a minimum or a maximum")


@dataclass(frozen=True)
class Matches:
    """The whole text matches a regular expression (RE2 syntax)."""

    column: str
    pattern: str


@dataclass(frozen=True)
class OneOf:
    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Follows:
    """`later` is not before `earlier`; rows without either are not judged."""

    later: str
    earlier: str


@dataclass(frozen=True)
class Unique:
    """No two published rows share these columns: one that is published stays, else the first in time; the others break it.

    Rows whose `unless` column holds something neither break it nor stand in another one's way.
    """

    columns: tuple[str, ...]
    unless: str | None = None


@dataclass(frozen=True)
class Refers:
    """`column` is null or the key of a published row of `table`; not judged while `table` has no rows at all.

    With `not_before`, the row's own `time` column must also not lie before that column of the parent.
    A parent comes at most `within_days` before the row, None for any time: where retention has taken rows of `table` away, a
    row whose parent may have been among them is not judged.
    """

    column: str
    table: str
    parent_column: str
    not_before: str | None = None
    time: str | None = None
    within_days: int | None = None


@dataclass(frozen=True)
class Holds:
    """A row predicate in SQL over the table's own columns, for what the kinds above cannot say."""

    sql: str


Check = NotNull | InRange | Matches | OneOf | Follows | Unique | Refers | Holds


@dataclass(frozen=True)
class Rule:
    """One rule of one table. `reason` completes the sentence "the row is refused because …"."""

    name: str
    check: Check
    reason: str
    severity: Severity = Severity.QUARANTINE
