"""The rows of a Postgres table as a Parquet file, streamed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from psycopg import sql

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.lake.arrow_types import arrow_schema
from ticketintel_pipelines.lake.engine import identifier

BLOCK_BYTES = 8 << 20
ROW_GROUP_ROWS = 100_000


def export(connection: psycopg.Connection, relation: tuple[str, str], columns: Sequence[Column], file: Path) -> int:
    """Write the rows of a table to a new file; returns how many."""
    schema = arrow_schema(columns)
    picked = ", ".join(_sent_as(column) for column in columns)
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')").format(
        sql.SQL(picked), sql.Identifier(*relation)
    )
    rows = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
        pq.ParquetWriter(file, schema, compression="zstd", write_statistics=_described(columns)) as out,
    ):
        source = _Blocks(copy)
        # No row at all is an empty answer, which the reader of CSV takes for a fault.
        for batch in _batches(source, columns, schema) if source.has_more() else ():
            out.write_batch(batch, ROW_GROUP_ROWS)
            rows += batch.num_rows
    return rows


def _described(columns: Sequence[Column]) -> list[str]:
    """Columns whose least and greatest value the file tells: of doubles that would leave out NaN, and readers skip it."""
    return [column.name for column in columns if column.type is not ColumnType.NUMBER]


def _sent_as(column: Column) -> str:
    name = identifier(column.name)
    if column.type is ColumnType.TIMESTAMP:
        return f"(extract(epoch FROM {name}) * 1000000)::bigint"
    return name


def _batches(source: "_Blocks", columns: Sequence[Column], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    times = {column.name for column in columns if column.type is ColumnType.TIMESTAMP}
    reader = pyarrow.csv.open_csv(
        pa.PythonFile(source, mode="r"),
        read_options=pyarrow.csv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={field.name: pa.int64() if field.name in times else field.type for field in schema},
            # What the server does not quote and leaves empty is null; an empty text is quoted.
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    for batch in reader:
        yield batch.cast(schema)


class _Blocks:
    """The answer of a COPY as a file to read from: the server sends row by row, which is too small a piece to pass on."""

    closed = False

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._left = b""

    def has_more(self) -> bool:
        if not self._left:
            self._left = bytes(self._copy.read())
        return bool(self._left)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        pieces, length = [self._left], len(self._left)
        while size < 0 or length < size:
            piece = bytes(self._copy.read())
            if not piece:
                break
            pieces.append(piece)
            length += len(piece)
        joined = b"".join(pieces)
        cut = len(joined) if size < 0 else size
        self._left = joined[cut:]
        return joined[:cut]

    def close(self) -> None:
        """The COPY is ended by whoever began it."""
