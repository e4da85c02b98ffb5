"""The whole pipeline on one page: what Dagster loads."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.dagster_kit.partitions import daily_partitions
from ticketintel_pipelines.jobs import (
    archive_job,
    etl_job,
    hourly_features_job,
    increment_job,
    purge_job,
    refresh_job,
    training_job,
)
from ticketintel_pipelines.schedules import archiving, daily_etl, hourly_features, purging, training, view_refresh
from ticketintel_pipelines.sensors import hourly_increment, late_days, model_watch
from ticketintel_pipelines.settings import Settings, read_settings
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.assets import ticketing_assets
from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS
from ticketintel_pipelines.ticketing.models import MODELS
from ticketintel_pipelines.ticketing.sources import new_final_blocks
from ticketintel_pipelines.ticketing.tables import TICKETING


def build_defs(overrides: Mapping[str, Any] | None = None, settings: Settings | None = None) -> dg.Definitions:
    """A fresh `Definitions`; `overrides` replaces resources by name. Nothing is started or connected to."""
    settings = settings or read_settings()
    partitions = daily_partitions(settings.first_day)
    etl, increment, refresh = etl_job(TICKETING, partitions), increment_job(TICKETING), refresh_job(TICKETING)
    hourly, train = hourly_features_job(TICKETING, partitions), training_job(TICKETING)
    archive, purge = archive_job(TICKETING), purge_job(TICKETING)
    return dg.Definitions(
        assets=ticketing_assets(partitions),
        jobs=[etl, hourly, increment, refresh, train, archive, purge],
        schedules=[
            daily_etl(TICKETING, etl, RAW_INPUTS, running=settings.schedules_on),
            hourly_features(TICKETING, hourly, running=settings.schedules_on),
            view_refresh(TICKETING, refresh, running=settings.schedules_on),
            training(TICKETING, train, running=settings.schedules_on),
            archiving(TICKETING, archive, running=settings.schedules_on),
            purging(TICKETING, purge, running=settings.schedules_on),
        ],
        sensors=[
            hourly_increment(TICKETING, increment, new_final_blocks, running=settings.schedules_on),
            late_days(TICKETING, etl, RAW_INPUTS, running=settings.schedules_on),
            model_watch(TICKETING, [model.name for model in MODELS], train, running=settings.schedules_on),
        ],
        resources={"workspace": Workspace(DOMAINS), **(overrides or {})},
        executor=dg.in_process_executor,
    )


defs = build_defs()
