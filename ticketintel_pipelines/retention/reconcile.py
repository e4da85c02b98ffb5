"""Whether all rows are accounted for: rows ever published = in Postgres + in the archive alone + deleted + erased."""

from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Source, Table
from ticketintel_pipelines.retention.index import begin_reading
from ticketintel_pipelines.retention.room import Room

DELETING = ("purged", "rows_deleted", "archive_deleted")


@dataclass(frozen=True)
class Account:
    """The rows of one table; `oldest` is the day of the oldest row that Postgres holds."""

    table: str
    published: int
    hot: int
    archived: int
    deleted: int
    erased: int
    oldest: date | None

    @property
    def missing(self) -> int:
        """Rows that are unaccounted for; negative where there are more than were published."""
        return self.published - self.hot - self.archived - self.deleted - self.erased


def reconcile(room: Room) -> list[Account]:
    """The accounts of every published table of the domain, in one snapshot."""
    with room.session() as connection, connection.transaction():
        begin_reading(connection, room, room.domain.published_tables)
        return [_account(connection, room, table) for table in room.domain.published_tables]


def _account(connection: psycopg.Connection, room: Room, table: Table) -> Account:
    name = (room.domain.name, table.name)
    hot, oldest = _one(
        connection,
        sql.SQL("SELECT count(*), (min({}) AT TIME ZONE 'UTC')::date FROM {}").format(
            sql.Identifier(table.time), sql.Identifier(*name)
        ),
    )
    (archived,) = _one(
        connection,
        "SELECT coalesce(sum(rows), 0) FROM ops.archive_index "
        "WHERE domain = %s AND table_name = %s AND dropped_at IS NOT NULL AND deleted_at IS NULL",
        name,
    )
    deleted, erased = _one(
        connection,
        "SELECT coalesce(sum(rows) FILTER (WHERE act = ANY (%s)), 0), coalesce(sum(rows) FILTER (WHERE act = 'erased'), 0) "
        "FROM ops.retention_ledger WHERE domain = %s AND table_name = %s AND result = 'done'",
        (list(DELETING), *name),
    )
    return Account(table.name, _published(connection, table, name), int(hot), int(archived), int(deleted), int(erased), oldest)


def _published(connection: psycopg.Connection, table: Table, name: tuple[str, str]) -> int:
    """Rows ever published: of the tables of models those of every scored day, of features those that stand in Postgres."""
    match table.source:
        case Source.MODEL:
            query = "SELECT coalesce(sum(rows), 0) FROM ops.feature_days WHERE domain = %s AND table_name = %s"
        case Source.FEATURE:
            query = (
                "SELECT coalesce(sum(rows) FILTER (WHERE published_hash IS NOT NULL), 0) FROM ops.feature_days "
                "WHERE domain = %s AND table_name = %s"
            )
        case _:
            query = "SELECT coalesce(sum(published), 0) FROM ops.published_days WHERE domain = %s AND table_name = %s"
    return int(_one(connection, query, name)[0])


def _one(connection: psycopg.Connection, query: str | sql.Composed, parameters: tuple[object, ...] | None = None) -> tuple:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row
