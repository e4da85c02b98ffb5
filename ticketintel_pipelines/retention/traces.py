"""Retention of what the pipeline itself leaves behind: each kind of trace says what is due, and deletes it within bounds.

A trace is no row of a published table: rows in quarantine, files of models that nobody uses, logs, records of runs. Nothing of
them is archived. They stand in the ledger under names of their own, so that the accounts of tables do not count them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import psycopg

from ticketintel_pipelines.retention.holds import Hold, holds_in_force
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.outcome import Result
from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS, Bounds, Room


@dataclass(frozen=True)
class Due:
    """What is past its time of one kind of trace, without what is held.

    `pieces` are rows, files or events. `held` pieces stay because of legal holds, whose numbers are in `holds`.
    """

    pieces: int
    bytes: int
    first_day: date | None = None
    last_day: date | None = None
    held: int = 0
    holds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Gone:
    """What was deleted, and whether nothing that was due is left."""

    pieces: int
    bytes: int
    all_gone: bool


@dataclass(frozen=True)
class Limits:
    """What is left of a run's bounds."""

    most_pieces: int
    is_late: Callable[[], bool]

    def reached(self, pieces: int) -> bool:
        return pieces >= self.most_pieces or self.is_late()


class Traces(Protocol):
    """One kind of trace; `name` stands in the ledger where a table's name stands otherwise."""

    @property
    def name(self) -> str: ...

    def due(self, connection: psycopg.Connection, room: Room, today: date) -> Due:
        """What would be deleted today. Nothing is changed."""

    def delete(self, connection: psycopg.Connection, room: Room, today: date, limits: Limits) -> Gone:
        """Delete what is due. Killed at any point, the next run deletes the rest."""


@dataclass(frozen=True)
class TraceOutcome:
    """What became of one kind of trace; `pieces` and `bytes` are those that went, in a dry run those that would go."""

    name: str
    due: Due
    result: Result
    pieces: int
    bytes: int

    @property
    def line(self) -> str:
        held = f" ({self.due.held:,} are held)" if self.due.held else ""
        return f"{self.result.value}: delete {self.name}, {self.pieces:,} pieces, {self.bytes:,} bytes{held}"


def retain_traces(
    room: Room,
    today: date,
    kinds: Sequence[Traces],
    *,
    bounds: Bounds = DEFAULT_BOUNDS,
    dry_run: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> list[TraceOutcome]:
    """Delete the traces that are past their time; in a dry run, which is the default, only say what would go.

    Raises:
        BusyError: another run has the domain.
    """
    if dry_run:
        with room.session() as connection:
            found = [(kind, kind.due(connection, room, today)) for kind in kinds]
        return [TraceOutcome(kind.name, due, Result.PLANNED, due.pieces, due.bytes) for kind, due in found]
    deadline = clock() + bounds.most_minutes * 60
    outcomes: list[TraceOutcome] = []
    with room.alone(bounds) as connection:
        for kind in kinds:
            due = kind.due(connection, room, today)
            left = bounds.most_rows - sum(outcome.pieces for outcome in outcomes)
            with room.progress.step(f"delete {kind.name}"):
                outcomes.append(_deleted(connection, room, today, kind, due, Limits(left, lambda: clock() >= deadline)))
    return outcomes


def _deleted(connection: psycopg.Connection, room: Room, today: date, kind: Traces, due: Due, limits: Limits) -> TraceOutcome:
    if due.held:
        detail = {"holds": list(due.holds)}
        entry = Entry("held", kind.name, due.first_day, due.last_day, due.held, result="held", detail=detail)
        append(connection, room, entry)
    if not due.pieces:
        return TraceOutcome(kind.name, due, Result.HELD if due.held else Result.DONE, 0, 0)
    if limits.reached(0):
        return TraceOutcome(kind.name, due, Result.BOUNDED, 0, 0)
    gone = kind.delete(connection, room, today, limits)
    return TraceOutcome(kind.name, due, Result.DONE if gone.all_gone else Result.BOUNDED, gone.pieces, gone.bytes)


def holds_on_all(connection: psycopg.Connection, room: Room, today: date, first: date | None, last: date | None) -> list[Hold]:
    """The holds that name neither a table nor a person, and so hold traces of these days as well as rows."""
    return [
        hold
        for hold in holds_in_force(connection, room, today)
        if hold.table is None
        and hold.subject is None
        and (hold.first_day is None or last is None or hold.first_day <= last)
        and (hold.last_day is None or first is None or hold.last_day >= first)
    ]


def unless_held(connection: psycopg.Connection, room: Room, today: date, due: Due) -> Due:
    """Of traces that are held together or not at all: as they are, or all held."""
    holds = holds_on_all(connection, room, today, due.first_day, due.last_day) if due.pieces else []
    if not holds:
        return due
    return Due(0, 0, due.first_day, due.last_day, due.pieces, tuple(hold.hold_id for hold in holds))


def record(connection: psycopg.Connection, room: Room, name: str, due: Due, detail: Mapping[str, object] | None = None) -> None:
    """Write into the ledger what was deleted of a kind of trace."""
    entry = Entry("rows_deleted", name, due.first_day, due.last_day, due.pieces, due.bytes, detail=detail or {})
    append(connection, room, entry)
