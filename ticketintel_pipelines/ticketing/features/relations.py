"""Relations of validated rows as each was first known: what the SQL files of the observations read.

A row is known from its own time on, or from its `known_at` where that is later. It enters by its first version, so that what a
feature saw does not change when the platform changes the row. Rows of the days and a few days before them come from the lake,
and whatever those name from the days on which it was recorded, found by Postgres' indexes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import duckdb

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.lake.engine import fetch_rows, fetch_table, parquet_as
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.quality.verdict import LATE_DAYS
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.validate import HISTORY_STAGE, VALIDATE_STAGE
from ticketintel_pipelines.ticketing.features.observed_columns import TRANSACTION_COLUMNS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.feature_days import FeatureDays
from ticketintel_pipelines.warehouse.lookups import look_up


@dataclass(frozen=True)
class Piece:
    """What making the relations of a few days has at hand."""

    engine: duckdb.DuckDBPyConnection
    catalog: Catalog
    lake: Lake
    days: DayRange


def first_versions(
    piece: Piece, name: str, columns: Sequence[str], days: Iterable[date], named: str | None = None, holding: str | None = None
) -> None:
    """Make a relation of a table's name: rows of some days as each was first known, with `seen`; not those deleted then.

    `columns` are those wanted beside key, time and version. `named` is a query whose one column names the rows wanted, which
    are then found on whatever day they lie. Of a row that changed, only states count in which the column `holding` has a value.
    """
    table = TICKETING.by_name[name]
    versions = () if table.version is None else (table.version, "deleted_at")
    kinds = {column: table.duckdb_types[column] for column in dict.fromkeys((*table.key, table.time, *columns, *versions))}
    days = sorted(set(days))
    piece.engine.execute(
        f"CREATE OR REPLACE TEMP TABLE states ({', '.join(f'{column} {kind}' for column, kind in kinds.items())})"
    )
    parts = piece.lake.parts(VALIDATE_STAGE, name, days) + piece.lake.parts(HISTORY_STAGE, name, days)
    among = ""
    if named is not None:
        (key,) = table.key
        piece.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT DISTINCT {key} FROM ({named}) WHERE {key} IS NOT NULL"
        )
        among = f" SEMI JOIN wanted USING ({key})"
    if parts:
        piece.engine.execute(f"INSERT INTO states SELECT * FROM {parquet_as(piece.engine, parts, kinds)}{among}")
    if named is not None:
        _add_recorded_elsewhere(piece, table, kinds)
    time = f"epoch_us({table.time})"
    where = "" if holding is None else f"WHERE {holding} IS NOT NULL"
    query = f"SELECT *, {time} AS seen FROM states"
    if table.version is not None:
        known, key = f"greatest({time}, coalesce(epoch_us({table.version}), {time}))", ", ".join(table.key)
        query = (
            f"SELECT * FROM (SELECT *, {known} AS seen FROM states {where} "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {table.version} NULLS FIRST) = 1) WHERE deleted_at IS NULL"
        )
    piece.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")


def _add_recorded_elsewhere(piece: Piece, table: Table, kinds: Mapping[str, str]) -> None:
    """Add to `states` the wanted rows that are not among them: the published state from Postgres, older ones from the lake.

    A whole day of the lake is opened only for older states, which few days have: otherwise the cost would grow with history.
    """
    (key,) = table.key
    missing = fetch_table(piece.engine, f"SELECT {key} FROM wanted ANTI JOIN states USING ({key})")
    if not missing.num_rows:
        return
    carried = [column for column in kinds if column != key]
    found = look_up(piece.catalog.connection, TICKETING, table.name, (key,), missing, carried)
    if not found.num_rows:
        return
    piece.engine.register("recorded", found)
    piece.engine.execute(f"INSERT INTO states SELECT {', '.join(kinds)} FROM recorded")
    if table.version is not None:
        # The state of which no date is known is the oldest.
        changed = f"SELECT DISTINCT CAST({table.time} AS DATE) FROM recorded WHERE {table.version} IS NOT NULL"
        days = sorted(row[0] for row in fetch_rows(piece.engine, changed))
        if older := piece.lake.parts(HISTORY_STAGE, table.name, days):
            rows = parquet_as(piece.engine, older, kinds)
            piece.engine.execute(f"INSERT INTO states SELECT * FROM {rows} SEMI JOIN recorded USING ({key})")
    piece.engine.unregister("recorded")


def around(piece: Piece, name: str, columns: Sequence[str], before: int) -> None:
    """The rows of the days and of some days before."""
    first_versions(piece, name, columns, DayRange(piece.days.first - timedelta(days=before), piece.days.last).days)


def around_and_late(piece: Piece, name: str, columns: Sequence[str], before: int = LATE_DAYS) -> None:
    """The same, and those of every earlier day that has rows which became known on the days."""
    recent = DayRange(piece.days.first - timedelta(days=before), piece.days.last).days
    first_versions(piece, name, columns, {*recent, *known_late(piece, name)})


def known_late(piece: Piece, name: str) -> set[date]:
    """The days of a table that have rows which became known on the days, more than `LATE_DAYS` after their own."""
    late = FeatureDays(piece.catalog.connection, TICKETING.name).late((name,))
    return {own for _, own, known_on in late if known_on in piece.days}


def observed_before(piece: Piece, name: str, days: Iterable[date], more: str = "") -> None:
    """A relation of transactions as they were observed on some days."""
    kinds = {column.name: column.type.duckdb for column in TRANSACTION_COLUMNS}
    parts = piece.lake.parts(FEATURE_STAGE, "transactions", days)
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in kinds.items())
    rows = parquet_as(piece.engine, parts, kinds) if parts else f"(SELECT {nulls} LIMIT 0)"
    piece.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {rows}{more}")


def midnight(day: date) -> datetime:
    """The instant at which a day begins."""
    return datetime.combine(day, time(), UTC)
