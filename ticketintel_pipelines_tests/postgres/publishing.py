"""What tests of publishing share: verdicts over chosen rows, published into a deployment of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pyarrow as pa

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.quality.verdict import QUARANTINE_SCHEMA, DayOutcome, RuleResult, Verdict
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.publish import Publication, publish
from ticketintel_pipelines.warehouse.server import connect
from ticketintel_pipelines_tests.unit.judging import part

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Publisher:
    """Publishes rows of one deployment's tables, with a folder for their parts."""

    dsn: str
    folder: Path

    def verdict(
        self,
        table: Table,
        days: DayRange,
        rows: Sequence[Row],
        refused: Sequence[Row] = (),
        results: tuple[RuleResult, ...] = (),
        duplicates: int = 0,
        superseded: int = 0,
    ) -> Verdict:
        """A verdict that accepts some rows and sets others aside; the content hash is that of what is shown of them."""
        parts: dict[Any, Path] = {}
        outcomes = []
        for day in days.days:
            mine = [row for row in rows if row[table.time].date() == day]
            theirs = [row for row in refused if row["day"] == day]
            if mine:
                parts[day] = part(self.folder / f"{uuid4().hex}.parquet", table, mine)
            content = f"{sorted(map(repr, mine))} {sorted(map(repr, theirs))} {superseded}"
            total = len(mine) + len(theirs) + duplicates + superseded
            outcomes.append(DayOutcome(day, total, len(mine), len(theirs), duplicates, content, superseded))
        quarantine = pa.Table.from_pylist([dict(row) for row in refused], schema=QUARANTINE_SCHEMA)
        return Verdict(table, days, parts, tuple(outcomes), quarantine, results)

    def publish(self, verdict: Verdict, raw_sequence: int = 1) -> Publication:
        with open_engine(self.folder) as engine, connect(self.dsn) as connection:
            return publish(connection, engine, TICKETING, verdict, raw_sequence=raw_sequence, run_id="run")

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query, parameters).fetchall()


def make_partition(connection: psycopg.Connection, table: str, month: str) -> None:
    """Let a table take the rows of a month."""
    for step in ("make", "attach"):
        connection.execute(f"SELECT ops.{step}_month_partition('ticketing', %s, %s::date)", (table, month))
