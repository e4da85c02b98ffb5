"""Open a window: views over the lake of what a model reads, typed and empty where there is nothing."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.lake.engine import fetch_rows, identifier, location, parquet_as
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.learning.window_model import WindowModel
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.validate import VALIDATE_STAGE


def open_window(
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    domain: Domain,
    model: WindowModel,
    days: DayRange,
    columns: Mapping[str, Mapping[str, str]],
    truth: Path,
    previous: Mapping[str, bytes] | None = None,
) -> Window:
    """The views of a model for some days.

    `columns` gives names and DuckDB types of the columns of each table of the stage `feature`; `truth` is the folder of a
    simulated world's truth, which need not be there. `previous` are the
    files of the version that scores now.
    """
    reach = DayRange(days.first - timedelta(days=model.reach_days), days.last)
    empty = set()
    for name in (*model.reads, *model.whole):
        wanted = reach.days if name in model.reads else _days_until(lake.table(VALIDATE_STAGE, name), days.last)
        if not _view(engine, name, lake.parts(VALIDATE_STAGE, name, wanted), domain.by_name[name].duckdb_types):
            empty.add(name)
    for view, name in model.features.items():
        if not _view(engine, view, lake.parts(FEATURE_STAGE, name, reach.days), columns[name]):
            empty.add(view)
    files = sorted(truth.glob("*.parquet")) if truth.is_dir() else []
    for file in files:
        engine.execute(
            f"CREATE OR REPLACE TEMP VIEW {identifier(f'truth_{file.stem}')} AS SELECT * FROM read_parquet({location(file)})"
        )
    return Window(engine, days, reach, frozenset(empty), bool(files), previous)


def _days_until(folder: Path, last: date) -> list[date]:
    names = (path.name.removeprefix("day=") for path in folder.glob("day=*"))
    return sorted(day for name in names if (day := date.fromisoformat(name)) <= last)


def _view(engine: duckdb.DuckDBPyConnection, name: str, parts: Iterable[Path], columns: Mapping[str, str]) -> bool:
    """Make a view; whether it has a row."""
    parts = list(parts)
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(column)}" for column, kind in columns.items())
    rows = parquet_as(engine, parts, columns) if parts else f"(SELECT {nulls} LIMIT 0)"
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {identifier(name)} AS SELECT * FROM {rows}")
    return bool(fetch_rows(engine, f"SELECT 1 FROM {identifier(name)} LIMIT 1"))
