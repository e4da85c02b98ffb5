"""How the observations of ticketing are worked out and kept up to date, and which days of observations and families are not."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial

import pyarrow.parquet as pq

from ticketintel_pipelines.lake.engine import fetch_table
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.stages.feature import first_stale_days
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE, by_day, content_hash, start_of
from ticketintel_pipelines.stages.observation import Observed, Observing, stale_observation_days
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.features.families import FAMILIES, FEATURES
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS, Observation
from ticketintel_pipelines.ticketing.features.relations import Piece
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import TRANSACTIONS
from ticketintel_pipelines.warehouse.feature_days import FeatureDays, rows_published

LONGEST_PIECE_DAYS, MOST_SPARSE_DAYS = 31, 366


def observe(workspace: Workspace, days: DayRange, *, observation: Observation) -> dict[date, Observed]:
    """Put the rows seen on some days into the lake; days without any are left out of the answer."""
    observed: dict[date, Observed] = {}
    lake = workspace.lake(TICKETING)
    for piece_days in _pieces(workspace, observation, days):
        with workspace.engine() as engine, workspace.catalog() as catalog, scratch_folder(lake) as scratch:
            engine.execute("CREATE MACRO key_of(value) AS CAST(md5_number_lower(value) >> 1 AS BIGINT)")
            engine.execute(
                f"CREATE TEMP TABLE span AS SELECT {start_of(piece_days.first)} AS first, "
                f"{start_of(piece_days.last + timedelta(days=1))} AS past"
            )
            observation.prepare(Piece(engine, catalog, lake, piece_days))
            found = fetch_table(engine, observation.sql.read_text().rstrip().rstrip(";"))
            parts = {}
            for day, rows in by_day(found, piece_days).items():
                parts[day] = scratch / f"{day}.parquet"
                pq.write_table(rows, parts[day], compression="zstd")
                observed[day] = Observed(len(rows), content_hash(rows))
            swap_in(lake, FEATURE_STAGE, observation.name, piece_days, parts)
    return observed


def _pieces(workspace: Workspace, observation: Observation, days: DayRange) -> Iterator[DayRange]:
    """Months; where these have few rows, as many of them together as the settings allow, up to a year."""
    with workspace.catalog() as catalog:
        rows = rows_published(catalog.connection, TICKETING.name, (*observation.reads, *observation.observes))
    months = [
        DayRange(first, min(first + timedelta(days=LONGEST_PIECE_DAYS - 1), days.last))
        for first in days.days[::LONGEST_PIECE_DAYS]
    ]
    piece, held = months[0], 0
    for month in months:
        more = sum(rows.get(day, 0) for day in month.days)
        if held + more > workspace.settings.chunk_rows or (month.last - piece.first).days >= MOST_SPARSE_DAYS:
            if month.first > piece.first:
                yield piece
            piece, held = month, 0
        piece, held = DayRange(piece.first, month.last), held + more
    yield piece


OBSERVING = tuple(
    Observing(
        observation.name,
        observation.reads,
        partial(observe, observation=observation),
        observation.observes,
        observation.looks_back_days,
        observation.sql.read_text(),
        observation.joins_days,
        observation.sees_late,
    )
    for observation in OBSERVATIONS
)


def stale_feature_days(records: FeatureDays) -> set[date]:
    """Days to run so that every observation and family is up to date with what is published; none without transactions."""
    published = records.published((TRANSACTIONS.name,))
    if not published:
        return set()
    days = DayRange(min(published), max(published))
    stale: set[date] = set()
    for observing in OBSERVING:
        stale.update(stale_observation_days(records, observing, days))
    for family in (*FAMILIES, FEATURES):
        stale.update(first_stale_days(records, family, days))
    return stale
