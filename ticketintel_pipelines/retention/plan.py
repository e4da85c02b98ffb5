"""What is due: the acts that retention would do today, with what they are about, and the holds that stop some of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum

import psycopg

from ticketintel_pipelines.contract import Source, Table
from ticketintel_pipelines.retention.acts import Plan
from ticketintel_pipelines.retention.held import held_count, holds_in_archive, holds_in_partition
from ticketintel_pipelines.retention.holds import Hold, holds_in_force, holds_on
from ticketintel_pipelines.retention.index import Archived, Content, archived_months, begin_reading, content, partitions
from ticketintel_pipelines.retention.months import label, last_day_of, next_month
from ticketintel_pipelines.retention.room import Room


class Kind(Enum):
    ARCHIVE = "archive"
    """Export a month, read it back, keep it in the archive; it stays in Postgres."""
    DROP = "drop"
    """Drop a month that is in the archive, once more compared with it."""
    PURGE = "purge"
    """Drop a month of a class that is not archived, or one without rows."""
    DELETE_ROWS = "delete rows"
    """Delete the expired rows of a month that has others as well."""
    DELETE_ARCHIVE = "delete archive"
    """Delete an expired month of the archive."""


ARCHIVING = (Kind.ARCHIVE,)
PURGING = tuple(Kind)
"""A purge archives what is due and not archived yet, before it drops it."""


@dataclass(frozen=True)
class Act:
    """One act on one table and month; days of the oldest and newest row are None where there is none.

    `until` ends the days whose rows are deleted (first one that stays). `stopped` says why it is not to be done.
    """

    kind: Kind
    table: str
    month: date
    rows: int
    bytes: int
    first_day: date | None
    last_day: date | None
    until: date | None = None
    stopped: str | None = None
    holds: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kind.value} {self.table} {label(self.month)}"

    @property
    def words(self) -> str:
        days = f"{self.first_day} to {self.last_day}" if self.first_day else "no day"
        words = f"{self.title}: {self.rows:,} rows, {self.bytes:,} bytes, {days}"
        return f"{words}; stopped by {self.stopped}" if self.stopped else words


def plan(room: Room, today: date, kinds: Iterable[Kind] = PURGING) -> Plan[Act]:
    """What is due of these kinds. Nothing is changed."""
    wanted = set(kinds)
    with room.session() as connection, connection.transaction():
        tables = [table for table in room.domain.published_tables if room.policy.of(table.retention).hot_days is not None]
        begin_reading(connection, room, tables)
        archived = {(one.table, one.month): one for one in archived_months(connection, room)}
        planner = _Planner(connection, room, today, holds_in_force(connection, room, today), archived)
        acts = [act for table in tables for act in planner.acts(table) if act.kind in wanted]
    return Plan(room.domain.name, today, room.policy.version, tuple(acts))


@dataclass(frozen=True)
class _Planner:
    """Looks at one domain in one snapshot of it."""

    connection: psycopg.Connection
    room: Room
    today: date
    holds: Sequence[Hold]
    archived: dict[tuple[str, date], Archived]

    def acts(self, table: Table) -> Iterator[Act]:
        periods = self.room.policy.of(table.retention)
        kept_from = periods.kept_from(self.today)
        if kept_from is None:
            return
        for month, partition in partitions(self.connection, self.room, table).items():
            if month < kept_from:
                is_whole = last_day_of(month) < kept_from
                before = None if is_whole else kept_from
                found = content(self.connection, self.room, table, partition, before)
                if not found.rows:
                    if is_whole:
                        yield _act(Kind.PURGE, table, month, found)
                elif table.source is Source.FEATURE:
                    # Postgres has a window of what the lake holds of features; whoever works them out moves it on.
                    continue
                elif not periods.archived:
                    yield from self._unarchived(table, month, partition, found, kept_from)
                elif is_whole:
                    yield from self._archived(table, month, partition, found)
        archived_from = periods.archived_from(self.today) if periods.archived else None
        for (name, month), one in self.archived.items():
            if name == table.name and one.holds_alone and archived_from is not None and last_day_of(month) < archived_from:
                yield self._expired(table, one)

    def _archived(self, table: Table, month: date, partition: str, found: Content) -> Iterator[Act]:
        """A whole month of an archived class."""
        held = self._held(table, month, partition)
        known = self.archived.get((table.name, month))
        stopped = _why(held)
        if stopped is None and known is not None and known.holds_alone:
            stopped = (
                "rows that came after the month was dropped: bring the archived ones back with "
                f"'ticketintel archive restore {table.name} --from {month} --to {last_day_of(month)}'"
            )
        elif stopped is None and known is not None and known.restored_until is not None and known.restored_until >= self.today:
            stopped = f"its restoration, which lasts until {known.restored_until}"
        if known is None or known.deleted_at is not None:
            yield _act(Kind.ARCHIVE, table, month, found, stopped, held)
        yield _act(Kind.DROP, table, month, found, stopped, held)

    def _unarchived(self, table: Table, month: date, partition: str, found: Content, kept_from: date) -> Iterator[Act]:
        """Expired rows of a class that is not archived: of a held month, those go that nothing holds."""
        held = self._held(table, month, partition)
        until = min(kept_from, next_month(month))
        if not held and until == next_month(month):
            yield _act(Kind.PURGE, table, month, found)
            return
        kept = held_count(self.connection, self.room, table, partition, held, until) if held else 0
        if kept:
            stays = replace(found, rows=kept, bytes=0)
            yield _act(Kind.DELETE_ROWS, table, month, stays, _why(held), held, until)
        if found.rows > kept:
            yield _act(Kind.DELETE_ROWS, table, month, replace(found, rows=found.rows - kept, bytes=0), None, (), until)

    def _expired(self, table: Table, one: Archived) -> Act:
        possible = holds_on(self.holds, table, one.month, last_day_of(one.month))
        held = holds_in_archive(self.room, table, one, possible)
        found = Content(one.rows, one.bytes, one.first_day, one.last_day)
        return _act(Kind.DELETE_ARCHIVE, table, one.month, found, _why(held), held)

    def _held(self, table: Table, month: date, partition: str) -> list[Hold]:
        possible = holds_on(self.holds, table, month, last_day_of(month))
        return holds_in_partition(self.connection, self.room, table, partition, possible)


def _why(held: Sequence[Hold]) -> str | None:
    return "; ".join(hold.words for hold in held) or None


def _act(
    kind: Kind,
    table: Table,
    month: date,
    found: Content,
    stopped: str | None = None,
    held: Sequence[Hold] = (),
    until: date | None = None,
) -> Act:
    numbers = tuple(hold.hold_id for hold in held)
    return Act(kind, table.name, month, found.rows, found.bytes, found.first_day, found.last_day, until, stopped, numbers)
