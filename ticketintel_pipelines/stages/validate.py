"""Validate: candidate rows judged, audited and published, in pieces that fit into memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.errors import PublishRefusedError
from ticketintel_pipelines.intake.clients import Clients
from ticketintel_pipelines.intake.hiding import hide_old_addresses, with_addresses
from ticketintel_pipelines.intake.keys import address_key
from ticketintel_pipelines.lake.engine import identifier, parquet_as
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.quality.expectations import Audit
from ticketintel_pipelines.quality.judged import Surroundings
from ticketintel_pipelines.quality.validation import Judgement
from ticketintel_pipelines.quality.verdict import RuleResult, Verdict
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.frozen import retained_from
from ticketintel_pipelines.warehouse.lookups import look_up
from ticketintel_pipelines.warehouse.publish import Consequence, publish

VALIDATE_STAGE = "validate"
"""Accepted rows, as they are in Postgres."""
HISTORY_STAGE = "history"
"""Older versions of accepted rows. Not beside them in their stage, where whoever reads a day would take up both."""
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
    """Where the candidates of a table come from: `find` makes them, `sized_by` names the tables whose rows measure the work
    (a raw table by what was landed, a decoded one by its parts), `consequences` what follows for other days, `made_of` the
    tables whose rows the candidates are made from: a day on which retention took some of them away is not worked out again.
    """

    find: Callable[[Step, Table, DayRange], Candidates]
    sized_by: tuple[str, ...]
    decoded_from: tuple[str, ...] = ()
    """Raw tables that the candidates were decoded from by an earlier step; none where they are the raw rows themselves."""
    consequences: tuple[Consequence, ...] = ()
    made_of: tuple[str, ...] = ()


@dataclass
class TableReport:
    """What validating a table over some days came to."""

    table: Table
    days: DayRange
    rows_in: int = 0
    published: int = 0
    quarantined: int = 0
    duplicates: int = 0
    superseded: int = 0
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
        self.superseded += verdict.superseded
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

    Frozen days are left as they are.

    Raises:
        PublishRefusedError: a critical rule is broken or rows went missing; the piece it happened in is not published.
    """
    report = report or TableReport(table, days)
    refusals: list[PublishRefusedError] = []
    with workspace.catalog() as catalog:
        first = catalog.first_workable_day(domain.name, table.name, source.made_of)
    if first is not None and days.first < first:
        if days.last < first:
            report.results = [RuleResult(rule, 0, 0, (), f"the days before {first} are frozen") for rule in table.rules]
            return report
        days = DayRange(first, days.last)
    for piece in pieces(workspace, domain, source.sized_by, days):
        try:
            _validate_piece(workspace, domain, table, days, piece, source, run_id, audit, report)
        except PublishRefusedError as refusal:
            refusals.append(refusal)
            _publish_other_days(workspace, domain, table, days, piece, source, run_id)
        if piece != days:
            progress(f"{table.name}: {piece} done, {report.rows_in:,} rows so far")
    if refusals:
        raise refusals[0]
    return report


def _validate_piece(
    workspace: Workspace,
    domain: Domain,
    table: Table,
    run_days: DayRange,
    piece: DayRange,
    source: Source,
    run_id: str,
    audit: Callable[[Judgement], list[Audit]] | None,
    report: TableReport,
) -> None:
    lake = workspace.lake(domain)
    with workspace.engine() as engine, workspace.catalog() as catalog, scratch_folder(lake) as scratch:
        # From judging to the last file in its place: another run of the table would judge by what is about to change.
        catalog.lock_table(domain.name, table.name)
        raw_sequence = catalog.worked_out_from(domain.name, source.decoded_from, piece)
        step = Step(workspace, domain, engine, catalog, run_days)
        candidates = source.find(step, table, piece)
        surroundings = surroundings_of(step, table, piece)
        judgement = Judgement(engine, table, piece, candidates.sql, candidates.rows_in, surroundings)
        verdict = judgement.verdict(scratch / "accepted")
        report.add(verdict)
        if audit is not None:
            report.audits = _audited(report.audits, audit(judgement))
        publication = publish(
            catalog.connection,
            engine,
            domain,
            verdict,
            raw_sequence=raw_sequence,
            run_id=run_id,
            consequences=source.consequences,
            # The lake goes first: killed in between, the day is still stale, and working it out again puts both right.
            before_commit=lambda: _swap_in(lake, verdict),
        )
        report.changed_days += len(publication.changed_days)
        report.rows_written += publication.rows_written


def _swap_in(lake: Lake, verdict: Verdict) -> None:
    # In this order a version that becomes history is for a moment in both places rather than in none.
    if verdict.table.version is not None:
        swap_in(lake, HISTORY_STAGE, verdict.table.name, verdict.days, verdict.history)
    swap_in(lake, VALIDATE_STAGE, verdict.table.name, verdict.days, verdict.parts)


def _publish_other_days(
    workspace: Workspace, domain: Domain, table: Table, run_days: DayRange, piece: DayRange, source: Source, run_id: str
) -> None:
    """A piece was refused: publish those of its days that are sound by themselves."""
    if piece.first == piece.last:
        return
    for day in piece.days:
        with suppress(PublishRefusedError):
            alone = DayRange(day, day)
            _validate_piece(workspace, domain, table, run_days, alone, source, run_id, None, TableReport(table, alone))


def pieces(workspace: Workspace, domain: Domain, sized_by: Sequence[str], days: DayRange) -> Iterator[DayRange]:
    """A range of days cut so that no piece has many more rows than the settings allow."""
    rows: Counter[date] = Counter()
    for name in sized_by:
        if domain.by_name[name] in domain.raw_tables:
            with workspace.catalog() as catalog:
                rows.update({day.day: day.rows for day in catalog.raw_days(domain.name, name, days)})
        else:
            rows.update(rows_of_parts(workspace.lake(domain).table(EXTRACT_STAGE, name), days.days))
    start, total = days.first, 0
    for day in days.days:
        count = rows[day]
        if total and total + count > workspace.settings.chunk_rows:
            yield DayRange(start, date.fromordinal(day.toordinal() - 1))
            start, total = day, 0
        total += count
    yield DayRange(start, days.last)


def landed_rows(step: Step, table: Table, days: DayRange) -> Candidates:
    """The candidates of a table that is handed in raw: its fragments, in the order of their landing."""
    raw_days = step.catalog.raw_days(step.domain.name, table.name, days)
    paths = [path for day in raw_days for path in day.paths]
    if not paths:
        return no_rows(table)
    if old := with_addresses(table, paths):
        lake, clients = step.workspace.lake(step.domain), Clients(address_key(step.workspace.settings))
        hide_old_addresses(step.engine, table, old, lake, clients)
    origin = ", source_file, source_row, file_index AS landing_order"
    rows = parquet_as(step.engine, paths, table.duckdb_types, origin)
    return Candidates(rows, {day.day: day.rows for day in raw_days})


def no_rows(table: Table, more: str = "") -> Candidates:
    """No candidates at all; `more` adds columns that rules of the table ask for."""
    columns = ", ".join(f"CAST(NULL AS {column.type.duckdb}) AS {identifier(column.name)}" for column in table.columns)
    return Candidates(
        f"(SELECT {columns}, CAST(NULL AS VARCHAR) AS source_file, CAST(NULL AS BIGINT) AS source_row, "
        f"CAST(NULL AS BIGINT) AS landing_order{more} LIMIT 0)",
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
    retained = retained_from(connection, domain.name)
    before = [day for day in step.run_days.days if day < piece.first]
    # Earlier pieces of the run lie in the lake as they were just published; all other days are looked up.
    known = DayRange(step.run_days.first, piece.last)
    return Surroundings(
        accepted_parts=lambda name: lake.parts(VALIDATE_STAGE, name, step.run_days.days),
        earlier_parts=lake.parts(VALIDATE_STAGE, table.name, before),
        look_up=lambda name, columns, values, carried: look_up(connection, domain, name, columns, values, carried),
        look_up_outside=lambda name, columns, values, carried: look_up(
            connection, domain, name, columns, values, carried, outside=known
        ),
        has_rows=lambda name: step.catalog.has_rows(domain.name, name),
        has_rows_outside=lambda name: step.catalog.has_rows(domain.name, name, outside=known),
        held_from=retained.get,
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
