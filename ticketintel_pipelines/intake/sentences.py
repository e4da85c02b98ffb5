"""What is told of a bad file: one sentence of bounded length, whatever the file holds."""

import csv
import json
import re
from collections.abc import Iterable, Iterator

import duckdb

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.files import RawFile
from ticketintel_pipelines.redaction import redacted

LONGEST_CELL = 60
LONGEST_LIST = 120
LARGEST_RECORD = 16 * 2**20
"""Bytes of one row; a log's data can be megabytes."""


def shortened(value: str, limit: int = LONGEST_CELL) -> str:
    """A value as a sentence may show it. Redacted before it is cut: the beginning of an address would not be known for one."""
    value = redacted(value)
    return value if len(value) <= limit else value[: limit - 3] + "..."


def listed(names: Iterable[str]) -> str:
    """Names of a file's columns, which may hold anything, line breaks included."""
    return shortened(", ".join(name if name.isprintable() else repr(name) for name in names), LONGEST_LIST)


def is_about_the_file(error: duckdb.Error) -> bool:
    """Whether DuckDB failed because of what it read; a full disk and a defect of the program are something else."""
    # Thrift's complaints about broken Parquet metadata have no class of their own.
    return isinstance(error, (duckdb.InvalidInputException, duckdb.ConversionException)) or type(error) is duckdb.Error


def unreadable(file: RawFile, error: duckdb.Error | None = None) -> BadInputError:
    """Where a file breaks its format: found in the file itself, else in DuckDB's words."""
    if file.format == "parquet":
        return BadInputError(
            f"{file.name} is not a whole Parquet file{_said(file, error)}; it may be truncated: export it again"
        )
    if broken := broken_row(file):
        return broken
    kind = "CSV" if file.format == "csv" else "JSON lines"
    return BadInputError(f"{file.name} cannot be read as {kind}{_said(file, error)}; export it again")


def broken_row(file: RawFile) -> BadInputError | None:
    """The first row of a text file that breaks its format, if there is one."""
    row, what = (_broken_csv_row if file.format == "csv" else _broken_json_row)(file)
    if not row:
        return None
    return BadInputError(
        f"{file.name}, row {row} {what} (rule {file.format}_form); the file may be truncated: mend the row or export it again"
    )


def _said(file: RawFile, error: duckdb.Error | None) -> str:
    if error is None:
        return ""
    first = str(error).splitlines()[0].replace(str(file.path.absolute()), file.path.name)
    return f" ({shortened(re.sub(r'^[A-Za-z ]*(Error|Exception): ', '', first).rstrip('. '), LONGEST_LIST)})"


def _broken_csv_row(file: RawFile) -> tuple[int, str]:
    """The first row that is not CSV in UTF-8 with as many cells as the header, or 0."""
    # Only a cell that is never closed grows beyond this.
    csv.field_size_limit(LARGEST_RECORD)
    row = 0
    with file.path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            header = next(reader, [])
            for cells in filter(None, reader):
                row += 1
                if len(cells) != len(header):
                    return row, f"has {len(cells)} columns where the header has {len(header)}"
                if not "".join(cells).isascii():
                    for name, cell in zip(header, cells, strict=True):
                        if not _is_unicode(cell):
                            return row, f"column {listed([name])} is not text in UTF-8"
        except csv.Error as error:
            return row + 1, f"is not well-formed CSV ({error})"
    return 0, ""


def _is_unicode(cell: str) -> bool:
    # An undecodable byte was read as a lone surrogate, which nothing can encode.
    return not any("\ud800" <= character <= "\udfff" for character in cell)


def _broken_json_row(file: RawFile) -> tuple[int, str]:
    """The first line that is not one JSON object, or 0."""
    for row, line in enumerate(_json_lines(file), start=1):
        try:
            record = json.loads(line.decode("utf-8-sig" if row == 1 else "utf-8"), object_pairs_hook=_Record)
        except UnicodeDecodeError:
            return row, "is not text in UTF-8"
        except (json.JSONDecodeError, RecursionError):
            return row, "is not a whole JSON object"
        if not isinstance(record, _Record):
            # A file that is one array is refused as a whole.
            return (row, "is not a JSON object") if not isinstance(record, list) or row > 1 else (0, "")
        if len(dict(record)) != len(record):
            return row, "names a key twice"
    return 0, ""


class _Record(list[tuple[str, object]]):
    """The pairs of a JSON object, repeated keys included."""


def _json_lines(file: RawFile) -> Iterator[bytes]:
    """The lines that hold something: those that count as rows."""
    with file.path.open("rb") as stream:
        yield from (line for line in stream if line.strip())
