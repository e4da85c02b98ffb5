"""A platform's own PostgreSQL, made of a simulated world's raw files: for tests, and to try the extraction by hand.

    python -m ticketintel_pipelines_tests.platform_double FOLDER postgresql://user@host:port/database

Its tables are the declared ones with `updated_at` (which begins as the row's own time) and plain client addresses, and wallets
are written as wallets do it: with an EIP-55 checksum. Nothing is constrained, so that the defects of the files arrive as well.
"""

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
from eth_utils import is_address, to_checksum_address
from psycopg import sql

from ticketintel_pipelines.contract import Column, ColumnType, Source, Table
from ticketintel_pipelines.lake.engine import fetch_rows, identifier, parquet, text
from ticketintel_pipelines.ticketing.tables import TICKETING

PLATFORM_TABLES = tuple(table for table in TICKETING.raw_tables if table.source is Source.PLATFORM)
ABSENT = r"\N"


def make_platform(connection: psycopg.Connection, tables: Sequence[Table] = PLATFORM_TABLES, schema: str = "public") -> None:
    """Make the platform's tables, empty."""
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    for table in tables:
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(own_name(column)), sql.SQL(column.type.postgres))
            for column in _own_columns(table)
        ]
        columns.append(sql.SQL("updated_at timestamptz NOT NULL"))
        name = sql.Identifier(schema, table.name)
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(columns)))
        connection.execute(sql.SQL("CREATE INDEX ON {} (updated_at)").format(name))
    connection.commit()


def fill_platform(connection: psycopg.Connection, folder: Path, schema: str = "public") -> None:
    """Copy the platform's rows of a world's raw files into its tables."""
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    with tempfile.TemporaryDirectory() as scratch:
        for table in PLATFORM_TABLES:
            files = sorted((folder / table.name).glob("*.parquet"))
            if files:
                rows = Path(scratch) / f"{table.name}.csv"
                names = _write_rows(engine, table, files, rows)
                _copy(connection, sql.Identifier(schema, table.name), names, rows)
    engine.close()
    connection.commit()


def change(connection: psycopg.Connection, table: str, key: str, at: datetime, **changes: object) -> None:
    """Change the row of a table whose first column is `key`, at some moment, as the platform would; not committed."""
    first = TICKETING.by_name[table].columns[0].name
    values = {**changes, "updated_at": at}
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()
    )
    done = connection.execute(
        sql.SQL("UPDATE {} SET {} WHERE {} = {}").format(
            sql.Identifier(table), assignments, sql.Identifier(first), sql.Literal(key)
        )
    )
    if done.rowcount != 1:
        raise LookupError(f"{done.rowcount} rows of {table} have the key {key}")


def _own_columns(table: Table) -> list[Column]:
    """The declared columns, but for the version, which is read from `updated_at`, and those read from another one's column."""
    return [c for c in table.columns if c.name != table.version and c.type is not ColumnType.IP_BLOCK_HASH]


def own_name(column: Column) -> str:
    """What the platform itself calls a column."""
    return column.aliases[0] if column.type is ColumnType.IP_HASH else column.name


def _write_rows(engine: duckdb.DuckDBPyConnection, table: Table, files: Sequence[Path], target: Path) -> list[str]:
    """Write the rows of raw files as CSV, and return the names of its columns."""
    source = parquet(files)
    present = {row[0] for row in fetch_rows(engine, f"DESCRIBE SELECT * FROM {source}")}
    columns = [column for column in _own_columns(table) if own_name(column) in present]
    addresses = [column.name for column in columns if column.type is ColumnType.ADDRESS]
    _make_checksums(engine, source, addresses)
    joins = "".join(
        f" LEFT JOIN checksums AS {identifier(f'of {n}')} ON {identifier(f'of {n}')}.plain = r.{n}" for n in addresses
    )
    values = [
        f"coalesce({identifier(f'of {c.name}')}.address, r.{c.name})" if c.name in addresses else f"r.{own_name(c)}"
        for c in columns
    ]
    moment = f"coalesce(r.{table.time}, TIMESTAMPTZ {text(datetime.now(UTC).isoformat())})"
    engine.execute(
        f"COPY (SELECT {', '.join(values)}, {moment} FROM {source} AS r{joins}) TO {text(str(target))} "
        f"(FORMAT csv, HEADER false, NULLSTR {text(ABSENT)})"
    )
    return [*(own_name(column) for column in columns), "updated_at"]


def _make_checksums(engine: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str]) -> None:
    union = " UNION ".join(f"SELECT DISTINCT {name} FROM {source}" for name in columns) or "SELECT NULL"
    plain = [row[0] for row in fetch_rows(engine, union) if row[0] and is_address(row[0])]
    found = pa.table({"plain": pa.array(plain, pa.string()), "address": pa.array(map(to_checksum_address, plain), pa.string())})
    engine.register("found", found)
    engine.execute("CREATE OR REPLACE TEMP TABLE checksums AS FROM found")
    engine.unregister("found")


def _copy(connection: psycopg.Connection, target: sql.Identifier, names: Sequence[str], rows: Path) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL {})").format(target, columns, sql.Literal(ABSENT))
    with connection.cursor() as cursor, cursor.copy(statement) as copy, rows.open("rb") as stream:
        while piece := stream.read(2**20):
            copy.write(piece)


def main(folder: str, url: str) -> None:
    with psycopg.connect(url) as connection:
        make_platform(connection)
        fill_platform(connection, Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
