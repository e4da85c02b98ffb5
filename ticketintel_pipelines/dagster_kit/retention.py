"""Factory of the assets of retention: archive, purge and the report on both. A dry run is the default."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.dagster_kit.retention_metadata import CHECKS, check_results, materialized, report_metadata
from ticketintel_pipelines.errors import TicketIntelError
from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS, Bounds, Room
from ticketintel_pipelines.stages.workspace import Workspace

if TYPE_CHECKING:
    # What acts is imported where it acts: loading the definitions needs none of it.
    from ticketintel_pipelines.stages.retention_lake import Kept

ARCHIVE, PURGE, REPORT = "archive", "purge", "report"


class RetentionConfig(dg.Config):
    """How a run of retention is to be done."""

    dry_run: bool = True
    """Only plan, and show the plan."""
    most_rows: int = DEFAULT_BOUNDS.most_rows
    most_minutes: float = DEFAULT_BOUNDS.most_minutes


def retention_assets(domain: Domain, features: "Callable[[], Mapping[str, Kept]]") -> list[dg.AssetsDefinition]:
    """The three assets of a domain, and the checks on the report; `features` says how long those of the lake are kept."""
    archive, purged, report = (asset_key(domain, "retention", name) for name in (ARCHIVE, PURGE, REPORT))
    shared: dict[str, Any] = {
        "group_name": domain.name,
        "owners": OWNERS["retention"],
        "tags": stage_tags("retention"),
    }

    @dg.asset(
        key=archive,
        description="Months that are past their time in Postgres as Parquet files, read back and compared. They stay in "
        "Postgres until the purge drops them. A dry run, which is the default, shows the plan.",
        kinds={"postgres", "parquet"},
        **shared,
    )
    def archive_asset(
        context: dg.AssetExecutionContext, config: RetentionConfig, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult:
        from ticketintel_pipelines.retention.carrying import carry_out
        from ticketintel_pipelines.retention.plan import ARCHIVING, plan

        room = _room(context, workspace, domain)
        try:
            made = plan(room, _today(), ARCHIVING)
            return materialized(carry_out(room, made, bounds=_bounds(config), dry_run=config.dry_run))
        except TicketIntelError as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    @dg.asset(
        key=purged,
        deps=[archive],
        description="What is past its time leaves Postgres and the archive: whole months, each once it is archived where its "
        "class is; then files of the lake, rows in quarantine, files of unused models, logs and records of runs. A dry run, "
        "which is the default, shows the plan.",
        kinds={"postgres", "parquet"},
        **shared,
    )
    def purge_asset(
        context: dg.AssetExecutionContext, config: RetentionConfig, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult:
        from ticketintel_pipelines.stages.retention_purge import purge

        room = _room(context, workspace, domain)
        try:
            done = purge(workspace, domain, room, features(), _today(), bounds=_bounds(config), dry_run=config.dry_run)
        except TicketIntelError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return materialized(done.tables, done.lake, done.traces)

    @dg.asset(
        key=report,
        deps=[archive, purged],
        description="Per retention class: what is held, the oldest row, what is due next, what is overdue, and legal holds; "
        "and per table the account of every row that was ever published.",
        kinds={"postgres"},
        check_specs=[dg.AssetCheckSpec(name, asset=report, description=words) for name, words in CHECKS.items()],
        **shared,
    )
    def report_asset(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from ticketintel_pipelines.stages.retention_report import retention_report

        try:
            found = retention_report(_room(context, workspace, domain), _today())
        except TicketIntelError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return dg.MaterializeResult(metadata=report_metadata(found), check_results=check_results(found))

    return [archive_asset, purge_asset, report_asset]


def _today() -> date:
    return datetime.now(UTC).date()


def _bounds(config: RetentionConfig) -> Bounds:
    return replace(DEFAULT_BOUNDS, most_rows=config.most_rows, most_minutes=config.most_minutes)


def _room(context: dg.AssetExecutionContext, workspace: Workspace, domain: Domain) -> Room:
    from ticketintel_pipelines.stages.retention import retention_room

    return retention_room(workspace, domain, actor=f"asset {context.asset_key.to_user_string()}", run_id=context.run_id)
