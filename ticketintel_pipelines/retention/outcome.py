"""What became of acts, on tables and the archive as on the lake."""

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Generic

import psycopg

from ticketintel_pipelines.retention.acts import ActT, Plan

IN_USE = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.QueryCanceled,
)
"""What Postgres says of a table that somebody uses for longer than is waited, or of a statement that lasts too long."""


class Result(Enum):
    PLANNED = "planned"
    """A dry run: nothing was changed."""
    DONE = "done"
    HELD = "held"
    """A legal hold, or a restoration, stops it."""
    LOCKED = "locked"
    """Somebody used the table for longer than is waited, or a statement lasted too long; the next run tries again."""
    CHANGED = "changed"
    """The rows are not those that the act was about; the next run looks again."""
    BOUNDED = "bounded"
    """The bounds of the run were reached before it was done; the next run goes on."""
    REFUSED = "refused"
    """The archive is not what was put there: somebody has to look."""


class NotDoneError(Exception):
    """An act stopped before it changed anything that matters; `result` says of which kind the reason is.

    `holds` numbers the legal holds among the reasons.
    """

    def __init__(self, result: Result, words: str, holds: tuple[int, ...] = ()) -> None:
        super().__init__(words)
        self.result = result
        self.holds = holds


@dataclass(frozen=True)
class Outcome(Generic[ActT]):
    """What became of one act; `rows` and `bytes` are those it dealt with."""

    act: ActT
    result: Result
    rows: int
    bytes: int
    words: str = ""

    @property
    def line(self) -> str:
        reason = f" ({self.words})" if self.words else ""
        return f"{self.result.value}: {self.act.title}, {self.rows:,} rows, {self.bytes:,} bytes{reason}"


@dataclass(frozen=True)
class Report(Generic[ActT]):
    """What became of a plan."""

    plan: Plan[ActT]
    outcomes: tuple[Outcome[ActT], ...]
    dry_run: bool

    @property
    def results(self) -> Counter[Result]:
        return Counter(outcome.result for outcome in self.outcomes)

    @property
    def rows(self) -> int:
        """Rows of the acts that were done."""
        return sum(outcome.rows for outcome in self.outcomes if outcome.result is Result.DONE)

    @property
    def refused(self) -> tuple[Outcome[ActT], ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.result is Result.REFUSED)


def planned(plan: Plan[ActT]) -> Report[ActT]:
    """What a dry run reports: what would become of a plan."""
    outcomes = (
        Outcome(act, Result.PLANNED if act.stopped is None else Result.HELD, act.rows, act.bytes, act.stopped or "")
        for act in plan.acts
    )
    return Report(plan, tuple(outcomes), dry_run=True)
