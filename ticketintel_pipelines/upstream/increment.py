"""One increment of all tables of the platform: read under one snapshot, landed, and made known together with the watermarks.

The rows are read to the scratch folder first and the source is let go before anything else is done with them: its snapshot is
held for as long as the reading takes. An increment that fails or is killed leaves at most files that nothing refers to, and the
next one asks for the same rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

import duckdb
import psycopg
import pyarrow as pa

from ticketintel_pipelines.contract import Domain, Source, Table
from ticketintel_pipelines.intake.clients import Clients
from ticketintel_pipelines.intake.hiding import hide_in_batch
from ticketintel_pipelines.intake.landing import LandedFile, staged_part, without_erased
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.lake.partitions import move_into_place, scratch_folder
from ticketintel_pipelines.upstream.drift import SourceTable, find_tables
from ticketintel_pipelines.upstream.landing import Arrival, Counts, Landing
from ticketintel_pipelines.upstream.reading import question, save_rows
from ticketintel_pipelines.upstream.source import PlatformSource, Snapshot, explained, open_snapshot
from ticketintel_pipelines.upstream.watermarks import (
    NOTHING_TAKEN,
    Advance,
    Watermark,
    advance,
    left_out_keys,
    lock,
    next_watermark,
    read_watermarks,
    save_digests,
)


class UpstreamCatalog(Protocol):
    """What an increment needs to know and to record."""

    connection: psycopg.Connection

    def record_import(
        self, domain: str, files: Sequence[LandedFile], together_with: Callable[[psycopg.Connection], None]
    ) -> None:
        """Make files and fragments known, all or none, in one transaction with what is done `together_with` them."""


@dataclass(frozen=True)
class TableIncrement:
    """What an increment took of one table.

    `file` is the name under which its rows are known, None where there were none; `days` runs from the first to the last
    that got new rows. `newest` is the greatest `updated_at` taken so far, and `lag_minutes` its age. `drift` says what changed
    in the table's form since the last increment, `notes` what else a person should know; neither quotes any row.
    """

    table: str
    counts: Counts
    file: str | None
    days: DayRange | None
    newest: datetime | None
    lag_minutes: float | None
    drift: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Increment:
    """One increment. `absent` are declared tables that the source does not have.

    `open_since` is when the oldest transaction began that was still open and is older than the overlap, so that the next
    increment reaches back to it. `warnings` are sentences for people about what could not be looked up.
    """

    taken_at: datetime
    tables: tuple[TableIncrement, ...]
    absent: tuple[str, ...]
    open_since: datetime | None
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return sum(table.counts.landed for table in self.tables)


@dataclass(frozen=True)
class _Taken:
    """One table's rows, staged: what is reported, what is moved into place and what is recorded."""

    report: TableIncrement
    file: LandedFile
    staged: Path
    step: Advance


def take_increment(
    engine: duckdb.DuckDBPyConnection,
    domain: Domain,
    source: PlatformSource,
    lake: Lake,
    catalog: UpstreamCatalog,
    first_day: date,
    now: datetime,
    clients: Clients,
    progress: Callable[[str], None] = lambda message: None,
) -> Increment:
    """Land what the platform's tables have that was not landed yet; of addresses of clients, what `clients` keeps of them.

    The catalogue's session keeps other increments of the domain waiting until it ends. `now` is this side's clock.

    Raises:
        BadInputError: the URL, the role's grants or the tables' form do not serve; nothing was taken.
        UnavailableError: the source does not answer, or broke off; nothing was taken.
    """
    tables = [table for table in domain.raw_tables if table.source is Source.PLATFORM]
    with scratch_folder(lake) as scratch:
        lock(catalog.connection, domain.name)
        before = read_watermarks(catalog.connection, domain.name)
        with open_snapshot(source) as snapshot:
            arrivals = list(_read(snapshot, source, tables, before, scratch, clients, progress))
        taken: list[_Taken] = []
        for arrival in arrivals:
            name = arrival.found.table.name
            known = scratch / f"{name}.known.parquet"
            save_digests(catalog.connection, domain.name, name, known)
            landing = Landing(engine, arrival, known, snapshot.taken_at, first_day, now)
            mended = landing.keys_among(left_out_keys(catalog.connection, domain.name, name))
            unplaced = clients.warnings if any(column.place for column in arrival.found.table.columns) else []
            taken.append(_take(landing, before.get(name), snapshot, source, scratch, lake, now, mended, unplaced))
            arrival.path.unlink()
            progress(f"landed {taken[-1].file.rows:,} rows of {name}")
        tombstones = clients.tombstones()
        taken = [replace(item, file=without_erased(item.file, domain, item.staged, tombstones)) for item in taken]
        for item in taken:
            for fragment in item.file.fragments:
                move_into_place(staged_part(item.staged, fragment.day), fragment.path)
        progress("moved the fragments into place")

        def move_watermarks(connection: psycopg.Connection) -> None:
            for item in taken:
                advance(connection, domain.name, item.step)
            progress("moved the watermarks")

        files = [item.file for item in taken if item.report.file is not None]
        catalog.record_import(domain.name, files, together_with=move_watermarks)
    overdue = snapshot.complete_until < snapshot.taken_at - source.overlap
    return Increment(
        taken_at=snapshot.taken_at,
        tables=tuple(item.report for item in taken),
        absent=tuple(table.name for table in tables if table not in {arrival.found.table for arrival in arrivals}),
        open_since=snapshot.oldest_open if overdue else None,
        warnings=tuple(clients.warnings),
    )


def _read(
    snapshot: Snapshot,
    source: PlatformSource,
    tables: Sequence[Table],
    before: Mapping[str, Watermark],
    scratch: Path,
    clients: Clients,
    progress: Callable[[str], None],
) -> Iterator[Arrival]:
    """Save what each table has to be asked for, once the form of all of them is found to serve."""
    taken_before = [table.name for table in tables if table.name in before]
    for found in find_tables(snapshot, source.schema, tables, taken_before):
        name = found.table.name
        path = scratch / f"{name}.parquet"
        query = question(found, source.schema, before.get(name, NOTHING_TAKEN).ask_from)
        with explained(source, f"{source.schema}.{name}"):
            written_as = _hiding(found, clients)
            rows = save_rows(snapshot.connection, query, list(found.columns), path, source.chunk_rows, written_as)
        progress(f"read {rows:,} rows of {name}")
        yield Arrival(found, path)


def _hiding(found: SourceTable, clients: Clients) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """What is written of a chunk: addresses of clients are hidden before they reach a disk."""
    if not found.plain:
        return lambda batch: batch
    return lambda batch: hide_in_batch(batch, found.table, found.plain, clients)


def _take(
    landing: Landing,
    before: Watermark | None,
    snapshot: Snapshot,
    source: PlatformSource,
    scratch: Path,
    lake: Lake,
    now: datetime,
    mended: Sequence[str],
    warnings: Sequence[str],
) -> _Taken:
    """Stage one table's new rows, and work out where it stands afterwards."""
    found = landing.arrival.found
    name = found.table.name
    taken_at = snapshot.taken_at
    staged = scratch / name
    file = landing.write(f"platform:{name}:{taken_at:%Y-%m-%dT%H:%M:%S.%fZ}", staged, lake)
    last = before or NOTHING_TAKEN
    watermark = next_watermark(last, landing.newest(), found.types, snapshot.complete_until, source.overlap)
    digests = None
    if file.rows or watermark.ask_from != last.ask_from:
        digests = scratch / f"{name}.digests.parquet"
        landing.save_digests(watermark.ask_from, digests)
    newest = watermark.newest[0] if watermark.newest else None
    days = [fragment.day for fragment in file.fragments]
    report = TableIncrement(
        table=name,
        counts=landing.counts,
        # The first increment of a table is known even without rows: an empty table was delivered.
        file=file.name if file.rows or before is None else None,
        days=DayRange(min(days), max(days)) if days else None,
        newest=newest,
        lag_minutes=None if newest is None else max(0.0, (now - newest).total_seconds() / 60),
        drift=found.changes(before.columns) if before is not None else (),
        notes=(*found.notes, *landing.notes, *warnings),
    )
    step = Advance(name, watermark, file.rows, taken_at, digests, landing.left_out(), mended)
    return _Taken(report, file, staged, step)
