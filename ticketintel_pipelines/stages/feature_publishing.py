"""The newest days of a feature table in Postgres, beside the whole of it in the lake."""

from datetime import date, timedelta

from psycopg import sql

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.lake.layout import contiguous_ranges
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.feature_days import FeatureDays
from ticketintel_pipelines.warehouse.loading import load_parts

HOT_DAYS = 180
"""Before the newest day; as long as predictions, which they explain, stay in Postgres."""


def publish_hot_days(workspace: Workspace, domain: Domain, table: Table) -> list[date]:
    """Make Postgres hold the last days as the lake has them, in one transaction; returns the days that were replaced."""
    lake = workspace.lake(domain)
    with workspace.catalog() as catalog, workspace.engine() as engine:
        catalog.lock_table(domain.name, f"{FEATURE_STAGE}/{table.name}")
        records = FeatureDays(catalog.connection, domain.name)
        days = records.unpublished(table.name, HOT_DAYS)
        if not days:
            return []
        newest = max(day for day, figures in records.of(table.name).items() if figures.rows or day in days)
        with catalog.connection.transaction():
            name, time = sql.Identifier(domain.name, table.name), sql.Identifier(table.time)
            clear = sql.SQL("DELETE FROM {name} WHERE {time} >= %s AND {time} < %s").format(name=name, time=time)
            for together in contiguous_ranges(days):
                catalog.connection.execute(clear, (_midnight(together.first), _midnight(together.last + timedelta(days=1))))
            parts = {day: part for day in days if (part := lake.part(FEATURE_STAGE, table.name, day)).exists()}
            load_parts(catalog.connection, engine, domain, table, parts)
            catalog.connection.execute(
                sql.SQL("DELETE FROM {name} WHERE {time} < %s").format(name=name, time=time),
                (_midnight(newest - timedelta(days=HOT_DAYS - 1)),),
            )
            records.note_published(table.name, days, HOT_DAYS)
        return days


def _midnight(day: date) -> str:
    return f"{day} 00:00:00+00"
