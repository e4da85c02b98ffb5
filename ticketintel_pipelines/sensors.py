"""What starts runs beside the clock: new final blocks, and days that a night has left behind."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.errors import TicketIntelError
from ticketintel_pipelines.lake.layout import contiguous_ranges
from ticketintel_pipelines.schedules import LARGEST_GAP_DAYS, LONGEST_CHAIN, run_request
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.model_registry import champion_of
from ticketintel_pipelines.warehouse.model_watch import ModelWatch

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

ASK_AGAIN_SECONDS = 300
LOOK_AGAIN_SECONDS = 60
FOLLOW_UP_TAG = "follow_up"


def hourly_increment(
    domain: Domain, job: "UnresolvedAssetJobDefinition", new_blocks: Callable[[Workspace], int | None], *, running: bool
) -> dg.SensorDefinition:
    """At most once an hour, when the chain has final blocks that were not landed."""

    @dg.sensor(
        name=f"{domain.name}_hourly_increment",
        job=job,
        minimum_interval_seconds=ASK_AGAIN_SECONDS,
        description="Takes new rows from the live sources, at most once an hour, when the chain has new final blocks.",
        default_status=_status(running),
    )
    def ask(context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]) -> dg.RunRequest | dg.SkipReason:
        hour = datetime.now(UTC).strftime("%Y-%m-%d %H")
        if context.cursor == hour:
            return dg.SkipReason(f"the increment of {hour}:00 UTC was asked for already")
        try:
            blocks = new_blocks(workspace)
        except TicketIntelError as error:
            # Not a failure of the sensor: the next look may find the node again, and the night says it aloud.
            return dg.SkipReason(str(error))
        if blocks is None:
            return dg.SkipReason("no endpoint is set in TICKETINTEL_CHAIN_RPC_URL")
        if not blocks:
            return dg.SkipReason("the chain has no final block that was not landed")
        context.update_cursor(hour)
        return dg.RunRequest(run_key=f"{domain.name} increment {hour}", tags={"new_final_blocks": str(blocks)})

    return ask


def late_days(
    domain: Domain, job: "UnresolvedAssetJobDefinition", raw_inputs: Mapping[str, Sequence[str]], *, running: bool
) -> dg.SensorDefinition:
    """After a run of the ETL: the days before today that have become stale by it, or by what it took from the sources."""

    @dg.run_status_sensor(
        dg.DagsterRunStatus.SUCCESS,
        name=f"{domain.name}_late_days",
        monitored_jobs=[job],
        request_job=job,
        minimum_interval_seconds=LOOK_AGAIN_SECONDS,
        description="Works out the earlier days that rows which came late have changed, once a run is through.",
        default_status=_status(running),
    )
    def follow(
        context: dg.RunStatusSensorContext, workspace: dg.ResourceParam[Workspace]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        length = int(context.dagster_run.tags.get(FOLLOW_UP_TAG, "0")) + 1
        if length > LONGEST_CHAIN:
            return dg.SkipReason(f"{LONGEST_CHAIN} runs have followed from one another; the rest is left to the next night")
        today = datetime.now(UTC).date()
        with workspace.catalog() as catalog:
            stale = [day for day in catalog.stale_days(domain, raw_inputs) if day < today]
        if not stale:
            return dg.SkipReason("every earlier day is up to date")
        requests = []
        for days in contiguous_ranges(stale, LARGEST_GAP_DAYS):
            request = run_request(days, f"{domain.name} {days} after {context.dagster_run.run_id}")
            requests.append(request.with_replaced_attrs(tags={**request.tags, FOLLOW_UP_TAG: str(length)}))
        return requests

    return follow


def model_watch(
    domain: Domain, models: Sequence[str], job: "UnresolvedAssetJobDefinition", *, running: bool
) -> dg.SensorDefinition:
    """Trains anew, once for each champion, when its inputs have drifted or it finds less than before."""

    @dg.sensor(
        name=f"{domain.name}_model_watch",
        job=job,
        minimum_interval_seconds=ASK_AGAIN_SECONDS,
        description="Trains at once when drift passes its threshold or the detection rate falls by over 10 %.",
        default_status=_status(running),
    )
    def ask(context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]) -> dg.RunRequest | dg.SkipReason:
        reasons = {}
        with workspace.catalog() as catalog:
            for model in models:
                champion = champion_of(catalog.connection, domain.name, model)
                found = ModelWatch(catalog.connection, domain.name, model).reason_to_retrain() if champion else None
                if found:
                    reasons[f"{model} {champion}"] = found
        if not reasons:
            return dg.SkipReason("no model that is in use has drifted or finds less than before")
        # A training that brings no better version is not asked for again until there is another champion.
        return dg.RunRequest(run_key=f"{domain.name} {'; '.join(reasons)}", tags={"reason": "; ".join(reasons.values())[:250]})

    return ask


def _status(running: bool) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED
