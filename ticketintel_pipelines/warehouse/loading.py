"""Loading rows with COPY: into a month's new partition before it has indexes, or through the parent into one that stands."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import groupby
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from ticketintel_pipelines.contract import ColumnType, Domain, Table
from ticketintel_pipelines.lake.engine import identifier, parquet, stream

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
    for month, days in groupby(sorted(parts), key=lambda day: day.replace(day=1)):
        made = connection.execute("SELECT ops.make_month_partition(%s, %s, %s)", (domain.name, table.name, month)).fetchone()
        partition = made[0] if made else None
        reader = stream(engine, f"SELECT {_rendered(table)} FROM {parquet([parts[day] for day in days])}", BATCH_ROWS)
        rows += copy_batches(connection, (domain.name, partition or table.name), table.column_names, reader)
        if partition is not None:
            connection.execute("SELECT ops.attach_month_partition(%s, %s, %s)", (domain.name, table.name, month))
    return rows


def _rendered(table: Table) -> str:
    # Money leaves as text: Arrow's CSV writer does not know decimals.
    return ", ".join(
        f"CAST({identifier(column.name)} AS VARCHAR) AS {identifier(column.name)}"
        if column.type is ColumnType.MONEY
        else identifier(column.name)
        for column in table.columns
    )


def copy_batches(
    connection: psycopg.Connection, target: tuple[str, ...], columns: Sequence[str], batches: Iterable[pa.RecordBatch]
) -> int:
    """COPY Arrow batches into a table as CSV, in which an absent value and an empty text differ; returns how many rows."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(*target), names)
    rows = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for rendered, count in _one_ahead(batches):
            copy.write(rendered)
            rows += count
    return rows


def _one_ahead(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[bytes, int]]:
    """The batches as CSV; the next one is rendered while the server takes the last."""
    with ThreadPoolExecutor(max_workers=1) as renderer:
        pending = None
        for batch in batches:
            following = renderer.submit(_csv, batch)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


def _csv(batch: pa.RecordBatch) -> tuple[bytes, int]:
    sink = io.BytesIO()
    if batch.num_rows:
        pyarrow.csv.write_csv(batch, sink, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
    return sink.getvalue(), batch.num_rows
