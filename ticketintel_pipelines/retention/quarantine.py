"""Retention of rows in quarantine: they go when the published rows of their table and day have left Postgres.

They were never published and are not archived; the raw files that they came from follow the policy of their table. Rows of a
table that is kept for ever stay until they are mended, and then as long as debug logs do.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import RetentionClass, Table
from ticketintel_pipelines.retention.holds import holds_in_force, holds_on
from ticketintel_pipelines.retention.room import Room
from ticketintel_pipelines.retention.traces import Due, Gone, Limits, record

BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Quarantine:
    """The rows of `ops.quarantine`, each by the class of its table."""

    name: str = "ops.quarantine"

    def due(self, connection: psycopg.Connection, room: Room, today: date) -> Due:
        held_ids: set[int] = set()
        rows = size = held = 0
        days: list[date] = []
        for table in room.domain.tables:
            expired, hold_ids = _expired(room, table, today), _hold_ids(connection, room, table, today)
            holding = _held(connection, room, table, today)
            query = sql.SQL(
                "SELECT count(*) FILTER (WHERE NOT is_held), coalesce(sum(bytes) FILTER (WHERE NOT is_held), 0), "
                "min(day), max(day), count(*) FILTER (WHERE is_held) "
                "FROM (SELECT day, pg_column_size(q) AS bytes, {held} AS is_held FROM ops.quarantine q WHERE {expired}) e"
            ).format(held=holding, expired=expired)
            found = connection.execute(query).fetchone()
            assert found is not None
            rows, size, held = rows + found[0], size + int(found[1]), held + found[4]
            days += [day for day in found[2:4] if day is not None]
            held_ids |= hold_ids if found[4] else set()
        return Due(rows, size, min(days, default=None), max(days, default=None), held, tuple(sorted(held_ids)))

    def delete(self, connection: psycopg.Connection, room: Room, today: date, limits: Limits) -> Gone:
        """In batches, each a transaction with its row in the ledger."""
        rows = size = 0
        for table in room.domain.tables:
            while True:
                if limits.reached(rows):
                    return Gone(rows, size, all_gone=False)
                batch = min(BATCH_ROWS, limits.most_pieces - rows)
                gone = self._delete_batch(connection, room, table, today, batch)
                rows, size = rows + gone.pieces, size + gone.bytes
                if gone.pieces < batch:
                    break
        return Gone(rows, size, all_gone=True)

    def _delete_batch(self, connection: psycopg.Connection, room: Room, table: Table, today: date, batch: int) -> Due:
        with connection.transaction():
            connection.execute("LOCK TABLE ops.legal_holds IN SHARE MODE")
            statement = sql.SQL(
                "WITH gone AS (DELETE FROM ops.quarantine WHERE ctid = ANY (ARRAY("
                "SELECT ctid FROM ops.quarantine q WHERE {expired} AND NOT {held} LIMIT {batch})) "
                "RETURNING day, pg_column_size(quarantine) AS bytes) "
                "SELECT count(*), coalesce(sum(bytes), 0), min(day), max(day) FROM gone"
            ).format(
                expired=_expired(room, table, today),
                held=_held(connection, room, table, today),
                batch=sql.Literal(batch),
            )
            found = connection.execute(statement).fetchone()
            assert found is not None
            gone = Due(found[0], int(found[1]), found[2], found[3])
            if gone.pieces:
                record(connection, room, self.name, gone, {"of_table": table.name})
        return gone


def _expired(room: Room, table: Table, today: date) -> sql.Composed:
    """Which rows of a table are past their time. A month of an archived class leaves Postgres as a whole."""
    periods = room.policy.of(table.retention)
    kept_from = periods.kept_from(today)
    of_table = sql.SQL("q.domain = {} AND q.table_name = {} AND ").format(
        sql.Literal(room.domain.name), sql.Literal(table.name)
    )
    if kept_from is not None:
        before = kept_from.replace(day=1) if periods.archived else kept_from
        return of_table + sql.SQL("q.day < {}").format(sql.Literal(before))
    mended_before = room.policy.of(RetentionClass.DEBUG_LOG).kept_from(today)
    assert mended_before is not None
    return of_table + sql.SQL("q.mended AND q.quarantined_at < {}").format(sql.Literal(mended_before))


def _hold_ids(connection: psycopg.Connection, room: Room, table: Table, today: date) -> set[int]:
    holds = holds_on(holds_in_force(connection, room, today), table, date.min, today + timedelta(days=1))
    return {hold.hold_id for hold in holds}


def _held(connection: psycopg.Connection, room: Room, table: Table, today: date) -> sql.Composed:
    """Which rows a hold is on. A row in quarantine may name its person anywhere, so the whole of it is looked at."""
    conditions = []
    for hold in holds_on(holds_in_force(connection, room, today), table, date.min, today + timedelta(days=1)):
        condition = sql.SQL("q.day BETWEEN {} AND {}").format(
            sql.Literal(hold.first_day or date.min), sql.Literal(hold.last_day or date.max)
        )
        if hold.subject is not None:
            condition += sql.SQL(" AND position({} IN lower(q.content::text)) > 0").format(sql.Literal(hold.subject.lower()))
        conditions.append(condition)
    return sql.SQL("({})").format(sql.SQL(" OR ").join(conditions) if conditions else sql.SQL("FALSE"))
