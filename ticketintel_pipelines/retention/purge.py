"""What takes rows out of Postgres: dropping months, and deleting the expired rows of a month that has others as well.

Each transaction here has its row in the ledger, and freezes the days that it takes away. A month is dropped under a lock that
lets readers in and keeps writers out, after its rows have been compared with the archive once more: a row that came while the
month was exported is noticed, and the month archived anew.
"""

from collections.abc import Callable
from datetime import date, timedelta

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Source, Table
from ticketintel_pipelines.retention.archive import archive_month
from ticketintel_pipelines.retention.figures import figures_in_postgres
from ticketintel_pipelines.retention.held import holds_now, require_none_held
from ticketintel_pipelines.retention.holds import held_rows, holds_in_force, holds_on, instant
from ticketintel_pipelines.retention.index import archived_month, content, retain_from, set_state
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.manifest import (
    DamagedArchiveError,
    Manifest,
    columns_of,
    month_folder,
    read_manifest,
    require_intact,
)
from ticketintel_pipelines.retention.months import label, last_day_of, next_month
from ticketintel_pipelines.retention.outcome import NotDoneError, Result
from ticketintel_pipelines.retention.room import Bounds, Room

ATTEMPTS = 2
"""A month that was changed since it was archived is archived anew and tried once more."""


def drop_archived_month(
    connection: psycopg.Connection, room: Room, table: Table, month: date, partition: str, today: date
) -> tuple[int, int]:
    """Drop a month whose rows are in the archive; returns the rows, and the bytes that Postgres gets back.

    Raises:
        DamagedArchiveError: the archive does not hold what was put there.
        NotDoneError: a legal hold is on it, or rows keep changing.
        psycopg.errors.LockNotAvailable: the table is in use.
    """
    for _ in range(ATTEMPTS):
        manifest = require_archived(connection, room, table, month)
        dropped = manifest and _drop_if_equal(connection, room, table, month, partition, today, manifest)
        if dropped:
            return dropped
        archive_month(connection, room, table, month, partition, today)
    raise NotDoneError(Result.CHANGED, "its rows were changed again and again while it was archived")


def require_archived(connection: psycopg.Connection, room: Room, table: Table, month: date) -> Manifest | None:
    """The manifest of a month that is sound in the archive and in Postgres as well; None where it was not archived yet.

    Raises:
        DamagedArchiveError: the file has other bytes than its manifest says, or the manifest cannot be read.
        NotDoneError: the month was dropped before.
    """
    known = archived_month(connection, room, table.name, month)
    if known is None or known.deleted_at is not None:
        return None
    if known.holds_alone:
        raise NotDoneError(Result.CHANGED, "rows came after the month was dropped; restore it, then run again")
    folder = month_folder(room.archive, room.domain.name, table.name, month)
    try:
        manifest = read_manifest(folder)
        # No manifest, or another one than was entered: a run was killed before it entered its copy, which is compared anew.
        if manifest is None or manifest.hash != known.manifest_hash:
            return None
        require_intact(folder, manifest)
    except DamagedArchiveError as error:
        raise DamagedArchiveError(f"{error}; Postgres has the rows too: remove {folder}, and they are archived anew") from error
    return manifest


def _drop_if_equal(
    connection: psycopg.Connection,
    room: Room,
    table: Table,
    month: date,
    partition: str,
    today: date,
    manifest: Manifest,
) -> tuple[int, int] | None:
    what = f"{table.name} {label(month)}"
    with room.progress.step(f"drop {what}"), connection.transaction():
        _keep_writers_out(connection, room, table, partition)
        require_none_held(holds_now(connection, room, table, month, partition, today))
        with room.progress.step(f"compare {what}"):
            hot = figures_in_postgres(connection, (room.domain.name, partition), table.columns)
        if hot != manifest.figures or manifest.columns != columns_of(table):
            return None
        size = _bytes(connection, room, partition)
        set_state(connection, room, table.name, month, "dropped_at = now(), restored_until = NULL")
        entry = Entry(
            "dropped",
            table.name,
            month,
            last_day_of(month),
            hot.rows,
            size,
            hot.content_hash,
            manifest.file_hash,
            detail={"manifest_hash": manifest.hash},
        )
        _leave(connection, room, table, month, partition, entry)
    return hot.rows, size


def purge_month(
    connection: psycopg.Connection, room: Room, table: Table, month: date, partition: str, today: date
) -> tuple[int, int]:
    """Drop a month of a class that is not archived, or one that is empty; returns the rows and bytes that went.

    Raises:
        NotDoneError: a legal hold is on it, or it is not empty and its rows are kept elsewhere.
        psycopg.errors.LockNotAvailable: the table is in use.
    """
    with room.progress.step(f"purge {table.name} {label(month)}"), connection.transaction():
        _keep_writers_out(connection, room, table, partition)
        require_none_held(holds_now(connection, room, table, month, partition, today))
        found = content(connection, room, table, partition)
        if found.rows and (room.policy.of(table.retention).archived or table.source is Source.FEATURE):
            raise NotDoneError(Result.CHANGED, "it is not empty any more")
        entry = Entry("purged", table.name, month, last_day_of(month), found.rows, found.bytes)
        _leave(connection, room, table, month, partition, entry)
    return found.rows, found.bytes


def _keep_writers_out(connection: psycopg.Connection, room: Room, table: Table, partition: str) -> None:
    """Until the transaction ends. The table itself first: writers come that way, and none then waits for us with a lock."""
    for name in (table.name, partition):
        statement = sql.SQL("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(statement.format(sql.Identifier(room.domain.name, name)))


def _bytes(connection: psycopg.Connection, room: Room, partition: str) -> int:
    row = connection.execute("SELECT pg_total_relation_size(%s)", (f'"{room.domain.name}"."{partition}"',)).fetchone()
    assert row is not None
    return int(row[0])


def _leave(connection: psycopg.Connection, room: Room, table: Table, month: date, partition: str, entry: Entry) -> None:
    """The record first, the partition last: readers wait for no longer than the end of the transaction takes."""
    retain_from(connection, room, table.name, next_month(month))
    append(connection, room, entry)
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(room.domain.name, partition)))


def delete_rows(
    connection: psycopg.Connection,
    room: Room,
    table: Table,
    partition: str,
    month: date,
    until: date,
    today: date,
    bounds: Bounds,
    most_rows: int,
    is_late: Callable[[], bool],
) -> tuple[int, bool]:
    """Delete the rows before a day that no hold is on, oldest first; returns how many went, and whether all did."""
    name, when = sql.Identifier(room.domain.name, partition), sql.Identifier(table.time)
    gone = 0
    with room.progress.step(f"delete rows {table.name} {label(month)}"):
        while gone < most_rows and not is_late():
            batch = min(bounds.batch_rows, most_rows - gone)
            with connection.transaction():
                connection.execute("LOCK TABLE ops.legal_holds IN SHARE MODE")
                holds = holds_on(holds_in_force(connection, room, today), table, month, until - timedelta(days=1))
                statement = sql.SQL(
                    "WITH gone AS (DELETE FROM {name} WHERE ctid = ANY (ARRAY("
                    "SELECT ctid FROM {name} WHERE {when} < {until} AND NOT ({held}) ORDER BY {when} LIMIT {batch})) "
                    "RETURNING ({when} AT TIME ZONE 'UTC')::date AS day) SELECT count(*), min(day), max(day) FROM gone"
                ).format(
                    name=name,
                    when=when,
                    until=sql.SQL(instant(until)),
                    held=sql.SQL(held_rows(table, holds)),
                    batch=sql.Literal(batch),
                )
                row = connection.execute(statement).fetchone()
                assert row is not None
                rows, first, last = row
                if not rows:
                    return gone, True
                retain_from(connection, room, table.name, until)
                append(connection, room, Entry("rows_deleted", table.name, first, last, rows))
            gone += rows
            if rows < batch:
                return gone, True
    return gone, False
