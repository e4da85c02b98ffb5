"""Looking for texts that should be nowhere: in every row of a database, and in every Parquet file of a lake."""

import re
from collections.abc import Iterable, Set
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

ADDRESS_LIKE = re.compile(r"[0-9a-fA-F:.]{7,}")
"""Runs of the characters that an address is written in."""


def found_in_database(connection: psycopg.Connection, addresses: Set[str]) -> dict[str, set[str]]:
    """The tables and materialized views in which some addresses stand, each with those."""
    relations = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    ).fetchall()
    found = {}
    for schema, name in relations:
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY (SELECT t::text FROM {} AS t) TO STDOUT").format(sql.Identifier(schema, name))) as copy,
        ):
            here = _among(addresses, (bytes(row).decode() for row in copy))
        if here:
            found[f"{schema}.{name}"] = here
    return found


def found_in_files(folder: Path, addresses: Set[str]) -> dict[str, set[str]]:
    """The Parquet files under a folder in which some addresses stand, scratch included, each with those."""
    found = {}
    for path in folder.rglob("*.parquet"):
        table = pq.ParquetFile(path).read()
        texts = (text for column in table.columns if pa.types.is_string(column.type) for text in column.to_pylist() if text)
        if here := _among(addresses, texts):
            found[str(path.relative_to(folder))] = here
    return found


def _among(addresses: Set[str], texts: Iterable[str]) -> set[str]:
    return {run for text in texts for run in ADDRESS_LIKE.findall(text) if run in addresses}
