"""How many rows there are and a hash of their content that does not depend on their order: the same from Postgres and Parquet.

The hash of a set of rows is the sum of the first 60 bits of the SHA-256 of each row's text. It is there to notice rows that
were lost, doubled or changed on the way; that nobody altered a file afterwards is shown by the SHA-256 of its bytes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.lake.engine import fetch_row, identifier, parquet_as

HASHED_DIGITS = 15
"""Hexadecimal digits of a row's SHA-256 that are summed: 60 bits, which a 64-bit integer holds without a sign."""
LARGEST_BITS, INFINITE_BITS = 2**63 - 1, 0x7FF << 52
"""All bits of a double but its sign, and those of infinity: above it lies what is no number."""


@dataclass(frozen=True)
class Figures:
    rows: int
    content_hash: str
    """Hexadecimal digits of the sum; of no rows, 0."""


def figures_in_postgres(connection: psycopg.Connection, relation: tuple[str, str], columns: Sequence[Column]) -> Figures:
    """Of all rows of a table or partition."""
    digits = f"substr(encode(sha256(convert_to({_row(columns, _in_postgres)}, 'UTF8')), 'hex'), 1, {HASHED_DIGITS})"
    # One expression, so that the server may share the work among its processes.
    query = f"SELECT count(*), coalesce(sum(('x0' || {digits})::bit(64)::bigint), 0) FROM "
    row = connection.execute(sql.SQL("{}{}").format(sql.SQL(query), sql.Identifier(*relation))).fetchone()
    assert row is not None
    return Figures(int(row[0]), f"{int(row[1]):x}")


def figures_in_parquet(engine: duckdb.DuckDBPyConnection, files: Iterable[Path], columns: Sequence[Column]) -> Figures:
    """Of all rows of some files; a column that they lack counts as null."""
    files = list(files)
    if not files:
        return Figures(0, "0")
    source = parquet_as(engine, files, {column.name: column.type.duckdb for column in columns})
    number = f"CAST('0x' || substr(sha256({_row(columns, _in_duckdb)}), 1, {HASHED_DIGITS}) AS BIGINT)"
    rows, total = fetch_row(engine, f"SELECT count(*), coalesce(sum({number}), 0) FROM {source}")
    return Figures(int(rows), f"{int(total):x}")


def _row(columns: Sequence[Column], text_of: Callable[[Column], str]) -> str:
    """A text of a row that no other row has: texts come with their length, and nulls are no text at all."""
    return f"concat_ws(chr(31), {', '.join(text_of(column) for column in columns)})"


def _in_postgres(column: Column) -> str:
    name = identifier(column.name)
    match column.type:
        case ColumnType.NUMBER:
            # The bits: the two servers do not write a double alike. Not of what is no number: which one it is says nothing.
            bits = f"(('x' || encode(float8send({name}), 'hex'))::bit(64)::bigint)::text"
            value = f"CASE WHEN {name} = 'NaN' THEN 'NaN' ELSE {bits} END"
        case ColumnType.TIMESTAMP:
            value = f"((extract(epoch FROM {name}) * 1000000)::bigint)::text"
        case ColumnType.INTEGER | ColumnType.UINT256 | ColumnType.MONEY | ColumnType.BOOLEAN:
            value = f"{name}::text"
        case _:
            value = f"char_length({name}) || ':' || {name}"
    return f"coalesce({value}, '~')"


def _in_duckdb(column: Column) -> str:
    name = identifier(column.name)
    match column.type:
        case ColumnType.NUMBER:
            # Not isnan(): the statistics of a Parquet file leave out what is no number, and DuckDB 2.0 decides it by them.
            bits = f"CAST(CAST({name} AS BIT) AS BIGINT)"
            value = f"CASE WHEN ({bits} & {LARGEST_BITS}) > {INFINITE_BITS} THEN 'NaN' ELSE CAST({bits} AS VARCHAR) END"
        case ColumnType.TIMESTAMP:
            value = f"CAST(epoch_us({name}) AS VARCHAR)"
        case ColumnType.INTEGER | ColumnType.UINT256 | ColumnType.MONEY | ColumnType.BOOLEAN:
            value = f"CAST({name} AS VARCHAR)"
        case _:
            value = f"length({name}) || ':' || {name}"
    return f"coalesce({value}, '~')"
