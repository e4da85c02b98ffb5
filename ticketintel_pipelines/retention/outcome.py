"""What became of an act."""

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from ticketintel_pipelines.retention.plan import Act, Plan


class Result(Enum):
    PLANNED = "planned"
    """A dry run: nothing was changed."""
    DONE = "done"
    HELD = "held"
    """A legal hold, or a restoration, stops it."""
    LOCKED = "locked"
    """Somebody used the table for longer than is waited; the next run tries again."""
    CHANGED = "changed"
    """The rows are not those that the act was about; the next run looks again."""
    BOUNDED = "bounded"
    """The bounds of the run were reached before it was done; the next run goes on."""
    REFUSED = "refused"
    """The archive is not what was put there: somebody has to look."""


class NotDoneError(Exception):
    """An act stopped before it changed anything that matters; `result` says of which kind the reason is."""

    def __init__(self, result: Result, words: str) -> None:
        super().__init__(words)
        self.result = result


@dataclass(frozen=True)
class Outcome:
    """What became of one act; `rows` and `bytes` are those it dealt with."""

    act: Act
    result: Result
    rows: int
    bytes: int
    words: str = ""

    @property
    def line(self) -> str:
        reason = f" ({self.words})" if self.words else ""
        act = f"{self.act.kind.value} {self.act.table} {self.act.month:%Y-%m}"
        return f"{self.result.value}: {act}, {self.rows:,} rows, {self.bytes:,} bytes{reason}"


@dataclass(frozen=True)
class Report:
    """What became of a plan."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    dry_run: bool

    @property
    def results(self) -> Counter[Result]:
        return Counter(outcome.result for outcome in self.outcomes)

    @property
    def rows(self) -> int:
        """Rows of the acts that were done."""
        return sum(outcome.rows for outcome in self.outcomes if outcome.result is Result.DONE)

    @property
    def refused(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.result is Result.REFUSED)
