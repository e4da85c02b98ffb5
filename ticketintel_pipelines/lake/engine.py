"""DuckDB as the pipeline opens it: UTC, bounded memory, spilling beside the lake."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ticketintel_pipelines.errors import UnavailableError


@contextmanager
def open_engine(scratch: Path, memory_limit: str = "4GB") -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB; `scratch` takes what does not fit into `memory_limit`.

    Raises:
        UnavailableError: the disk under `scratch` is full.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET memory_limit = {text(memory_limit)}")
        connection.execute(f"SET temp_directory = {text(str(scratch / 'spill'))}")
        connection.execute("SET enable_progress_bar = false")
        yield connection
    except (duckdb.IOException, OSError) as error:
        if "No space left on device" in str(error) or getattr(error, "errno", None) == 28:
            raise UnavailableError(
                f"the disk under {scratch.parent} is full; free some space and run the same command again"
            ) from error
        raise
    finally:
        connection.close()


def fetch_rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """All rows of a query; nothing of it stays open on the connection."""
    return connection.execute(query).fetchall()


def fetch_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """The one row of a query that always has one, such as an aggregate."""
    (row,) = fetch_rows(connection, query)
    return row


def fetch_table(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """All rows of a query as an Arrow table."""
    return connection.sql(query).to_arrow_table()


def stream(connection: duckdb.DuckDBPyConnection, query: str, batch_rows: int) -> pa.RecordBatchReader:
    """The rows of a query as Arrow batches; to be read to its end before anything else is asked of the connection."""
    return connection.sql(query).to_arrow_reader(batch_rows)


def text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def location(path: Path) -> str:
    """A SQL string literal of the path that DuckDB reads as this one file, whatever characters its name has."""
    return text(re.sub(r"[*?\[]", r"[\g<0>]", str(path.absolute())))


def parquet(files: Iterable[Path]) -> str:
    """A SQL table expression over Parquet files, in this order."""
    names = ", ".join(location(file) for file in files)
    return f"read_parquet([{names}], hive_partitioning = false)"


def parquet_as(connection: duckdb.DuckDBPyConnection, files: Iterable[Path], columns: Mapping[str, str], more: str = "") -> str:
    """A SQL table expression over Parquet files with these columns, given with their types, and `more` expressions.

    A file that was written before a column was declared holds nulls in it.
    """
    names = ", ".join(location(file) for file in files)
    source = f"read_parquet([{names}], hive_partitioning = false, union_by_name = true)"
    known = {row[0] for row in fetch_rows(connection, f"DESCRIBE SELECT * FROM {source}")}
    picked = ", ".join(
        identifier(name) if name in known else f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in columns.items()
    )
    return f"(SELECT {picked}{more} FROM {source})"
