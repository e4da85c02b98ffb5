"""How far each table was taken: read before an increment, moved in the transaction that makes its fragments known.

The watermark is the newest row by (updated_at, key). The next increment asks for all rows written since a moment before it, as
rows that are dated earlier may be committed later, and knows those that were landed by their digests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg.types.json import Jsonb

from ticketintel_pipelines.upstream.landing import LeftOut

DIGEST = pa.binary(16)
DIGESTS_AT_ONCE = 100_000


@dataclass(frozen=True)
class Watermark:
    """`newest` is the (updated_at, key) of the newest row that was taken; `ask_from` is where the next increment begins.

    `columns` are those of the source's table, with their types.
    """

    newest: tuple[datetime, str] | None
    ask_from: datetime | None
    columns: Mapping[str, str]


NOTHING_TAKEN = Watermark(None, None, {})


def next_watermark(
    before: Watermark,
    newest: tuple[datetime, str] | None,
    columns: Mapping[str, str],
    complete_until: datetime,
    overlap: timedelta,
) -> Watermark:
    """Where a table stands after an increment whose newest row is `newest`.

    Whatever was not visible to it began at `complete_until` or later, so that by the database's clock nothing dated earlier can
    follow; the overlap makes up for what that does not tell: transactions that this role cannot see, and other clocks.
    """
    newest = max(filter(None, (before.newest, newest)), default=None)
    if newest is None:
        return Watermark(None, before.ask_from, columns)
    ask_from = min(newest[0], complete_until) - overlap
    return Watermark(newest, max(filter(None, (before.ask_from, ask_from))), columns)


@dataclass(frozen=True)
class Advance:
    """One table's step. `digests` is a Parquet file of the rows known from now on, or None where they stay the same."""

    table: str
    watermark: Watermark
    landed: int
    taken_at: datetime
    digests: Path | None
    left_out: Sequence[LeftOut]
    mended: Sequence[str]
    """Keys that were left out before and came with a sound time."""


def lock(connection: psycopg.Connection, domain: str) -> None:
    """Wait until no other increment of a domain is under way; held until the session ends."""
    connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (f"platform {domain}",))
    connection.commit()


def read_watermarks(connection: psycopg.Connection, domain: str) -> dict[str, Watermark]:
    """The watermarks of the tables that were taken before."""
    with connection.transaction():
        rows = connection.execute(
            "SELECT table_name, updated_at, row_key, ask_from, columns FROM ops.platform_watermarks WHERE domain = %s",
            (domain,),
        ).fetchall()
    return {
        name: Watermark(None if updated_at is None else (updated_at, row_key), ask_from, columns)
        for name, updated_at, row_key, ask_from, columns in rows
    }


def save_digests(connection: psycopg.Connection, domain: str, table: str, path: Path) -> None:
    """Write the digests of a table's known rows to a Parquet file, in the column `row_digest`."""
    with (
        connection.transaction(),
        connection.cursor(name="known_digests", binary=True) as cursor,
        pq.ParquetWriter(path, pa.schema([("row_digest", pa.binary())])) as writer,
    ):
        cursor.itersize = 1
        cursor.execute("SELECT row_digests FROM ops.platform_taken WHERE domain = %s AND table_name = %s", (domain, table))
        for (packed,) in cursor:
            digests = pa.FixedSizeBinaryArray.from_buffers(
                DIGEST, len(packed) // DIGEST.byte_width, [None, pa.py_buffer(packed)]
            )
            writer.write_table(pa.table({"row_digest": digests.cast(pa.binary())}))


def left_out_keys(connection: psycopg.Connection, domain: str, table: str) -> list[str]:
    """Keys of the rows of a table that could not be landed so far."""
    with connection.transaction():
        rows = connection.execute(
            "SELECT row_key FROM ops.platform_left_out WHERE domain = %s AND table_name = %s", (domain, table)
        ).fetchall()
    return [row[0] for row in rows]


def advance(connection: psycopg.Connection, domain: str, step: Advance) -> None:
    """Move one table's watermark, inside the transaction that the caller has open."""
    updated_at, row_key = step.watermark.newest or (None, None)
    connection.execute(
        "INSERT INTO ops.platform_watermarks AS w (domain, table_name, updated_at, row_key, ask_from, columns, increments, "
        "rows, taken_at) VALUES (%s, %s, %s, %s, %s, %s, 1, %s, %s) ON CONFLICT (domain, table_name) DO UPDATE SET "
        "updated_at = excluded.updated_at, row_key = excluded.row_key, ask_from = excluded.ask_from, "
        "columns = excluded.columns, increments = w.increments + 1, rows = w.rows + excluded.rows, "
        "taken_at = excluded.taken_at",
        (
            domain,
            step.table,
            updated_at,
            row_key,
            step.watermark.ask_from,
            Jsonb(dict(step.watermark.columns)),
            step.landed,
            step.taken_at,
        ),
    )
    if step.digests is not None:
        connection.execute("DELETE FROM ops.platform_taken WHERE domain = %s AND table_name = %s", (domain, step.table))
        _load_digests(connection, domain, step.table, step.digests)
    with connection.cursor() as cursor:
        cursor.executemany(
            "DELETE FROM ops.platform_left_out WHERE domain = %s AND table_name = %s AND row_key = %s",
            [(domain, step.table, key) for key in step.mended],
        )
        cursor.executemany(
            "INSERT INTO ops.platform_left_out (domain, table_name, row_key, updated_at, rule) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (domain, table_name, row_key) DO UPDATE SET updated_at = excluded.updated_at, rule = excluded.rule",
            [(domain, step.table, row.row_key, row.updated_at, row.rule) for row in step.left_out],
        )


def _load_digests(connection: psycopg.Connection, domain: str, table: str, path: Path) -> None:
    with connection.cursor() as cursor, pq.ParquetFile(path) as file:
        for part, batch in enumerate(file.iter_batches(DIGESTS_AT_ONCE)):
            cursor.execute(
                "INSERT INTO ops.platform_taken (domain, table_name, part, row_digests) VALUES (%s, %s, %s, %s)",
                (domain, table, part, b"".join(batch.column("row_digest").to_pylist())),
            )
