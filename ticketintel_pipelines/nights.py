"""Running the ETL from a terminal: which days, which assets, and what came of it."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
from dagster._core.instance import InstanceRef
from dagster._utils.error import SerializableErrorInfo

from ticketintel_pipelines.catalog import asset_key
from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.dagster_kit.compute_logs import compute_logs_at
from ticketintel_pipelines.dagster_kit.increment import check_evaluation, check_results, metadata
from ticketintel_pipelines.dagster_kit.partitions import range_tags
from ticketintel_pipelines.dagster_kit.storage import storage_at
from ticketintel_pipelines.dagster_kit.validate import SECOND_OPINION
from ticketintel_pipelines.definitions import build_defs
from ticketintel_pipelines.errors import BadInputError, PublishRefusedError
from ticketintel_pipelines.jobs import etl_job_name, training_job_name
from ticketintel_pipelines.lake.layout import DayRange, contiguous_ranges
from ticketintel_pipelines.progress import Console, Progress
from ticketintel_pipelines.redaction import redacted
from ticketintel_pipelines.schedules import LARGEST_GAP_DAYS, LONGEST_CHAIN
from ticketintel_pipelines.settings import FIRST_DAY
from ticketintel_pipelines.stages.evidence import outcome
from ticketintel_pipelines.stages.learning import unscored_days
from ticketintel_pipelines.stages.view import bring_up_to_date, outdated_views, views_of
from ticketintel_pipelines.stages.window_score import unscored_days as unscored_window_days
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.assets import LIVE_SOURCES
from ticketintel_pipelines.ticketing.features.families import FAMILIES, FEATURES
from ticketintel_pipelines.ticketing.features.observing import OBSERVING, stale_feature_days
from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS
from ticketintel_pipelines.ticketing.models.learning import LEARNINGS, MODEL_NAMES, SCORINGS, WINDOW_LEARNINGS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import LOGS, MARKET_SALES, SALES, TRANSACTIONS, TRANSFERS
from ticketintel_pipelines.warehouse.feature_days import FeatureDays
from ticketintel_pipelines.warehouse.model_registry import champions_of

REPOSITORY = Path(__file__).parents[1]
EVENT_BATCH_VARIABLE, EVENT_BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE", "1000"
"""A backfill writes an event per asset and day: in batches, where Dagster knows how to."""


@dataclass(frozen=True)
class Night:
    """One finished run."""

    days: DayRange | None
    run_id: str
    succeeded: bool
    failures: tuple[str, ...]
    disagreements: tuple[str, ...] = ()
    """Rules of which SQL and Great Expectations count different rows."""


def stale_ranges(workspace: Workspace, domain: Domain, *, replay: bool = False) -> list[DayRange]:
    """The ranges of days that need a run; with `replay` also those with rows in quarantine."""
    with workspace.catalog() as catalog:
        days = set(catalog.stale_days(domain, RAW_INPUTS))
        days |= stale_feature_days(FeatureDays(catalog.connection, domain.name))
        if replay:
            days |= set(catalog.quarantined_days(domain.name, RAW_INPUTS))
    return contiguous_ranges(days, LARGEST_GAP_DAYS)


def assets_with_input(workspace: Workspace, domain: Domain) -> list[dg.AssetKey]:
    """The assets that have something to do: those of tables that were ever handed in, what is made of them, and the views."""
    with workspace.catalog() as catalog:
        landed = catalog.landed_tables(domain.name)
    keys = [asset_key(domain, "extract", table.name) for table in domain.raw_tables if table.name in landed]
    if landed & {LOGS.name, SALES.name}:
        keys += [asset_key(domain, "extract", table.name) for table in (TRANSFERS, MARKET_SALES)]
    keys += [
        asset_key(domain, "validate", table.name) for table in domain.validated_tables if landed & set(RAW_INPUTS[table.name])
    ]
    if landed & set(RAW_INPUTS[TRANSACTIONS.name]):
        names = [*(observing.name for observing in OBSERVING), *(family.name for family in (*FAMILIES, FEATURES))]
        keys += [asset_key(domain, "feature", name) for name in names]
        keys += scoring_assets(workspace, domain)
    return keys + [asset_key(domain, "view", view.name) for view in views_of(domain)]


def scoring_assets(workspace: Workspace, domain: Domain) -> list[dg.AssetKey]:
    """The assets that score, and that watch what was scored, of the models of which a version is in use."""
    with workspace.catalog() as catalog:
        used = champions_of(catalog.connection, domain.name)
    scored = [scoring.table.name for scoring in SCORINGS if scoring.model.name in used]
    watched = [f"{scoring.model.name}_watch" for scoring in SCORINGS if scoring.model.name in used]
    over_windows = [learning.model.table.name for learning in WINDOW_LEARNINGS if learning.model.name in used]
    return [asset_key(domain, "score", name) for name in (*scored, *watched, *over_windows)]


def take_increments(workspace: Workspace, domain: Domain, progress: Console) -> None:
    """Land what the live sources have that was not landed, and record it in Dagster beside its own runs.

    Raises:
        BadInputError: a source's settings do not serve.
        UnavailableError: a source does not answer; what was landed before stays.
        PublishRefusedError: what was landed contradicts itself.
    """
    for source in LIVE_SOURCES:
        with progress.step(f"extract from the {source.name}"):
            facts = source.take(workspace, lambda message: None)
        with dagster_instance(workspace) as instance:
            key = source.key(domain)
            instance.report_runless_asset_event(dg.AssetMaterialization(key, metadata=metadata(facts)))
            for result in check_results(source, facts):
                instance.report_runless_asset_event(check_evaluation(key, result))
        progress.say(f"{source.name}: {facts.summary}")
        for warning in facts.warnings:
            progress.say(f"  warning: {redacted(warning)}")
        for name, objections in facts.objections.items():
            if objections:
                raise PublishRefusedError(f"what was taken from the {source.name} fails the check {name}: {objections[0]}")


def work_out(workspace: Workspace, domain: Domain, days: DayRange | None, progress: Console, *, replay: bool = False) -> None:
    """Run the ETL of some days, or of all that are stale, until nothing follows from it any more; then bring views up to date.

    Raises:
        PublishRefusedError: a run failed.
    """
    ranges = [days] if days is not None else stale_ranges(workspace, domain, replay=replay)
    if not ranges:
        progress.say("every day is up to date: nothing to work out")
    for _ in range(LONGEST_CHAIN):
        nights = []
        for wanted in ranges:
            progress.say(f"working out {wanted}")
            with progress.step(f"run {wanted}"):
                nights.append(run_etl(workspace, domain, wanted, progress))
        refuse_failures(nights)
        # Rows that came late can change other days, which are noted while they are published.
        ranges = stale_ranges(workspace, domain) if days is None else []
        if not ranges:
            break
    if days is None:
        refuse_failures(list(_score_the_rest(workspace, domain, progress)))
    refresh_views(workspace, domain, progress)


def refresh_views(workspace: Workspace, domain: Domain, progress: Progress) -> None:
    """Refresh what reads something new: a run that was killed after its last publication has left views behind."""
    for view in outdated_views(workspace, domain):
        with progress.step(f"refresh {view.name}"):
            bring_up_to_date(workspace, domain, view)


def _score_the_rest(workspace: Workspace, domain: Domain, progress: Console) -> Iterator[Night]:
    """Days of features that a champion could score and has not, such as those before it was trained."""
    with workspace.catalog() as catalog:
        days = {day for one, scoring in LEARNINGS for day in unscored_days(catalog.connection, one, scoring)}
        days |= {day for one in WINDOW_LEARNINGS for day in unscored_window_days(catalog.connection, one)}
    for wanted in contiguous_ranges(days, LARGEST_GAP_DAYS):
        with progress.step(f"score {wanted}"):
            yield run_etl(workspace, domain, wanted, progress, scoring_assets(workspace, domain))


def train(workspace: Workspace, domain: Domain, progress: Console) -> None:
    """Train the models of a domain, write their reports, and score the days that new champions have not learned from.

    Raises:
        PublishRefusedError: the run failed, such as on a leak.
    """
    with progress.step("train"):
        result = _run(workspace, training_job_name(domain), progress)
    if not result.succeeded:
        raise PublishRefusedError(f"the training failed: {result.failures[0]} (run {result.run_id[:8]})")
    for name in MODEL_NAMES:
        progress.say(f"{name}: {outcome(workspace, domain, name) or 'never trained'}")
    refuse_failures(list(_score_the_rest(workspace, domain, progress)))
    refresh_views(workspace, domain, progress)


def run_etl(
    workspace: Workspace, domain: Domain, days: DayRange, progress: Progress, assets: Sequence[dg.AssetKey] | None = None
) -> Night:
    """Materialize the ETL, or some assets of it, for some days in this process, recorded in Dagster like any other run."""
    selected = assets_with_input(workspace, domain) if assets is None else assets
    return replace(_run(workspace, etl_job_name(domain), progress, range_tags(days), selected), days=days)


def _run(
    workspace: Workspace,
    job_name: str,
    progress: Progress,
    tags: Mapping[str, str] | None = None,
    assets: Sequence[dg.AssetKey] | None = None,
) -> Night:
    workspace.progress = progress
    definitions = build_defs({"workspace": workspace}, workspace.settings)
    job = definitions.resolve_job_def(job_name)
    with dagster_instance(workspace) as instance:
        result = job.execute_in_process(
            instance=instance,
            tags=dict(tags or {}),
            asset_selection=assets,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        failures = tuple(_failures(result))
        disagreements = tuple(_disagreements(result))
    return Night(None, result.run_id, result.success, failures, disagreements)


def _failures(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            said = failure.user_failure_data.description if failure.user_failure_data else None
            yield redacted(said or f"{event.step_key}: {_reason(failure.error)}")


def _reason(error: SerializableErrorInfo | None) -> str:
    """The innermost cause of a failed step in one line; the whole story is in Dagster."""
    if error is None:
        return "the step did not say why"
    while error.cause is not None:
        error = error.cause
    return " ".join(error.message.split())


def _disagreements(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.get_asset_check_evaluations():
        if SECOND_OPINION in event.metadata:
            said = str(event.metadata[SECOND_OPINION].value)
            yield f"{event.asset_key.to_user_string()}: {event.check_name}: {redacted(said)}"


@contextmanager
def dagster_instance(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    """The deployment's own Dagster instance, with connections that are kept open."""
    home = prepare_dagster_home(workspace)
    os.environ.setdefault(EVENT_BATCH_VARIABLE, EVENT_BATCH_SIZE)
    places = {**storage_at(workspace.server.dagster), **compute_logs_at(home)}
    reference = InstanceRef.from_dir(str(home), overrides=places)
    with dg.DagsterInstance.from_ref(reference) as instance:
        # By default the storage connects anew for every event, which takes longer than most steps.
        instance.optimize_for_webserver(statement_timeout=600_000, pool_recycle=3600, max_overflow=5)
        yield instance


def prepare_dagster_home(workspace: Workspace) -> Path:
    """The folder of Dagster's own files, with the committed configuration in it."""
    _ = workspace.server
    home = workspace.settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REPOSITORY / "dagster.yaml", home / "dagster.yaml")
    return home


def refuse_failures(nights: Sequence[Night]) -> None:
    """Raise what went wrong in any of the runs.

    Raises:
        PublishRefusedError: a run failed; names the first failure and where to look.
    """
    for night in nights:
        if not night.succeeded:
            reason = night.failures[0] if night.failures else "no step said why"
            raise PublishRefusedError(
                f"the run of {night.days} failed: {reason} (run {night.run_id[:8]}; see it with 'ticketintel up')"
            )


def requested_days(first: str | None, last: str | None, first_day: date = FIRST_DAY) -> DayRange | None:
    """The days that a person asked for, if any.

    Raises:
        BadInputError: one of them is not a day, they are in the wrong order, or there is no such partition.
    """
    if first is None and last is None:
        return None
    try:
        start = date.fromisoformat(first or last or "")
        end = date.fromisoformat(last or first or "")
    except ValueError as error:
        raise BadInputError(f"--from and --to take days as YYYY-MM-DD ({error})") from error
    if end < start:
        raise BadInputError(f"--to {end} lies before --from {start}")
    if start < first_day or end > datetime.now(UTC).date():
        raise BadInputError(f"days run from {first_day} (TICKETINTEL_FIRST_DAY) to today; {start} to {end} is not among them")
    return DayRange(start, end)


__all__ = ["TICKETING", "Night", "refuse_failures", "requested_days", "run_etl", "stale_ranges"]
