"""Landing raw files in the lake: all files of a folder or none, each file once, by day.

A landed fragment counts only once the catalogue knows it, and the catalogue learns of all fragments of one call in one
transaction. A call that fails or is killed leaves at most files that nothing refers to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

import duckdb

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.casting import EXPECTED, Cast, has_column, plan_casts
from ticketintel_pipelines.intake.files import RawFile, find_files
from ticketintel_pipelines.intake.reading import ROW, RawRelation, open_relation
from ticketintel_pipelines.intake.sentences import is_about_the_file, shortened, unreadable
from ticketintel_pipelines.lake.engine import fetch_row, fetch_rows, identifier, parquet, text
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.lake.partitions import move_into_place, scratch_folder

RAW_STAGE = "raw"
SOURCE_COLUMNS = ("source_file", "source_row")


@dataclass(frozen=True)
class Fragment:
    """The rows of one raw file that fall on one day, as they lie in the lake."""

    table: str
    day: date
    path: Path
    rows: int


@dataclass(frozen=True)
class LandedFile:
    """One raw file taken in: what it was and the fragments it became."""

    name: str
    table: str
    content_hash: str
    bytes: int
    rows: int
    fragments: tuple[Fragment, ...]
    ignored_columns: tuple[str, ...] = ()


class ImportCatalog(Protocol):
    """What the importer needs to know and to record."""

    def known_files(self, domain: str) -> set[str]:
        """Content hashes of the files taken in before."""

    def fragments_of(self, domain: str, table: str) -> Sequence[Path]:
        """Fragments of a table landed before, in the order of their landing."""

    def record_import(self, domain: str, files: Sequence[LandedFile]) -> None:
        """Make files and fragments known, all or none."""


@dataclass
class ImportReport:
    landed: list[LandedFile] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Names of files that were taken in before."""

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.landed)


def import_folder(
    connection: duckdb.DuckDBPyConnection,
    domain: Domain,
    folder: Path,
    lake: Lake,
    catalog: ImportCatalog,
    first_day: date,
    progress: Callable[[str], None] = lambda message: None,
) -> ImportReport:
    """Land every file of a folder that was not landed before.

    Raises:
        BadInputError: a file breaks the raw contract; the sentence names file, row, column and rule. Nothing was landed.
    """
    report = ImportReport()
    known = catalog.known_files(domain.name)
    files = find_files(domain, folder)
    with scratch_folder(lake) as scratch:
        moves_of: dict[str, list[tuple[Path, Path]]] = {}
        for place, file in enumerate(files, start=1):
            content_hash = file.content_hash()
            if content_hash in known:
                report.known.append(file.name)
                continue
            known.add(content_hash)
            progress(f"import {place:,} of {len(files):,}: {file.name}")
            staged = scratch / f"{place:06d}"
            clock = _clock_fragments(domain, file.table, catalog, moves_of)
            landed = _land(connection, file, content_hash, staged, lake, first_day, clock)
            moves_of.setdefault(file.table.name, []).extend(
                (_staged(staged, fragment.day), fragment.path) for fragment in landed.fragments
            )
            report.landed.append(landed)
        for source, target in (move for moves in moves_of.values() for move in moves):
            move_into_place(source, target)
        if report.landed:
            catalog.record_import(domain.name, report.landed)
    return report


def _clock_fragments(
    domain: Domain, table: Table, catalog: ImportCatalog, moves_of: dict[str, list[tuple[Path, Path]]]
) -> list[Path]:
    """Where a table that may lack its time finds it: landed before, or staged by this call."""
    if table.time_from is None:
        return []
    staged = [source for source, _ in moves_of.get(table.time_from.table, [])]
    return [*catalog.fragments_of(domain.name, table.time_from.table), *staged]


def _land(
    connection: duckdb.DuckDBPyConnection,
    file: RawFile,
    content_hash: str,
    staged: Path,
    lake: Lake,
    first_day: date,
    time_fragments: Sequence[Path],
) -> LandedFile:
    relation = open_relation(connection, file)
    time = file.table.column(file.table.time)
    joined = file.table.time_from is not None and not has_column(time, relation.types)
    if joined:
        relation = _join_time(file, relation, time_fragments)
    casts = plan_casts(file.table, relation.types, file.name, time_is_joined=joined)
    try:
        rows = _check_cells(connection, file, relation, casts, first_day)
        fragments = _write_fragments(connection, file, relation, casts, content_hash, staged, lake)
    except duckdb.Error as error:
        if not is_about_the_file(error):
            raise
        raise unreadable(file, error) from error
    used = {cast.raw for cast in casts}
    ignored = tuple(name for name in relation.types if identifier(name) not in used and name.lower() != "topics")
    return LandedFile(file.name, file.table.name, content_hash, file.path.stat().st_size, rows, fragments, ignored)


def _join_time(file: RawFile, relation: RawRelation, fragments: Sequence[Path]) -> RawRelation:
    origin = file.table.time_from
    assert origin is not None
    if not fragments:
        raise BadInputError(
            f"{file.name} has no {file.table.time} and there are no {origin.table} to take it from; "
            f"put the {origin.table} of the same range into the folder"
        )
    column = identifier(origin.column)
    sql = (
        f"(SELECT raw.*, origin.{identifier(file.table.time)} FROM {relation.sql} AS raw LEFT JOIN "
        f"(SELECT {column}, min({identifier(file.table.time)}) AS {identifier(file.table.time)} FROM {parquet(fragments)} "
        f"GROUP BY 1) AS origin ON TRY_CAST(raw.{column} AS BIGINT) = origin.{column})"
    )
    return RawRelation(sql, relation.types, in_order=False)


def _check_cells(
    connection: duckdb.DuckDBPyConnection, file: RawFile, relation: RawRelation, casts: Sequence[Cast], first_day: date
) -> int:
    """Count the rows, and refuse the file at its first cell that breaks the contract."""
    judged = [cast for cast in casts if cast.misfit]
    time = next(cast for cast in casts if cast.column.name == file.table.time)
    first_rows = [f"min({ROW}) FILTER (WHERE {cast.misfit})" for cast in judged]
    first_rows.append(f"min({ROW}) FILTER (WHERE ({time.sql}) IS NULL)")
    first_rows.append(f"min({ROW}) FILTER (WHERE ({time.sql}) < TIMESTAMPTZ '{first_day} 00:00:00+00')")
    counted = fetch_row(connection, f"SELECT count(*), {', '.join(first_rows)} FROM {relation.sql}")
    rows, *misfits, timeless, too_early = counted
    wrong = [(row, cast) for row, cast in zip(misfits, judged, strict=True) if row is not None]
    if wrong:
        row, cast = min(wrong, key=lambda pair: pair[0])
        cell = _cell(connection, relation, cast.raw, row)
        raise BadInputError(
            f"{file.name}, row {row}, column {cast.column.name}: {cell} is not {EXPECTED[cast.column.type]} "
            f"(rule {cast.rule}); mend it and import the folder again, nothing was taken in"
        )
    if timeless is not None:
        where = f"column {time.column.name} is empty" if time.raw != "NULL" else f"has no {time.column.name}"
        if file.table.time_from and not has_column(time.column, relation.types):
            where = f"no {file.table.time_from.table} row has its {file.table.time_from.column}"
        raise BadInputError(
            f"{file.name}, row {timeless}: {where}, so the row belongs to no day (rule {time.column.name}_present); "
            "mend it and import the folder again, nothing was taken in"
        )
    if too_early is not None:
        cell = _cell(connection, relation, time.raw, too_early)
        raise BadInputError(
            f"{file.name}, row {too_early}, column {time.column.name}: {cell} is before {first_day}, the first day of the "
            "pipeline (rule first_day); check its unit, or set TICKETINTEL_FIRST_DAY"
        )
    return int(rows)


def _cell(connection: duckdb.DuckDBPyConnection, relation: RawRelation, raw: str, row: int) -> str:
    (cell,) = fetch_row(connection, f"SELECT CAST({raw} AS VARCHAR) FROM {relation.sql} WHERE {ROW} = {row}")
    return repr(shortened("" if cell is None else str(cell)))


def _write_fragments(
    connection: duckdb.DuckDBPyConnection,
    file: RawFile,
    relation: RawRelation,
    casts: Sequence[Cast],
    content_hash: str,
    staged: Path,
    lake: Lake,
) -> tuple[Fragment, ...]:
    """Write the rows of each day to its own file in `staged`, in the order of the raw file."""
    time = next(cast.sql for cast in casts if cast.column.name == file.table.time)
    columns = ", ".join(f"{cast.sql} AS {identifier(cast.column.name)}" for cast in casts)
    selection = f"SELECT {columns}, {text(file.name)} AS source_file, {ROW} AS source_row FROM {relation.sql}"
    if not relation.in_order:
        selection += f" ORDER BY {ROW}"
    day_of = "CAST({time} AT TIME ZONE 'UTC' AS DATE)"
    days = [
        (row[0], row[1])
        for row in fetch_rows(
            connection,
            f"SELECT {day_of.format(time=f'({time})')} AS day, count(*) FROM {relation.sql} GROUP BY day ORDER BY day",
        )
    ]
    staged.mkdir(parents=True)
    if len(days) == 1:
        _copy(connection, selection, _staged(staged, days[0][0]))
    elif days:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE landing AS {selection}")
        column = day_of.format(time=identifier(file.table.time))
        for day, _ in days:
            _copy(connection, f"SELECT * FROM landing WHERE {column} = DATE '{day}'", _staged(staged, day))
        connection.execute("DROP TABLE landing")
    name = f"{content_hash[:16]}.parquet"
    return tuple(
        Fragment(file.table.name, day, lake.partition(RAW_STAGE, file.table.name, day) / name, rows) for day, rows in days
    )


def _staged(folder: Path, day: date) -> Path:
    return folder / f"{day}.parquet"


def _copy(connection: duckdb.DuckDBPyConnection, selection: str, target: Path) -> None:
    connection.execute(f"COPY ({selection}) TO {text(str(target))} (FORMAT parquet, COMPRESSION zstd)")


def raw_columns(table: Table) -> tuple[str, ...]:
    """The columns of a landed fragment."""
    return (*table.column_names, *SOURCE_COLUMNS)
