"""Validate: candidate rows judged, audited and published, in pieces that fit into memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.lake.engine import identifier, parquet
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.quality.expectations import Audit
from ticketintel_pipelines.quality.validation import Judgement, Surroundings
from ticketintel_pipelines.quality.verdict import RuleResult, Verdict
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.lookups import look_up
from ticketintel_pipelines.warehouse.publish import publish

VALIDATE_STAGE = "validate"
EXTRACT_STAGE = "extract"


@dataclass(frozen=True)
class Step:
    """What one piece of work on one table has at hand."""

    workspace: Workspace
    domain: Domain
    engine: duckdb.DuckDBPyConnection
    catalog: Catalog
    run_days: DayRange


@dataclass(frozen=True)
class Candidates:
    """Rows to be judged: a table expression (see `Judgement`), and how many rows it has on each day."""

    sql: str
    rows_in: dict[date, int]


@dataclass(frozen=True)
class Source:
    """Where the candidates of a table come from: `find` makes them, `sized_by` names the table whose rows measure the work
    (a raw table by what was landed, a decoded one by its parts).
    """

    find: Callable[[Step, Table, DayRange], Candidates]
    sized_by: str
    reaches_back: Callable[[Workspace, DayRange], list[date]] = lambda workspace, days: []
    """Earlier days whose rows change because of what was just published of these days."""


@dataclass
class TableReport:
    """What validating a table over some days came to."""

    table: Table
    days: DayRange
    rows_in: int = 0
    published: int = 0
    quarantined: int = 0
    duplicates: int = 0
    changed_days: int = 0
    rows_written: int = 0
    published_by_day: dict[date, int] = field(default_factory=dict)
    results: list[RuleResult] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.rows_in += verdict.rows_in
        self.published += verdict.published
        self.quarantined += verdict.quarantined
        self.duplicates += verdict.duplicates
        self.published_by_day |= {outcome.day: outcome.published for outcome in verdict.outcomes}
        self.results = _added(self.results, verdict.results)


def validate_table(
    workspace: Workspace,
    domain: Domain,
    table: Table,
    days: DayRange,
    source: Source,
    *,
    run_id: str,
    audit: Callable[[Judgement], list[Audit]] | None = None,
    progress: Callable[[str], None] = lambda message: None,
    report: TableReport | None = None,
) -> TableReport:
    """Judge the rows of `table` on `days` and publish those that hold. A `report` handed in is filled even when this fails.

    Raises:
        PublishRefusedError: a critical rule is broken or rows went missing; the piece it happened in is not published.
    """
    report = report or TableReport(table, days)
    lake = workspace.lake(domain)
    with workspace.catalog() as catalog:
        raw_sequence = catalog.newest_fragment(domain.name)
    for piece in pieces(workspace, domain, source.sized_by, days):
        with workspace.engine() as engine, workspace.catalog() as catalog, scratch_folder(lake) as scratch:
            step = Step(workspace, domain, engine, catalog, days)
            candidates = source.find(step, table, piece)
            surroundings = surroundings_of(step, table, piece)
            judgement = Judgement(engine, table, piece, candidates.sql, candidates.rows_in, surroundings)
            verdict = judgement.verdict(scratch / "accepted")
            report.add(verdict)
            if audit is not None:
                report.audits = _audited(report.audits, audit(judgement))
            publication = publish(catalog.connection, engine, domain, verdict, raw_sequence=raw_sequence, run_id=run_id)
            swap_in(lake, VALIDATE_STAGE, table.name, piece, verdict.parts)
            report.changed_days += len(publication.changed_days)
            report.rows_written += publication.rows_written
            if piece != days:
                progress(f"{table.name}: {piece} done, {report.rows_in:,} rows so far")
    return report


def pieces(workspace: Workspace, domain: Domain, sized_by: str, days: DayRange) -> Iterator[DayRange]:
    """A range of days cut so that no piece has many more rows than the settings allow."""
    lake = workspace.lake(domain)
    if domain.by_name[sized_by] in domain.raw_tables:
        with workspace.catalog() as catalog:
            rows = {day.day: day.rows for day in catalog.raw_days(domain.name, sized_by, days)}
    else:
        rows = rows_of_parts(lake.table(EXTRACT_STAGE, sized_by), days.days)
    start, total = days.first, 0
    for day in days.days:
        count = rows.get(day, 0)
        if total and total + count > workspace.settings.chunk_rows:
            yield DayRange(start, date.fromordinal(day.toordinal() - 1))
            start, total = day, 0
        total += count
    yield DayRange(start, days.last)


def landed_rows(step: Step, table: Table, days: DayRange) -> Candidates:
    """The candidates of a table that is handed in raw: its fragments, in the order of their landing."""
    raw_days = step.catalog.raw_days(step.domain.name, table.name, days)
    paths = [path for day in raw_days for path in day.paths]
    columns = ", ".join(identifier(name) for name in table.column_names)
    if not paths:
        return no_rows(table)
    sql = f"(SELECT {columns}, source_file, source_row, file_index AS landing_order FROM {parquet(paths)})"
    return Candidates(sql, {day.day: day.rows for day in raw_days})


def no_rows(table: Table) -> Candidates:
    columns = ", ".join(f"CAST(NULL AS {column.type.duckdb}) AS {identifier(column.name)}" for column in table.columns)
    return Candidates(
        f"(SELECT {columns}, CAST(NULL AS VARCHAR) AS source_file, CAST(NULL AS BIGINT) AS source_row, "
        "CAST(NULL AS BIGINT) AS landing_order LIMIT 0)",
        {},
    )


def rows_of_parts(folder: Path, days: Iterable[date]) -> dict[date, int]:
    """Rows of a table's parts by day, from the files' own footers."""
    counts: dict[date, int] = {}
    for day in days:
        part = folder / f"day={day}" / "part0.parquet"
        if part.exists():
            counts[day] = pq.read_metadata(part).num_rows
    return counts


def surroundings_of(step: Step, table: Table, piece: DayRange) -> Surroundings:
    """What judging a piece may ask: the lake within the run, indexes of Postgres beyond it."""
    lake = step.workspace.lake(step.domain)
    domain, connection = step.domain, step.catalog.connection
    before = [day for day in step.run_days.days if day < piece.first]
    return Surroundings(
        accepted_parts=lambda name: lake.parts(VALIDATE_STAGE, name, step.run_days.days),
        earlier_parts=lake.parts(VALIDATE_STAGE, table.name, before),
        look_up=lambda name, columns, values, carried: look_up(connection, domain, name, columns, values, carried),
        look_up_outside=lambda name, columns, values: look_up(connection, domain, name, columns, values, outside=step.run_days),
        has_rows=lambda name: step.catalog.has_rows(domain.name, name),
        has_rows_outside=lambda name: step.catalog.has_rows(domain.name, name, outside=step.run_days),
    )


def _added(results: list[RuleResult], more: Iterable[RuleResult]) -> list[RuleResult]:
    """Results of two pieces as one; rules come in the same order in both."""
    more = list(more)
    if not results:
        return more
    return [
        RuleResult(
            new.rule,
            old.rows + new.rows,
            old.failing + new.failing,
            (*old.sample_keys, *new.sample_keys)[:5],
            new.not_judged,
        )
        for old, new in zip(results, more, strict=True)
    ]


def _audited(audits: list[Audit], more: list[Audit]) -> list[Audit]:
    if not audits:
        return more
    return [old.plus(new) for old, new in zip(audits, more, strict=True)]
