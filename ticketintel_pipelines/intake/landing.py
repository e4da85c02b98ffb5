"""Landing one raw file: its cells checked against the contract, its rows written to one staged Parquet file a day."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.addresses import keep_wrong_checksums
from ticketintel_pipelines.intake.casting import EXPECTED, Cast, has_column, plan_casts
from ticketintel_pipelines.intake.clients import Clients
from ticketintel_pipelines.intake.files import RawFile
from ticketintel_pipelines.intake.hiding import hide_addresses
from ticketintel_pipelines.intake.proving import prove
from ticketintel_pipelines.intake.reading import ROW, RawRelation, open_relation
from ticketintel_pipelines.intake.sentences import is_about_the_file, shortened, unreadable
from ticketintel_pipelines.lake.engine import fetch_row, fetch_rows, identifier, parquet, text
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.retention.tombstones import Tombstones

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
    erased: int = 0
    """Rows left out of those that the file had, or stripped, since they are about people who were erased."""


def land(
    connection: duckdb.DuckDBPyConnection,
    file: RawFile,
    content_hash: str,
    staged: Path,
    lake: Lake,
    first_day: date,
    time_fragments: Sequence[Path],
    clients: Clients,
) -> LandedFile:
    """Check a file and write its rows to `staged`, a part per day; `time_fragments` hold the clock of files without times.

    Raises:
        BadInputError: the file breaks the raw contract; the sentence names file, row, column and rule.
    """
    relation = open_relation(connection, file)
    time = file.table.column(file.table.time)
    joined = file.table.time_from is not None and not has_column(time, relation.types)
    if joined:
        relation = _join_time(file, relation, time_fragments)
    casts = plan_casts(file.table, relation.types, file.name, time_is_joined=joined)
    try:
        proven = prove(connection, relation, casts, _clock(file, casts), first_day)
        days = proven.days if proven else _check_cells(connection, file, relation, casts, first_day)
        casts = proven.casts if proven else casts
        if proven is None or proven.has_upper_case:
            casts = keep_wrong_checksums(connection, relation.sql, casts)
        hidden, kept = hide_addresses(connection, relation, casts, clients)
        fragments = _write_fragments(connection, file, hidden, kept, days, content_hash, staged, lake)
    except duckdb.Error as error:
        if not is_about_the_file(error):
            raise
        raise unreadable(file, error) from error
    used = {cast.raw for cast in casts}
    ignored = tuple(name for name in relation.types if identifier(name) not in used and name.lower() != "topics")
    rows = sum(days.values())
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


def _clock(file: RawFile, casts: Sequence[Cast]) -> Cast:
    return next(cast for cast in casts if cast.column.name == file.table.time)


def _check_cells(
    connection: duckdb.DuckDBPyConnection, file: RawFile, relation: RawRelation, casts: Sequence[Cast], first_day: date
) -> dict[date, int]:
    """Count the rows by day, and refuse the file at its first cell that breaks the contract."""
    judged = [cast for cast in casts if cast.misfit]
    time = _clock(file, casts)
    first_rows = [f"min({ROW}) FILTER (WHERE {cast.misfit})" for cast in judged]
    first_rows.append(f"min({ROW}) FILTER (WHERE ({time.sql}) IS NULL)")
    first_rows.append(f"min({ROW}) FILTER (WHERE ({time.sql}) < TIMESTAMPTZ '{first_day} 00:00:00+00')")
    first_rows.append(f"min({ROW}) FILTER (WHERE ({time.sql}) > now() + INTERVAL 1 DAY)")
    day = f"CAST(({time.sql}) AT TIME ZONE 'UTC' AS DATE)"
    counted = fetch_rows(
        connection, f"SELECT {day}, count(*), {', '.join(first_rows)} FROM {relation.sql} GROUP BY 1 ORDER BY 1"
    )
    days = {row[0]: row[1] for row in counted}
    *misfits, timeless, too_early, too_late = (
        min((row[place] for row in counted if row[place] is not None), default=None) for place in range(2, len(first_rows) + 2)
    )
    wrong = [(row, cast) for row, cast in zip(misfits, judged, strict=True) if row is not None]
    if wrong:
        row, cast = min(wrong, key=lambda pair: pair[0])
        cell = _cell(connection, relation, cast, row)
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
        cell = _cell(connection, relation, time, too_early)
        raise BadInputError(
            f"{file.name}, row {too_early}, column {time.column.name}: {cell} is before {first_day}, the first day of the "
            "pipeline (rule first_day); check its unit, or set TICKETINTEL_FIRST_DAY"
        )
    if too_late is not None:
        cell = _cell(connection, relation, time, too_late)
        raise BadInputError(
            f"{file.name}, row {too_late}, column {time.column.name}: {cell} lies in the future (rule not_in_the_future); "
            "check its unit and the clock of whoever exported it, nothing was taken in"
        )
    return days


def _cell(connection: duckdb.DuckDBPyConnection, relation: RawRelation, cast: Cast, row: int) -> str:
    """A cell as a sentence may show it: what could be somebody's data is described and not repeated."""
    (cell,) = fetch_row(connection, f"SELECT CAST({cast.raw} AS VARCHAR) FROM {relation.sql} WHERE {ROW} = {row}")
    found = "" if cell is None else str(cell)
    return f"a text of {len(found)} characters" if cast.column.personal else repr(shortened(found))


def _write_fragments(
    connection: duckdb.DuckDBPyConnection,
    file: RawFile,
    relation: RawRelation,
    casts: Sequence[Cast],
    days: dict[date, int],
    content_hash: str,
    staged: Path,
    lake: Lake,
) -> tuple[Fragment, ...]:
    """Write the rows of each day to its own file in `staged`, in the order of the raw file."""
    columns = ", ".join(f"{cast.sql} AS {identifier(cast.column.name)}" for cast in casts)
    selection = f"SELECT {columns}, {text(file.name)} AS source_file, {ROW} AS source_row FROM {relation.sql}"
    if not relation.in_order:
        selection += f" ORDER BY {ROW}"
    staged.mkdir(parents=True)
    if len(days) == 1:
        _copy(connection, selection, staged_part(staged, next(iter(days))))
    elif days:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE landing AS {selection}")
        column = f"CAST({identifier(file.table.time)} AT TIME ZONE 'UTC' AS DATE)"
        for day in days:
            _copy(connection, f"SELECT * FROM landing WHERE {column} = DATE '{day}'", staged_part(staged, day))
        connection.execute("DROP TABLE landing")
    name = f"{content_hash[:16]}.parquet"
    return tuple(
        Fragment(file.table.name, day, lake.partition(RAW_STAGE, file.table.name, day) / name, rows)
        for day, rows in days.items()
    )


def staged_part(folder: Path, day: date) -> Path:
    return folder / f"{day}.parquet"


def without_erased(file: LandedFile, domain: Domain, staged: Path, tombstones: Tombstones) -> LandedFile:
    """A landed file whose staged parts hold nothing about people who were erased; a day that is left without rows goes."""
    fragments, erased = [], 0
    for fragment in file.fragments:
        rows, concerned = tombstones.sieve(domain, domain.by_name[file.table], staged_part(staged, fragment.day))
        erased += concerned
        if rows:
            fragments.append(replace(fragment, rows=rows))
    if not erased:
        return file
    return replace(file, fragments=tuple(fragments), rows=sum(fragment.rows for fragment in fragments), erased=erased)


def _copy(connection: duckdb.DuckDBPyConnection, selection: str, target: Path) -> None:
    connection.execute(f"COPY ({selection}) TO {text(str(target))} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
