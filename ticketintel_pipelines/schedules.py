"""When jobs start by themselves. Schedules wait in the UI unless TICKETINTEL_SCHEDULES=on."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from ticketintel_pipelines.catalog import asset_key
from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.dagster_kit.partitions import range_tags
from ticketintel_pipelines.lake.layout import DayRange, contiguous_ranges
from ticketintel_pipelines.stages.view import outdated_views, state_of
from ticketintel_pipelines.stages.workspace import Workspace

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY_ETL_CRON = "0 2 * * *"
REFRESH_CRON = "*/5 * * * *"
HOURLY_CRON = "30 * * * *"
"""After the hourly increment, which starts with the hour."""
TRAINING_CRON = "0 2 * * 0"
"""Every Sunday; cron cannot say every second one."""
ARCHIVE_CRON = "0 4 1 * *"
PURGE_CRON = "0 3 * * 0"
FIRST_TRAINING_WEEK = date(2026, 1, 5)
"""A Monday. The Sunday of its week is one of training, and then that of every second week."""
MOST_ROWS_RETAINED = 50_000_000
MOST_MINUTES_RETAINING = 90.0
"""Bounds of one scheduled archive or purge; the next one goes on."""
LARGEST_GAP_DAYS = 31
"""Stale days that lie closer together are worked out in one run: a run costs more than an unchanged day."""
LONGEST_CHAIN = 5
"""Times that days may follow from the days just worked out before the rest is left to the next run."""


def daily_etl(
    domain: Domain, job: "UnresolvedAssetJobDefinition", raw_inputs: Mapping[str, Sequence[str]], *, running: bool
) -> dg.ScheduleDefinition:
    """Every night at 02:00 UTC: yesterday, and every earlier day whose input is newer than what was made of it."""

    @dg.schedule(
        name=f"{domain.name}_daily_etl",
        cron_schedule=DAILY_ETL_CRON,
        execution_timezone="UTC",
        job=job,
        description="Yesterday, and every earlier day with late data or an unfinished night.",
        default_status=_status(running),
    )
    def nightly(context: dg.ScheduleEvaluationContext, workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.RunRequest]:
        yesterday = (context.scheduled_execution_time - timedelta(days=1)).date()
        with workspace.catalog() as catalog:
            stale = [day for day in catalog.stale_days(domain, raw_inputs) if day < yesterday]
        for days in contiguous_ranges([*stale, yesterday], LARGEST_GAP_DAYS):
            yield run_request(days, f"{domain.name} {days} {context.scheduled_execution_time.isoformat()}")

    return nightly


def hourly_features(domain: Domain, job: "UnresolvedAssetJobDefinition", *, running: bool) -> dg.ScheduleDefinition:
    """Every hour: the running day, as far as it was published."""

    @dg.schedule(
        name=f"{domain.name}_hourly_features",
        cron_schedule=HOURLY_CRON,
        execution_timezone="UTC",
        job=job,
        description="The hourly features of the running day, as far as its rows were published.",
        default_status=_status(running),
    )
    def hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        moment = context.scheduled_execution_time
        return dg.RunRequest(run_key=f"{domain.name} features {moment.isoformat()}", partition_key=moment.date().isoformat())

    return hourly


def training(domain: Domain, job: "UnresolvedAssetJobDefinition", *, running: bool) -> dg.ScheduleDefinition:
    """Every second Sunday at 02:00 UTC."""

    @dg.schedule(
        name=f"{domain.name}_training",
        cron_schedule=TRAINING_CRON,
        execution_timezone="UTC",
        job=job,
        description="Every second Sunday: a new version of each model, promoted if it is better.",
        default_status=_status(running),
    )
    def fortnightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        sunday = context.scheduled_execution_time.date()
        if not is_training_week(sunday):
            return dg.SkipReason(f"the models are trained every second Sunday: next on {sunday + timedelta(days=7)}")
        return dg.RunRequest(run_key=f"{domain.name} training {sunday}")

    return fortnightly


def archiving(domain: Domain, job: "UnresolvedAssetJobDefinition", *, running: bool) -> dg.ScheduleDefinition:
    """The first of every month at 04:00 UTC."""
    return _retaining(
        domain, job, "archive", ARCHIVE_CRON, "Every month: what is past its time in Postgres, as files.", running
    )


def purging(domain: Domain, job: "UnresolvedAssetJobDefinition", *, running: bool) -> dg.ScheduleDefinition:
    """Every Sunday at 03:00 UTC."""
    return _retaining(domain, job, "purge", PURGE_CRON, "Every Sunday: what is past its time is dropped and deleted.", running)


def _retaining(
    domain: Domain, job: "UnresolvedAssetJobDefinition", asset: str, cron: str, words: str, running: bool
) -> dg.ScheduleDefinition:
    """Where schedules do not run by themselves, one that is switched on by hand shows what it would do, and does not do it."""
    operation = "__".join(asset_key(domain, "retention", asset).path)
    config = {
        "dry_run": not running,
        "most_rows": MOST_ROWS_RETAINED,
        "most_minutes": MOST_MINUTES_RETAINING,
    }
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        cron_schedule=cron,
        execution_timezone="UTC",
        job=job,
        run_config={"ops": {operation: {"config": config}}},
        description=words if running else f"{words} A dry run, since TICKETINTEL_SCHEDULES is not on.",
        default_status=_status(running),
    )


def is_training_week(day: date) -> bool:
    """Whether the week of a day is one of training. Weeks are counted from one Monday: a year of 53 weeks changes nothing."""
    return (day - FIRST_TRAINING_WEEK).days // 7 % 2 == 0


def run_request(days: DayRange, run_key: str | None = None) -> dg.RunRequest:
    """One run over a range of days."""
    if days.first == days.last:
        return dg.RunRequest(run_key=run_key, partition_key=days.first.isoformat())
    return dg.RunRequest(run_key=run_key, tags=range_tags(days))


def view_refresh(domain: Domain, job: "UnresolvedAssetJobDefinition", *, running: bool) -> dg.ScheduleDefinition:
    """Every five minutes, unless nothing that the views read has changed."""

    @dg.schedule(
        name=f"{domain.name}_view_refresh",
        cron_schedule=REFRESH_CRON,
        execution_timezone="UTC",
        job=job,
        description="Refreshes the views that read something new; skips when nothing changed.",
        default_status=_status(running),
    )
    def refresh(context: dg.ScheduleEvaluationContext, workspace: dg.ResourceParam[Workspace]) -> dg.RunRequest | dg.SkipReason:
        outdated = outdated_views(workspace, domain)
        if not outdated:
            return dg.SkipReason("no view reads anything that changed since its last refresh")
        # While one request waits behind a long night, the next ones ask for nothing more.
        names = ",".join(view.name for view in outdated)
        hour = context.scheduled_execution_time.strftime("%Y-%m-%d %H")
        return dg.RunRequest(run_key=f"{names} {state_of(workspace, domain)} {hour}", tags={"outdated_views": names})

    return refresh


def _status(running: bool) -> dg.DefaultScheduleStatus:
    return dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
