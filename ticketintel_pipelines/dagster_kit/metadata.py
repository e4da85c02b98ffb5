"""What the Dagster UI shows of an asset: column schema, row counts, quarantine, a small preview."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pyarrow.parquet as pq
from psycopg import sql

from ticketintel_pipelines.contract import Column, Domain, Table
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.redaction import redacted
from ticketintel_pipelines.warehouse.schema_check import column_words

PREVIEW_ROWS = 5
PREVIEW_WIDTH = 24


def column_schema(table: Table) -> dg.TableSchema:
    """The declared columns as Dagster shows them."""
    return column_schema_of(table.columns)


def column_schema_of(columns: Iterable[Column]) -> dg.TableSchema:
    """Columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type.label,
                description=column_words(column),
                constraints=dg.TableColumnConstraints(nullable=not column.required),
            )
            for column in columns
        ]
    )


def table_preview(connection: psycopg.Connection, domain: Domain, table: Table, days: DayRange) -> str:
    """The newest published rows of the last of some days as Markdown, without the columns that hold personal data."""
    shown = [column.name for column in table.columns if column.personal is None]
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in shown)
    query = sql.SQL("SELECT {} FROM {} WHERE {time} >= %s AND {time} < %s::date + 1 ORDER BY {time} DESC LIMIT {n}").format(
        columns,
        sql.Identifier(domain.name, table.name),
        time=sql.Identifier(table.time),
        n=sql.Literal(PREVIEW_ROWS),
    )
    return markdown_table(shown, connection.execute(query, (days.last, days.last)).fetchall())


def part_preview(table: Table, part: Path | None) -> str:
    """The first rows of a Parquet file of the lake as Markdown, without the columns that hold personal data.

    A column that the file is older than is empty.
    """
    if part is None:
        return "no rows"
    shown = [column.name for column in table.columns if column.personal is None]
    batch = next(pq.ParquetFile(part).iter_batches(batch_size=PREVIEW_ROWS, columns=shown), None)
    return markdown_table(shown, [tuple(map(row.get, shown)) for row in batch.to_pylist()] if batch else [])


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) if len(lines) > 2 else "no rows"


def _cell(value: Any) -> str:
    # Before it is cut: the beginning of an address would not be known for one.
    text = "" if value is None else redacted(str(value)).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= PREVIEW_WIDTH else text[: PREVIEW_WIDTH - 1] + "…"
