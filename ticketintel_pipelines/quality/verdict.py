"""What came out of judging the rows of some days of one table."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow as pa

from ticketintel_pipelines.contract import Rule, Severity, Table
from ticketintel_pipelines.errors import PublishRefusedError
from ticketintel_pipelines.lake.layout import DayRange

LATE_DAYS = 30
"""Rows that become known later than so many days after their own are noted by day: looking further back costs every night."""

QUARANTINE_SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("rule", pa.string()),
        ("rules", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("row_key", pa.string()),
        ("mended", pa.bool_()),
        ("content", pa.string()),
    ]
)


@dataclass(frozen=True)
class RuleResult:
    """How one rule fared. `not_judged` says why it could not be asked at all."""

    rule: Rule
    rows: int
    failing: int
    sample_keys: tuple[str, ...] = ()
    not_judged: str | None = None

    @property
    def percent(self) -> float:
        return 100.0 * self.failing / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class DayOutcome:
    """The rows of one day: `rows_in` as landed or decoded, and what became of them; `superseded` are older versions.

    `late_on` are the days, in order, on which rows of it first became known, where that was more than `LATE_DAYS` later.
    """

    day: date
    rows_in: int
    published: int
    quarantined: int
    duplicates: int
    content_hash: str
    superseded: int = 0
    late_on: tuple[date, ...] = ()

    @property
    def lost(self) -> int:
        return self.rows_in - self.published - self.quarantined - self.duplicates - self.superseded


@dataclass(frozen=True)
class Verdict:
    """Rows of `table` on `days`: accepted rows and superseded ones (`history`) in one Parquet part per day each, the others
    in `quarantine`.
    """

    table: Table
    days: DayRange
    parts: dict[date, Path]
    outcomes: tuple[DayOutcome, ...]
    quarantine: pa.Table
    results: tuple[RuleResult, ...] = field(default=())
    history: dict[date, Path] = field(default_factory=dict)

    def refuse_unless_sound(self) -> None:
        """Let nothing be published that cannot be trusted.

        Raises:
            PublishRefusedError: a critical rule is broken, or rows went missing between landing and judging.
        """
        broken = [r for r in self.results if r.rule.severity is Severity.CRITICAL and r.failing]
        if broken:
            worst = broken[0]
            raise PublishRefusedError(
                f"{self.table.name} of {self.days} is not published, what was published before stays: {worst.rule.reason} "
                f"(critical rule {worst.rule.name}, {worst.failing:,} of {worst.rows:,} rows, such as {worst.sample_keys[0]})"
            )
        for outcome in self.outcomes:
            if outcome.lost:
                raise PublishRefusedError(
                    f"{self.table.name} of {outcome.day} is not published, what was published before stays: "
                    f"{outcome.rows_in:,} rows came in but {outcome.published:,} accepted, {outcome.quarantined:,} "
                    f"quarantined, {outcome.superseded:,} superseded and {outcome.duplicates:,} duplicates leave "
                    f"{outcome.lost:,} unaccounted for (rule nothing_lost)"
                )

    @property
    def rows_in(self) -> int:
        return sum(outcome.rows_in for outcome in self.outcomes)

    @property
    def published(self) -> int:
        return sum(outcome.published for outcome in self.outcomes)

    @property
    def quarantined(self) -> int:
        return sum(outcome.quarantined for outcome in self.outcomes)

    @property
    def duplicates(self) -> int:
        return sum(outcome.duplicates for outcome in self.outcomes)

    @property
    def superseded(self) -> int:
        return sum(outcome.superseded for outcome in self.outcomes)
