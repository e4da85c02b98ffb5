"""Loading rows with COPY: into a month's new partition before it has indexes, or through the parent into one that stands."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
from psycopg import sql

from ticketintel_pipelines.contract import Column, Domain, Table
from ticketintel_pipelines.lake.engine import identifier, parquet, stream
from ticketintel_pipelines.warehouse.binary_copy import encode

BATCH_ROWS = 50_000


def load_parts(
    connection: psycopg.Connection,
    engine: duckdb.DuckDBPyConnection,
    domain: Domain,
    table: Table,
    parts: Mapping[date, Path],
) -> int:
    """COPY the parts of some days into a table, within the caller's transaction; returns how many rows.

    A month that has no partition yet is loaded first and indexed when it is attached, which takes half the time.
    """
    rows = 0
    names = ", ".join(identifier(column.name) for column in table.columns)
    for month, days in groupby(sorted(parts), key=lambda day: day.replace(day=1)):
        made = connection.execute("SELECT ops.make_month_partition(%s, %s, %s)", (domain.name, table.name, month)).fetchone()
        partition = made[0] if made else None
        reader = stream(engine, f"SELECT {names} FROM {parquet([parts[day] for day in days])}", BATCH_ROWS)
        rows += copy_batches(connection, (domain.name, partition or table.name), table.columns, reader)
        if partition is not None:
            connection.execute("SELECT ops.attach_month_partition(%s, %s, %s)", (domain.name, table.name, month))
    return rows


def copy_batches(
    connection: psycopg.Connection, target: tuple[str, ...], columns: Sequence[Column], batches: Iterable[pa.RecordBatch]
) -> int:
    """COPY Arrow batches, which have columns of these names, into a table; returns how many rows."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(*target), names)
    rows = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for piece, count in encode(columns, batches):
            copy.write(piece)
            rows += count
    return rows
