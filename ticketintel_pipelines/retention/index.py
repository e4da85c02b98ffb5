"""The index of the archive in Postgres, and the partitions that stand there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.retention.figures import Figures
from ticketintel_pipelines.retention.holds import instant
from ticketintel_pipelines.retention.manifest import MANIFEST, DamagedArchiveError, Manifest, month_folder, read_manifest
from ticketintel_pipelines.retention.months import label
from ticketintel_pipelines.retention.room import Room

COLUMNS = (
    "table_name, month, path, rows, bytes, content_hash, file_hash, manifest_hash, first_day, last_day, dropped_at, "
    "restored_until, deleting_since, deleted_at"
)


@dataclass(frozen=True)
class Archived:
    """A month as the index knows it. While `dropped_at` is None its rows are in Postgres and the file is a copy."""

    table: str
    month: date
    path: str
    rows: int
    bytes: int
    content_hash: str
    file_hash: str
    manifest_hash: str
    first_day: date
    last_day: date
    dropped_at: datetime | None
    restored_until: date | None
    deleting_since: datetime | None
    deleted_at: datetime | None

    @property
    def figures(self) -> Figures:
        return Figures(self.rows, self.content_hash)

    @property
    def holds_alone(self) -> bool:
        """Whether the rows are in the archive and nowhere else."""
        return self.dropped_at is not None and self.deleted_at is None


def archived_months(connection: psycopg.Connection, room: Room, table: str | None = None) -> list[Archived]:
    """The index, by table and month; months whose files were deleted since stand in it too."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM ops.archive_index WHERE domain = %s AND coalesce(table_name = %s, TRUE) "
        "ORDER BY table_name, month",
        (room.domain.name, table),
    ).fetchall()
    return [Archived(*row) for row in rows]


def archived_month(connection: psycopg.Connection, room: Room, table: str, month: date) -> Archived | None:
    """What the index says of one month."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM ops.archive_index WHERE domain = %s AND table_name = %s AND month = %s",
        (room.domain.name, table, month),
    ).fetchone()
    return None if row is None else Archived(*row)


def enter(connection: psycopg.Connection, room: Room, manifest: Manifest) -> None:
    """Make a month known whose rows are in Postgres as well; a month that was known before is the new one from now on."""
    month = date.fromisoformat(f"{manifest.month}-01")
    folder = month_folder(room.archive, room.domain.name, manifest.table, month)
    connection.execute(
        "INSERT INTO ops.archive_index AS i (domain, table_name, month, path, rows, bytes, content_hash, file_hash, "
        "manifest_hash, first_day, last_day, policy_version) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (domain, table_name, month) DO UPDATE SET path = excluded.path, rows = excluded.rows, "
        "bytes = excluded.bytes, content_hash = excluded.content_hash, file_hash = excluded.file_hash, "
        "manifest_hash = excluded.manifest_hash, first_day = excluded.first_day, last_day = excluded.last_day, "
        "policy_version = excluded.policy_version, archived_at = now(), dropped_at = NULL, deleting_since = NULL, "
        "deleted_at = NULL",
        (
            room.domain.name,
            manifest.table,
            month,
            str((folder / manifest.file).relative_to(room.archive)),
            manifest.rows,
            manifest.file_bytes,
            manifest.content_hash,
            manifest.file_hash,
            manifest.hash,
            manifest.first_day,
            manifest.last_day,
            manifest.policy_version,
        ),
    )


def set_state(connection: psycopg.Connection, room: Room, table: str, month: date, change: str) -> None:
    """Change what the index says of a month: `change` is the SET clause of an UPDATE."""
    connection.execute(
        f"UPDATE ops.archive_index SET {change} WHERE domain = %s AND table_name = %s AND month = %s",
        (room.domain.name, table, month),
    )


def rebuild(connection: psycopg.Connection, room: Room) -> int:
    """Enter every manifest of the archive that the index lacks; returns how many.

    A month counts as dropped where the ledger says that it was, and not that it was restored since.

    Raises:
        DamagedArchiveError: a manifest cannot be read.
    """
    known = {(one.table, one.month) for one in archived_months(connection, room)}
    entered = 0
    for file in sorted((room.archive / room.domain.name).glob(f"*/month=*/{MANIFEST}")):
        manifest = read_manifest(file.parent)
        if manifest is None:
            continue
        month = date.fromisoformat(f"{manifest.month}-01")
        if (manifest.table, month) in known:
            continue
        if file.parent != month_folder(room.archive, manifest.domain, manifest.table, month):
            raise DamagedArchiveError(f"{file} is the manifest of {manifest.table} {label(month)}, which lies elsewhere")
        with connection.transaction():
            enter(connection, room, manifest)
            connection.execute(
                "UPDATE ops.archive_index SET dropped_at = ("
                "SELECT max(at) FROM ops.retention_ledger l WHERE l.domain = %(domain)s AND l.table_name = %(table)s "
                "AND l.act = 'dropped' AND l.first_day = %(month)s AND l.sequence > coalesce((SELECT max(sequence) FROM "
                "ops.retention_ledger r WHERE r.domain = l.domain AND r.table_name = l.table_name AND r.act = 'restored' "
                "AND r.first_day = l.first_day), 0)) "
                "WHERE domain = %(domain)s AND table_name = %(table)s AND month = %(month)s",
                {"domain": room.domain.name, "table": manifest.table, "month": month},
            )
        entered += 1
    return entered


def begin_reading(connection: psycopg.Connection, room: Room, tables: Sequence[Table]) -> None:
    """Read these tables and the index of the archive as they are at one moment. To be called first in a transaction.

    A snapshot is not enough: a partition that is dropped meanwhile would be gone from it, and not be in its index yet.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    names = sql.SQL(", ").join(sql.Identifier(room.domain.name, table.name) for table in tables)
    if tables:
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))


@dataclass(frozen=True)
class Content:
    """What a partition holds: rows, bytes with its indexes, and the days of its oldest and newest row."""

    rows: int
    bytes: int
    first_day: date | None
    last_day: date | None


def partitions(connection: psycopg.Connection, room: Room, table: Table) -> Mapping[date, str]:
    """The names of the month partitions of a table, by month."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass(%s) ORDER BY c.relname",
        (f'"{room.domain.name}"."{table.name}"',),
    ).fetchall()
    found: dict[date, str] = {}
    for (name,) in rows:
        parts = re.fullmatch(re.escape(table.name) + r"_(\d{4})_(\d{2})", name)
        if parts:
            found[date(int(parts[1]), int(parts[2]), 1)] = name
    return found


def content(connection: psycopg.Connection, room: Room, table: Table, partition: str, before: date | None = None) -> Content:
    """What a partition holds, or what of it lies before a day."""
    relation = sql.Identifier(room.domain.name, partition)
    where = sql.SQL("TRUE") if before is None else sql.SQL(f"{{}} < {instant(before)}").format(sql.Identifier(table.time))
    row = connection.execute(
        sql.SQL(
            "SELECT count(*), pg_total_relation_size({name}), (min({time}) AT TIME ZONE 'UTC')::date, "
            "(max({time}) AT TIME ZONE 'UTC')::date FROM {relation} WHERE {where}"
        ).format(
            name=sql.Literal(f'"{room.domain.name}"."{partition}"'),
            time=sql.Identifier(table.time),
            relation=relation,
            where=where,
        )
    ).fetchone()
    assert row is not None
    return Content(*row)


def retain_from(connection: psycopg.Connection, room: Room, table: str, first_day: date) -> None:
    """Freeze the days before one; what was frozen before stays so."""
    connection.execute(
        "INSERT INTO ops.retained_from AS r (domain, table_name, first_day) VALUES (%s, %s, %s) "
        "ON CONFLICT (domain, table_name) DO UPDATE SET first_day = excluded.first_day, since = now() "
        "WHERE r.first_day < excluded.first_day",
        (room.domain.name, table, first_day),
    )
