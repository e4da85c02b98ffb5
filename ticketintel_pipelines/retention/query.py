"""Asking the archive, alone or together with what Postgres still holds, in DuckDB's SQL."""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.engine import identifier, parquet_as
from ticketintel_pipelines.lake.partitions import scratch_folder
from ticketintel_pipelines.retention.export import export
from ticketintel_pipelines.retention.index import archived_months, begin_reading
from ticketintel_pipelines.retention.room import Room

ARCHIVE, HOT = "archive", "hot"


def query(room: Room, statement: str) -> pa.Table:
    """The rows that a SELECT gives. Of each published table there are three views:

    `archive.<table>`: what is in the archive, months that Postgres has as well among it;
    `hot.<table>`: what Postgres holds; and
    `<table>`: both together, each row once, whichever of the two holds it.

    Raises:
        BadInputError: the statement is no SELECT that DuckDB can answer.
    """
    with room.engine() as engine, scratch_folder(room.files) as scratch:
        asked = _tables(engine, room, statement)
        with room.session() as connection, connection.transaction():
            begin_reading(connection, room, asked)
            for name in (ARCHIVE, HOT):
                engine.execute(f"CREATE SCHEMA {name}")
            for table in asked:
                file = scratch / f"{table.name}.parquet"
                export(connection, (room.domain.name, table.name), table.columns, file)
                _views(engine, room, table, connection, parquet_as(engine, [file], table.duckdb_types))
        try:
            return engine.sql(statement).to_arrow_table()
        except duckdb.Error as error:
            raise BadInputError(f"the query cannot be answered: {' '.join(str(error).split())}") from error


def _tables(engine: duckdb.DuckDBPyConnection, room: Room, statement: str) -> list[Table]:
    """The tables whose names stand in a statement: what it does not ask for is not fetched."""
    try:
        kinds = [one.type for one in engine.extract_statements(statement)]
    except duckdb.Error as error:
        raise BadInputError(f"the query cannot be read: {' '.join(str(error).split())}") from error
    if kinds != [duckdb.StatementType.SELECT]:
        raise BadInputError("the archive answers one SELECT")
    words = {word.lower() for word in re.findall(r"\w+", statement)}
    return [table for table in room.domain.published_tables if table.name in words]


def _views(engine: duckdb.DuckDBPyConnection, room: Room, table: Table, connection: psycopg.Connection, hot: str) -> None:
    months = [one for one in archived_months(connection, room, table.name) if one.deleted_at is None]
    everything = [room.archive / one.path for one in months]
    alone = [room.archive / one.path for one in months if one.holds_alone]
    name = identifier(table.name)
    engine.execute(f"CREATE VIEW {HOT}.{name} AS SELECT * FROM {hot}")
    engine.execute(f"CREATE VIEW {ARCHIVE}.{name} AS SELECT * FROM {_files(engine, table, everything)}")
    engine.execute(f"CREATE VIEW {name} AS SELECT * FROM {hot} UNION ALL BY NAME SELECT * FROM {_files(engine, table, alone)}")


def _files(engine: duckdb.DuckDBPyConnection, table: Table, files: Sequence[Path]) -> str:
    if files:
        return parquet_as(engine, files, table.duckdb_types)
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in table.duckdb_types.items())
    return f"(SELECT {columns} WHERE FALSE)"
