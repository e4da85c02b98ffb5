"""Bringing months of the archive back into Postgres; the archive keeps them."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.engine import identifier, parquet_as, stream
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.retention.figures import figures_in_parquet, figures_in_postgres
from ticketintel_pipelines.retention.index import Archived, archived_months, partitions, set_state
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.manifest import DamagedArchiveError, month_folder, read_manifest, require_intact
from ticketintel_pipelines.retention.months import label, last_day_of
from ticketintel_pipelines.retention.outcome import IN_USE
from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS, Bounds, BusyError, Room
from ticketintel_pipelines.warehouse.loading import BATCH_ROWS, copy_batches


@dataclass(frozen=True)
class Restored:
    """One month that is in Postgres again: its rows, and those that were there under the same key and stayed as they were."""

    month: date
    rows: int
    kept: int


def restore(room: Room, table: Table, days: DayRange, until: date, bounds: Bounds = DEFAULT_BOUNDS) -> list[Restored]:
    """Bring the archived months that have any of some days back; they stay in Postgres until a day, and leave again after it.

    Each month is a transaction. Rows that came since the month was dropped stay; under the same key they stand for the newer.

    Raises:
        BadInputError: nothing of these days is in the archive alone, or the table has lost a column since.
        BusyError: another run has the domain, or somebody uses the table for longer than is waited.
        DamagedArchiveError: a file is not what was archived, or came out of Postgres otherwise than it is in the file.
    """
    with room.alone(bounds) as connection:
        standing = partitions(connection, room, table)
        wanted = [
            one
            for one in archived_months(connection, room, table.name)
            if one.month <= days.last
            and last_day_of(one.month) >= days.first
            # A month that left Postgres by another hand than that of retention is there as well.
            and (one.holds_alone or (one.deleted_at is None and one.month not in standing))
        ]
        if not wanted:
            raise BadInputError(f"no month of {table.name} from {days} is in the archive alone; there is nothing to bring back")
        try:
            return [_restore(connection, room, table, one, until) for one in wanted]
        except IN_USE as error:
            raise BusyError(f"{table.name} is in use; run the same command again, it goes on where it was") from error


def _restore(connection: psycopg.Connection, room: Room, table: Table, one: Archived, until: date) -> Restored:
    folder = month_folder(room.archive, room.domain.name, table.name, one.month)
    manifest = read_manifest(folder)
    if manifest is None or manifest.hash != one.manifest_hash:
        raise DamagedArchiveError(f"{folder} has not the manifest that was entered; restore it from a backup")
    lost = {name for name, _ in manifest.columns} - set(table.column_names)
    if lost:
        raise BadInputError(
            f"{table.name} {label(one.month)} was archived with {', '.join(sorted(lost))}, which the table has no more; "
            "'ticketintel archive query' still reads it"
        )
    file = require_intact(folder, manifest)
    with (
        room.progress.step(f"restore {table.name} {label(one.month)}"),
        room.engine() as engine,
        connection.transaction(),
    ):
        rows, kept = _load(connection, engine, room, table, one.month, file, manifest.rows)
        set_state(connection, room, table.name, one.month, f"dropped_at = NULL, restored_until = DATE '{until}'")
        entry = Entry(
            "restored",
            table.name,
            one.month,
            last_day_of(one.month),
            rows,
            one.bytes,
            one.content_hash,
            one.file_hash,
            detail={"until": str(until), "kept": kept},
        )
        append(connection, room, entry)
    return Restored(one.month, rows, kept)


def _load(
    connection: psycopg.Connection,
    engine: duckdb.DuckDBPyConnection,
    room: Room,
    table: Table,
    month: date,
    file: Path,
    archived_rows: int,
) -> tuple[int, int]:
    """Rows that were loaded, and rows of the archive that a newer one of the same key stands for."""
    where = (room.domain.name, table.name, month)
    standing = partitions(connection, room, table).get(month)
    made = connection.execute("SELECT ops.make_month_partition(%s, %s, %s)", where).fetchone()
    partition = standing or (made[0] if made else None)
    if partition is None:
        raise BadInputError(f"a table stands where the partition of {table.name} {label(month)} would; attach or drop it")
    names = ", ".join(identifier(column.name) for column in table.columns)
    reader = stream(engine, f"SELECT {names} FROM {parquet_as(engine, [file], table.duckdb_types)}", BATCH_ROWS)
    if standing is None:
        rows = copy_batches(connection, (room.domain.name, partition), table.columns, reader)
        connection.execute("SELECT ops.attach_month_partition(%s, %s, %s)", where)
        expected = figures_in_parquet(engine, [file], table.columns)
        if figures_in_postgres(connection, (room.domain.name, partition), table.columns) != expected or (
            expected.rows != archived_rows
        ):
            raise DamagedArchiveError(f"{file} did not come into Postgres as it is")
        return rows, 0
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE brought_back (LIKE {} INCLUDING DEFAULTS) ON COMMIT DROP").format(
            sql.Identifier(room.domain.name, table.name)
        )
    )
    rows = copy_batches(connection, ("brought_back",), table.columns, reader)
    inserted = connection.execute(
        sql.SQL("INSERT INTO {} SELECT * FROM brought_back ON CONFLICT DO NOTHING").format(
            sql.Identifier(room.domain.name, table.name)
        )
    ).rowcount
    return inserted, rows - inserted
