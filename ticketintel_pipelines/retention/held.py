"""Which holds are on any of the rows that are there: in a partition of Postgres, or in a month of the archive."""

from collections.abc import Sequence
from datetime import date

import duckdb
import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.lake.engine import fetch_row, parquet_as
from ticketintel_pipelines.retention.holds import Hold, held_rows, holds_in_force, holds_on, instant
from ticketintel_pipelines.retention.index import Archived
from ticketintel_pipelines.retention.months import last_day_of
from ticketintel_pipelines.retention.outcome import NotDoneError, Result
from ticketintel_pipelines.retention.room import Room


def holds_in_partition(
    connection: psycopg.Connection, room: Room, table: Table, partition: str, possible: Sequence[Hold]
) -> list[Hold]:
    """Those of some holds that are on a row of a partition."""
    return [hold for hold in possible if held_count(connection, room, table, partition, [hold], at_most=1)]


def holds_in_archive(room: Room, table: Table, one: Archived, possible: Sequence[Hold]) -> list[Hold]:
    """Those of some holds that are on a row of an archived month; all of them where its file is gone or cannot be read."""
    file = room.archive / one.path
    if not possible or not file.exists():
        return list(possible)
    with room.engine() as engine:
        try:
            source = parquet_as(engine, [file], table.duckdb_types)
            query = f"SELECT count(*) FROM {source} WHERE "
            return [hold for hold in possible if fetch_row(engine, query + held_rows(table, [hold]))[0]]
        except duckdb.Error:
            return list(possible)


def require_none_held(held: Sequence[Hold]) -> None:
    """Refuse what holds are on.

    Raises:
        NotDoneError: there is one.
    """
    if held:
        raise NotDoneError(Result.HELD, "; ".join(hold.words for hold in held), tuple(hold.hold_id for hold in held))


def holds_now(connection: psycopg.Connection, room: Room, table: Table, month: date, partition: str, today: date) -> list[Hold]:
    """The holds in force that are on a row of a partition; none can be placed before the caller's transaction ends."""
    connection.execute("LOCK TABLE ops.legal_holds IN SHARE MODE")
    possible = holds_on(holds_in_force(connection, room, today), table, month, last_day_of(month))
    return holds_in_partition(connection, room, table, partition, possible)


def held_count(
    connection: psycopg.Connection,
    room: Room,
    table: Table,
    partition: str,
    holds: Sequence[Hold],
    before: date | None = None,
    at_most: int | None = None,
) -> int:
    """How many rows of a partition (before a day) any of some holds is on."""
    earlier = "TRUE" if before is None else f"{{time}} < {instant(before)}"
    limit = "" if at_most is None else f" LIMIT {at_most}"
    query = "SELECT count(*) FROM (SELECT 1 FROM {partition} WHERE " + earlier + " AND ({held})" + limit + ") AS held"
    row = connection.execute(
        sql.SQL(query).format(
            partition=sql.Identifier(room.domain.name, partition),
            time=sql.Identifier(table.time),
            held=sql.SQL(held_rows(table, holds)),
        )
    ).fetchone()
    assert row is not None
    return int(row[0])
