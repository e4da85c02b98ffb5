"""Opening a raw file of any format as a SQL relation, with the row each record came from."""

import csv
from dataclasses import dataclass

import duckdb

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.files import RawFile
from ticketintel_pipelines.intake.sentences import LARGEST_RECORD, broken_row, is_about_the_file, listed, unreadable
from ticketintel_pipelines.lake.engine import fetch_rows, identifier, location, text

ROW = "raw_row"
PARQUET_ROW = "file_row_number"


@dataclass(frozen=True)
class RawRelation:
    """A table expression with the file's own columns and `raw_row` (1 is the first record), and the columns' types."""

    sql: str
    types: dict[str, str]
    in_order: bool = True
    """Whether the rows come in the order of the file."""


def open_relation(connection: duckdb.DuckDBPyConnection, file: RawFile) -> RawRelation:
    """The file as a relation; text formats come as text, so that nothing is guessed and no digit is lost.

    Raises:
        BadInputError: the file is empty, truncated, or not of the format its name says.
    """
    if file.path.stat().st_size == 0:
        raise BadInputError(f"{file.name} is empty (0 bytes); export it again")
    try:
        if file.format == "parquet":
            source = f"read_parquet({location(file.path)}, hive_partitioning = false)"
        elif file.format == "csv":
            source = _csv(file)
        else:
            source = _json(connection, file)
        described = fetch_rows(connection, f"DESCRIBE SELECT * FROM {source}")
    except duckdb.Error as error:
        if not is_about_the_file(error):
            raise
        raise unreadable(file, error) from error
    types = {row[0]: row[1] for row in described if row[0].lower() != ROW}
    number = "row_number() OVER ()"
    if file.format == "parquet":
        _refuse_repeated(connection, file)
        if PARQUET_ROW not in {name.lower() for name in types}:
            number = f"{PARQUET_ROW} + 1"
    columns = "".join(f"{identifier(name)}, " for name in types)
    return RawRelation(f"(SELECT {columns}{number} AS {ROW} FROM {source})", types)


def _refuse_repeated(connection: duckdb.DuckDBPyConnection, file: RawFile) -> None:
    """Two columns of one name would be told apart by their place alone."""
    schema = f"parquet_schema({location(file.path)})"
    # The first element is the file's root; names inside lists and structs may repeat.
    elements = fetch_rows(connection, f"SELECT lower(name), coalesce(num_children, 0) FROM {schema}")[1:]
    names: list[str] = []
    inner = 0
    for name, children in elements:
        if inner == 0:
            names.append(name)
        else:
            inner -= 1
        inner += children
    _refuse_bad_header(file, names)


def _refuse_bad_header(file: RawFile, names: list[str]) -> None:
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise BadInputError(f"{file.name} names the column {listed(sorted(repeated))} more than once; name each column once")
    if not names or not all(names):
        raise BadInputError(f"{file.name} has a header with an empty column name; name each column once in the first line")


def _csv(file: RawFile) -> str:
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in _csv_header(file))
    quoted = _has_quotes(file)
    # Read in parallel, a quoted cell with line breaks is taken for rows where a thread begins inside it; read otherwise,
    # DuckDB drops a cell that is never closed and all that follows it, without a word.
    if quoted and (broken := broken_row(file)):
        raise broken
    return (
        f"read_csv({location(file.path)}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
        f"strict_mode = true, parallel = {not quoted}, max_line_size = {LARGEST_RECORD}, hive_partitioning = false, "
        f"columns = {{{columns}}})"
    )


def _has_quotes(file: RawFile) -> bool:
    with file.path.open("rb") as stream:
        return any(b'"' in piece for piece in iter(lambda: stream.read(2**20), b""))


def _csv_header(file: RawFile) -> list[str]:
    try:
        with file.path.open(newline="", encoding="utf-8-sig") as stream:
            names = next(csv.reader(stream, strict=True), [])
    except UnicodeDecodeError as error:
        raise unreadable(file) from error
    except csv.Error as error:
        raise BadInputError(f"{file.name} has a first line that is not a CSV header ({error}); export it again") from error
    _refuse_bad_header(file, [name.lower() for name in names])
    return names


def _json(connection: duckdb.DuckDBPyConnection, file: RawFile) -> str:
    options = f"hive_partitioning = false, maximum_object_size = {LARGEST_RECORD}"
    described = fetch_rows(connection, f"DESCRIBE SELECT * FROM read_json({location(file.path)}, sample_size = -1, {options})")
    if [row[:2] for row in described] == [("json", "JSON")]:
        # What DuckDB calls records that are no objects, or none at all.
        raise unreadable(file)
    columns = ", ".join(f"{identifier(row[0])}: 'VARCHAR'" for row in described)
    return f"read_json({location(file.path)}, {options}, columns = {{{columns}}})"
