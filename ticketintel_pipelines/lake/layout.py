"""Where things lie in the lake: `<root>/<domain>/<stage>/<table>/day=YYYY-MM-DD/<file>.parquet`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

PART = "part0.parquet"


@dataclass(frozen=True)
class DayRange:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"a range of days cannot end ({self.last}) before it starts ({self.first})")

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=index) for index in range((self.last - self.first).days + 1)]

    def __str__(self) -> str:
        return self.first.isoformat() if self.first == self.last else f"{self.first} to {self.last}"


def contiguous_ranges(days: Iterable[date], largest_gap: int = 0) -> list[DayRange]:
    """The fewest ranges that cover these days, in order, with at most `largest_gap` days in between that are none of them."""
    ranges: list[DayRange] = []
    for day in sorted(set(days)):
        if ranges and day - ranges[-1].last <= timedelta(days=1 + largest_gap):
            ranges[-1] = DayRange(ranges[-1].first, day)
        else:
            ranges.append(DayRange(day, day))
    return ranges


@dataclass(frozen=True)
class Lake:
    """One domain's part of the lake."""

    root: Path
    domain: str

    def table(self, stage: str, table: str) -> Path:
        return self.root / self.domain / stage / table

    def partition(self, stage: str, table: str, day: date) -> Path:
        return self.table(stage, table) / f"day={day.isoformat()}"

    def part(self, stage: str, table: str, day: date) -> Path:
        return self.partition(stage, table, day) / PART

    def parts(self, stage: str, table: str, days: Iterable[date]) -> list[Path]:
        """The parts that exist among these days, in order of days."""
        return [part for day in days if (part := self.part(stage, table, day)).exists()]

    @property
    def scratch(self) -> Path:
        """Where files are written before they are moved into place; on the lake's own disk."""
        return self.root / ".scratch"
