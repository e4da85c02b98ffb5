"""Score days with a model over windows: its rows of each day, in the lake and in Postgres.

A day keeps the rows it was given until something changes that they were made from: late rows, not a new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg import sql

from ticketintel_pipelines.lake.layout import DayRange, contiguous_ranges
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.learning.window_model import Scored, WindowModel
from ticketintel_pipelines.stages.feature_rows import content_hash
from ticketintel_pipelines.stages.score import SCORE_STAGE
from ticketintel_pipelines.stages.window import open_window
from ticketintel_pipelines.stages.window_learning import (
    Champion,
    WindowLearning,
    content_by_day,
    days_with_input,
    stored_as,
)
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse import model_registry
from ticketintel_pipelines.warehouse.feature_days import FeatureDay, FeatureDays, inputs_by_day
from ticketintel_pipelines.warehouse.frozen import first_workable, retained_from
from ticketintel_pipelines.warehouse.loading import load_parts

LARGEST_GAP_DAYS = 31
"""Days that lie closer together are scored in one window."""
VERSION_COLUMNS = ("scored_at", "model_version")


@dataclass
class WindowScoreReport:
    """What scoring some days came to."""

    champion: str | None
    scored: dict[date, int] = field(default_factory=dict)
    rows_by_day: dict[date, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Wanted:
    """Days to score, each with the hash of what its rows are made from."""

    days: list[date]
    inputs: Mapping[date, str]


def score_days(
    workspace: Workspace,
    learning: WindowLearning,
    champion: Champion | None,
    days: DayRange,
    *,
    run_id: str,
    now: datetime | None = None,
) -> WindowScoreReport:
    """Score what has no rows among some days, and whatever was scored before and is made from something else now."""
    report = WindowScoreReport(champion.version if champion else None)
    table = learning.model.table
    with workspace.catalog() as catalog:
        catalog.lock_table(learning.domain.name, f"{SCORE_STAGE}/{table.name}")
        records = FeatureDays(catalog.connection, learning.domain.name)
        if champion is not None:
            wanted = _wanted(catalog.connection, learning, champion.last_day, days)
            for together in contiguous_ranges(wanted.days, LARGEST_GAP_DAYS):
                some = [day for day in wanted.days if day in together]
                rows = _score(workspace, learning, champion, together, some, now or datetime.now(UTC))
                _publish(workspace, learning, catalog.connection, records, rows, wanted.inputs, run_id)
                report.scored.update({day: len(found) for day, found in rows.items()})
        recorded = records.of(table.name)
    report.rows_by_day = {day: recorded[day].rows for day in days.days if day in recorded}
    return report


def unscored_days(connection: psycopg.Connection, learning: WindowLearning) -> list[date]:
    """Days that the champion could score and has not, or that are made from something else now."""
    names = (learning.domain.name, learning.model.name)
    champion = model_registry.champion_of(connection, *names)
    present = days_with_input(connection, learning)
    if champion is None or not present:
        return []
    versions = {one.version: one for one in model_registry.versions_of(connection, *names)}
    last_day = date.fromisoformat(versions[champion].manifest["data"]["last_day"])
    return _wanted(connection, learning, last_day, DayRange(min(present), max(present))).days


def _wanted(connection: psycopg.Connection, learning: WindowLearning, last_learned: date, asked: DayRange) -> _Wanted:
    model = learning.model
    content = content_by_day(connection, learning)
    present = days_with_input(connection, learning)
    known = FeatureDays(connection, learning.domain.name).of(model.table.name)
    if not present:
        return _Wanted([], {})
    reach = DayRange(min(present), max([*present, *known]))
    inputs = inputs_by_day({"content": content}, reach, model.reach_days)
    days = {day for day in present if day in asked} | set(known)
    if model.scored is Scored.NEWEST:
        days &= {max(present)}
    elif model.scored is Scored.UNSEEN:
        days = {day for day in days if day > last_learned or day in known}
    read = stored_as(model, (*model.reads, *model.features, *model.needs))
    first = first_workable(retained_from(connection, learning.domain.name), model.table.name, read, 0)
    days = {day for day in days if first is None or day >= first}
    stale = [day for day in sorted(days) if day not in known or known[day].inputs_hash != inputs.get(day, "")]
    return _Wanted(stale, inputs)


def _score(
    workspace: Workspace, learning: WindowLearning, champion: Champion, together: DayRange, days: list[date], now: datetime
) -> dict[date, pa.Table]:
    """The rows of each day; of a range of days, those that are wanted."""
    model = learning.model
    with workspace.engine() as engine:
        lake, truth = workspace.lake(learning.domain), workspace.truth(learning.domain)
        window = open_window(engine, lake, learning.domain, model, together, learning.columns, truth)
        rows = _as_declared(model, model.score(champion.files, window), champion.version, now)
    day_of_row = pc.cast(pc.cast(rows[model.table.time], pa.timestamp("us", "UTC")), pa.date32())
    beyond = set(pc.unique(day_of_row).to_pylist()) - set(together.days)
    if beyond:
        raise ValueError(f"{model.name} gave rows of {min(beyond)}, which it was not asked for")
    return {day: rows.filter(pc.equal(day_of_row, pa.scalar(day, pa.date32()))) for day in days}


def _as_declared(model: WindowModel, rows: pa.Table, version: str, now: datetime) -> pa.Table:
    """The rows with who scored them and when, with the columns of the table in their order and types."""
    table = model.table
    own = set(rows.column_names)
    declared = {column.name for column in table.columns} - set(VERSION_COLUMNS)
    if own != declared:
        raise ValueError(f"{model.name} gave the columns {sorted(own ^ declared)} too many or too few for {table.name}")
    made = {
        **{name: rows[name] for name in rows.column_names},
        "scored_at": pa.array([now] * len(rows), pa.timestamp("us", "UTC")),
        "model_version": pa.array([version] * len(rows), pa.string()),
    }
    return pa.table({column.name: made[column.name] for column in table.columns})


def _publish(
    workspace: Workspace,
    learning: WindowLearning,
    connection: psycopg.Connection,
    records: FeatureDays,
    rows: Mapping[date, pa.Table],
    inputs: Mapping[date, str],
    run_id: str,
) -> None:
    """The lake first, then Postgres and the record in one transaction: killed in between, the days are done again."""
    lake, table = workspace.lake(learning.domain), learning.model.table
    with scratch_folder(lake) as scratch, workspace.engine() as engine:
        parts: dict[date, Path] = {}
        for day, found in rows.items():
            if len(found):
                parts[day] = scratch / f"{day}.parquet"
                pq.write_table(found, parts[day], compression="zstd")
        figures = {
            day: FeatureDay(len(found), content_hash(found) if len(found) else "", inputs.get(day, ""))
            for day, found in rows.items()
        }
        for together in contiguous_ranges(rows):
            own = {day: part for day, part in parts.items() if day in together}
            swap_in(lake, SCORE_STAGE, table.name, together, own)
        name, time = sql.Identifier(learning.domain.name, table.name), sql.Identifier(table.time)
        clear = sql.SQL("DELETE FROM {} WHERE {} >= %s AND {} < %s").format(name, time, time)
        with connection.transaction():
            for together in contiguous_ranges(rows):
                connection.execute(clear, (f"{together.first} 00:00:00+00", f"{together.last + timedelta(days=1)} 00:00:00+00"))
            kept = {day: lake.part(SCORE_STAGE, table.name, day) for day in parts}
            if kept:
                load_parts(connection, engine, learning.domain, table, kept)
            records.record(table.name, figures, run_id)
