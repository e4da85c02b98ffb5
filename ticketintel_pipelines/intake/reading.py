"""Opening a raw file of any format as a SQL relation, with the row each record came from."""

import csv
import re
from dataclasses import dataclass

import duckdb

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.files import RawFile
from ticketintel_pipelines.lake.engine import fetch_rows, identifier, text

ROW = "raw_row"


@dataclass(frozen=True)
class RawRelation:
    """A table expression with the file's own columns and `raw_row` (1 is the first record), and the columns' types."""

    sql: str
    types: dict[str, str]


def open_relation(connection: duckdb.DuckDBPyConnection, file: RawFile) -> RawRelation:
    """The file as a relation; text formats come as text, so that nothing is guessed and no digit is lost.

    Raises:
        BadInputError: the file is empty, truncated, or not of the format its name says.
    """
    if file.path.stat().st_size == 0:
        raise BadInputError(f"{file.name} is empty (0 bytes); export it again")
    location = text(str(file.path))
    try:
        if file.format == "parquet":
            sql = f"(SELECT *, file_row_number + 1 AS {ROW} FROM read_parquet({location}, hive_partitioning = false))"
        elif file.format == "csv":
            sql = f"(SELECT *, row_number() OVER () AS {ROW} FROM {_csv(file, location)})"
        else:
            sql = f"(SELECT *, row_number() OVER () AS {ROW} FROM {_json(connection, location)})"
        described = fetch_rows(connection, f"DESCRIBE SELECT * FROM {sql}")
    except duckdb.Error as error:
        raise unreadable(file, error) from error
    types = {row[0]: row[1] for row in described if row[0] not in (ROW, "file_row_number")}
    return RawRelation(sql, types)


def unreadable(file: RawFile, error: duckdb.Error) -> BadInputError:
    """What DuckDB says of a broken file, in one sentence for the person who exported it."""
    message = str(error)
    first = message.splitlines()[0]
    if file.format == "parquet":
        return BadInputError(
            f"{file.name} is not a whole Parquet file ({_without_prefix(first)}); it may be truncated: export it again"
        )
    if line := re.search(r"CSV Error on Line: (\d+)", message):
        columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
        what = (
            f"has {columns.group(2)} columns where the header has {columns.group(1)}" if columns else "is not well-formed CSV"
        )
        row = int(line.group(1)) - 1
        return BadInputError(f"{file.name}, row {row} {what}; the file may be truncated: mend the row or export it again")
    return BadInputError(f"{file.name} cannot be read as {file.format} ({_without_prefix(first)}); export it again")


def _csv(file: RawFile, location: str) -> str:
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in _csv_header(file))
    return (
        f"read_csv({location}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
        f"strict_mode = true, columns = {{{columns}}})"
    )


def _csv_header(file: RawFile) -> list[str]:
    try:
        with file.path.open(newline="", encoding="utf-8-sig") as stream:
            names = next(csv.reader(stream), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{file.name} is not CSV in UTF-8 ({error}); export it again") from error
    if len({name.lower() for name in names}) != len(names) or not all(names):
        raise BadInputError(f"{file.name} has a header with an empty or repeated column name; name each column once")
    return names


def _json(connection: duckdb.DuckDBPyConnection, location: str) -> str:
    described = fetch_rows(connection, f"DESCRIBE SELECT * FROM read_json({location}, sample_size = -1)")
    columns = ", ".join(f"{identifier(row[0])}: 'VARCHAR'" for row in described)
    return f"read_json({location}, columns = {{{columns}}})"


def _without_prefix(message: str) -> str:
    message = re.sub(r"^[A-Z][\w ]* Error: ", "", message)
    return re.sub(r" '?/\S+'?", "", message).rstrip(".")
