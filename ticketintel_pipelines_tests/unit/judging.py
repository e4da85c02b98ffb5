"""What tests of judging share: a small table, rows as candidates, and surroundings kept in memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Column, ColumnType, RetentionClass, Rule, Source, Table
from ticketintel_pipelines.lake.engine import fetch_rows
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.quality.judged import Surroundings
from ticketintel_pipelines.quality.validation import Judgement
from ticketintel_pipelines.quality.verdict import Verdict

FIRST = date(2026, 1, 1)
DAYS = DayRange(FIRST, FIRST + timedelta(days=2))
ARROW = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.MONEY: pa.decimal128(18, 2),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.TIMESTAMP: pa.timestamp("us", "UTC"),
}
COLUMNS = (
    Column("thing_id", ColumnType.TEXT, "Thing."),
    Column("at", ColumnType.TIMESTAMP, "When."),
    Column("owner_id", ColumnType.TEXT, "Owner.", required=False),
    Column("word", ColumnType.TEXT, "Word.", required=False),
    Column("size", ColumnType.INTEGER, "Size.", required=False),
    Column("price", ColumnType.MONEY, "Price.", required=False),
    Column("weight", ColumnType.NUMBER, "Weight.", required=False),
    Column("until", ColumnType.TIMESTAMP, "Until.", required=False),
)
VERSIONED = (
    *COLUMNS,
    Column("known_at", ColumnType.TIMESTAMP, "Known at.", required=False),
    Column("deleted_at", ColumnType.TIMESTAMP, "Deleted at.", required=False),
)


def things(
    *rules: Rule, columns: tuple[Column, ...] = COLUMNS, key: tuple[str, ...] = ("thing_id",), version: str | None = None
) -> Table:
    """A table of things with further rules."""
    return Table(
        name="things",
        grain="one thing",
        description="Things.",
        source=Source.PLATFORM,
        key=key,
        time="at",
        columns=columns,
        retention=RetentionClass.DEBUG_LOG,
        extra_rules=rules,
        version=version,
    )


def versioned_things(*rules: Rule) -> Table:
    """A table of things that can change."""
    return things(*rules, columns=VERSIONED, version="known_at")


def at(day: int = 0, second: float = 0) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)


def thing(thing_id: str | None, when: datetime | None = None, **cells: Any) -> dict[str, Any]:
    return {"thing_id": thing_id, "at": when or at(), **cells}


def arrow(table: Table, rows: Sequence[Mapping[str, Any]], names: Iterable[str] | None = None) -> pa.Table:
    """Rows as an Arrow table of the declared types; absent cells are null."""
    picked = list(names or table.column_names)
    arrays = [pa.array([row.get(name) for row in rows], ARROW.get(table.column(name).type, pa.string())) for name in picked]
    return pa.table(arrays, names=picked)


@dataclass
class Published:
    """What is published, by table: rows as dictionaries, each with the day it lies on under `at`."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    parts: dict[str, list[Path]] = field(default_factory=dict)
    earlier: list[Path] = field(default_factory=list)
    types: dict[str, pa.DataType] = field(
        default_factory=lambda: dict.fromkeys(("at", "known_at", "deleted_at"), ARROW[ColumnType.TIMESTAMP])
    )
    asked: list[tuple[str, tuple[str, ...], int]] = field(default_factory=list)

    def surroundings(self, days: DayRange) -> Surroundings:
        return Surroundings(
            accepted_parts=lambda name: self.parts.get(name, []),
            earlier_parts=self.earlier,
            look_up=self._look_up,
            look_up_outside=lambda name, columns, values, carried: self._look_up(name, columns, values, carried, days),
            has_rows=lambda name: bool(self.rows.get(name)),
            has_rows_outside=lambda name: any(row["at"].date() not in days for row in self.rows.get(name, [])),
        )

    def _look_up(
        self, name: str, columns: Sequence[str], values: pa.Table, carried: Sequence[str], outside: DayRange | None = None
    ) -> pa.Table:
        self.asked.append((name, tuple(columns), values.num_rows))
        wanted = {tuple(row.values()) for row in values.to_pylist()}
        assert len(wanted) == values.num_rows, "values are asked for once each"
        found = [
            row
            for row in self.rows.get(name, [])
            if tuple(row[column] for column in columns) in wanted and (outside is None or row["at"].date() not in outside)
        ]
        names = [*columns, *carried]
        return pa.table([pa.array([row.get(n) for row in found], self.types.get(n, pa.string())) for n in names], names=names)


def part(path: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Rows as an accepted part of the lake."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(arrow(table, rows), path)
    return path


def candidates(table: Table, files: Sequence[Sequence[Mapping[str, Any]]], names: Sequence[str] | None = None) -> pa.Table:
    """The rows of some landed files, as judging expects them."""
    landed = [
        arrow(table, rows)
        .append_column("source_file", pa.array([(names or "abcdefghij")[place]] * len(rows), pa.string()))
        .append_column("source_row", pa.array(range(1, len(rows) + 1), pa.int64()))
        .append_column("landing_order", pa.array([place] * len(rows), pa.int64()))
        for place, rows in enumerate(files)
    ]
    return pa.concat_tables(landed)


def judge(
    engine: duckdb.DuckDBPyConnection,
    table: Table,
    *files: Sequence[Mapping[str, Any]],
    published: Published | None = None,
    days: DayRange = DAYS,
    landed: pa.Table | None = None,
) -> Judgement:
    """Judge the rows of some landed files."""
    rows = candidates(table, files) if landed is None else landed
    engine.register("landed", rows)
    rows_in = Counter(value.date() for value in rows["at"].to_pylist())
    return Judgement(engine, table, days, "landed", dict(rows_in), (published or Published()).surroundings(days))


def broken_rules(judgement: Judgement) -> dict[str | None, set[str]]:
    """The rules that each judged row breaks, by its first key column."""
    found = fetch_rows(judgement.connection, f"SELECT {judgement.table.key[0]}, broken FROM judged")
    return {row[0]: {name for name, bit in judgement.bits.items() if row[1] & bit} for row in found}


def accepted_rows(verdict: Verdict) -> list[dict[str, Any]]:
    return _rows(verdict.parts)


def superseded_rows(verdict: Verdict) -> list[dict[str, Any]]:
    return _rows(verdict.history)


def _rows(parts: Mapping[date, Path]) -> list[dict[str, Any]]:
    return [row for day in sorted(parts) for row in pq.read_table(parts[day]).to_pylist()]
