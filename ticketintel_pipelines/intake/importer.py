"""Taking in a folder of raw files: all of them or none, each file once.

A landed fragment counts only once the catalogue knows it, and the catalogue learns of all fragments of one call in one
transaction. A call that fails or is killed leaves at most files that nothing refers to.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

import duckdb

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.intake.clients import Clients
from ticketintel_pipelines.intake.files import RawFile, find_files
from ticketintel_pipelines.intake.landing import LandedFile, land, staged_part, without_erased
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.lake.partitions import move_into_place, scratch_folder

FILES_AT_ONCE = 2
"""A day's file is too small to keep two cores busy by itself."""


class ImportCatalog(Protocol):
    """What the importer needs to know and to record."""

    def known_files(self, domain: str) -> set[str]:
        """Content hashes of the files taken in before."""

    def fragments_of(self, domain: str, table: str) -> Sequence[Path]:
        """Fragments of a table landed before, in the order of their landing."""

    def lock_imports(self, domain: str) -> None:
        """Wait until nobody else takes in or erases; held until the session ends."""

    def record_import(self, domain: str, files: Sequence[LandedFile]) -> None:
        """Make files and fragments known, all or none."""


@dataclass
class ImportReport:
    landed: list[LandedFile] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Names of files that were taken in before."""
    repeated: list[str] = field(default_factory=list)
    """Names of files whose bytes another file of the folder has too."""
    warnings: list[str] = field(default_factory=list)
    """What people should know, in sentences."""

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.landed)


@dataclass(frozen=True)
class NewFile:
    """A raw file that is not known yet, and where its rows are staged."""

    file: RawFile
    content_hash: str
    staged: Path


def import_folder(
    connection: duckdb.DuckDBPyConnection,
    domain: Domain,
    folder: Path,
    lake: Lake,
    catalog: ImportCatalog,
    first_day: date,
    clients: Clients,
    progress: Callable[[str], None] = lambda message: None,
) -> ImportReport:
    """Land every file of a folder that was not landed before; of addresses of clients, what `clients` keeps of them.

    Raises:
        BadInputError: a file breaks the raw contract; the sentence names file, row, column and rule. Nothing was landed.
    """
    report = ImportReport()
    with scratch_folder(lake) as scratch:
        new = list(_new_files(find_files(domain, folder), catalog.known_files(domain.name), scratch, report))
        timed = [item for item in new if item.file.table.time_from is None]
        timeless = [item for item in new if item.file.table.time_from is not None]
        staged: dict[str, Path] = {}
        for items in (timed, timeless):
            clock = _clock(domain, catalog, report, new) if items is timeless else {}
            for item, landed in _land_all(connection, items, lake, first_day, clock, clients):
                report.landed.append(landed)
                staged[landed.content_hash] = item.staged
                progress(f"read {len(report.landed):,} of {len(new):,} files: {item.file.name}")
        # Whoever is erased from here on finds what was landed.
        catalog.lock_imports(domain.name)
        tombstones = clients.tombstones()
        report.landed = [without_erased(file, domain, staged[file.content_hash], tombstones) for file in report.landed]
        moves = [
            (staged_part(staged[file.content_hash], fragment.day), fragment.path)
            for file in report.landed
            for fragment in file.fragments
        ]
        for source, target in moves:
            move_into_place(source, target)
        if report.landed:
            catalog.record_import(domain.name, report.landed)
    report.warnings += clients.warnings
    return report


def _new_files(files: Sequence[RawFile], known: set[str], scratch: Path, report: ImportReport) -> Iterator[NewFile]:
    seen = set(known)
    for place, file in enumerate(files):
        content_hash = file.content_hash()
        if content_hash in seen:
            (report.known if content_hash in known else report.repeated).append(file.name)
            continue
        seen.add(content_hash)
        yield NewFile(file, content_hash, scratch / f"{place:06d}")


def _land_all(
    connection: duckdb.DuckDBPyConnection,
    items: Sequence[NewFile],
    lake: Lake,
    first_day: date,
    clock: dict[str, list[Path]],
    clients: Clients,
) -> Iterator[tuple[NewFile, LandedFile]]:
    """Land files side by side; results, and the first failure, come in the order of the files."""

    def land_one(item: NewFile) -> LandedFile:
        origin = item.file.table.time_from
        fragments = clock.get(origin.table, []) if origin else []
        with connection.cursor() as cursor:
            return land(cursor, item.file, item.content_hash, item.staged, lake, first_day, fragments, clients)

    with ThreadPoolExecutor(max_workers=FILES_AT_ONCE) as pool:
        try:
            yield from zip(items, pool.map(land_one, items), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _clock(domain: Domain, catalog: ImportCatalog, report: ImportReport, new: Sequence[NewFile]) -> dict[str, list[Path]]:
    """Where files without times find them: fragments landed before, and those staged by this call."""
    origins = {table.time_from.table for table in domain.raw_tables if table.time_from is not None}
    staged_in = {item.content_hash: item.staged for item in new}
    clock = {name: list(catalog.fragments_of(domain.name, name)) for name in origins}
    for file in report.landed:
        if file.table in origins:
            folder = staged_in[file.content_hash]
            clock[file.table] += [staged_part(folder, fragment.day) for fragment in file.fragments]
    return clock
