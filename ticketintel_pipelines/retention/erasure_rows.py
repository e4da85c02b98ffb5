"""Rows of a Parquet file without the person: whole columns at once, no database."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.retention.erasure_person import TEXT_TYPES, Person


def leading_columns(columns: Sequence[Column], person: Person, present: Sequence[str]) -> list[str]:
    """The columns to read to know whether rows of a file are about the person."""
    keys = [column.name for column in columns if column.personal and column.type is ColumnType.INTEGER]
    return [name for name in (*person.leading(columns), *keys) if name in present]


def about(rows: pa.Table, columns: Sequence[Column], person: Person) -> pa.ChunkedArray:
    """Of each row, whether it is about the person."""
    leading: dict[str, pa.Array] = {
        name: pa.array(sorted(values), pa.string()) for name, values in person.leading(columns).items()
    }
    numbers = pa.array(sorted(person.keys), pa.int64())
    leading |= {column.name: numbers for column in columns if column.personal and column.type is ColumnType.INTEGER}
    found = pa.chunked_array([pa.nulls(len(rows), pa.bool_()).fill_null(False)])
    for name, values in leading.items():
        if name in rows.column_names:
            found = pc.or_(found, pc.is_in(rows[name].cast(values.type), values))
    return found


def erased(rows: pa.Table, columns: Sequence[Column], person: Person) -> tuple[pa.Table, int]:
    """The rows without what is personal in those about the person, and how many these are.

    What may be null becomes null; a required text is replaced; a row with another required personal value goes.
    """
    mine = about(rows, columns, person)
    count = pc.sum(mine).as_py() or 0
    if not count:
        return rows, 0
    personal = [column for column in columns if column.personal and column.name in rows.column_names]
    if any(column.required and column.type not in TEXT_TYPES for column in personal):
        return rows.filter(pc.invert(mine)), count
    for column in personal:
        place = rows.column_names.index(column.name)
        field = rows.schema.field(place).with_nullable(True)
        if column.required:
            old = rows[column.name].cast(pa.string())
            chosen = pc.if_else(mine, old, pa.scalar(None, pa.string())).unique().to_pylist()
            new = {value: person.stand_in(column, value) for value in chosen if value is not None}
            replaced = pa.array([new.get(value) for value in pc.if_else(mine, old, None).to_pylist()], pa.string())
            values = pc.if_else(mine, replaced, old)
        else:
            values = pc.if_else(mine, pa.scalar(None, rows[column.name].type), rows[column.name])
        rows = rows.set_column(place, field, values.cast(field.type))
    return rows, count


def count_in(file: Path, columns: Sequence[Column], person: Person) -> int:
    """How many rows of a file are about the person."""
    names = leading_columns(columns, person, pq.read_schema(file).names)
    if not names:
        return 0
    rows = pq.ParquetFile(file).read(names)
    return pc.sum(about(rows, columns, person)).as_py() or 0


def write_like(rows: pa.Table, file: Path, pattern: Path) -> None:
    """Write rows as another file of the same table is written."""
    metadata = pq.ParquetFile(pattern).metadata
    compression = metadata.row_group(0).column(0).compression if metadata.num_row_groups else "ZSTD"
    pq.write_table(rows, file, compression="none" if compression == "UNCOMPRESSED" else compression.lower())
