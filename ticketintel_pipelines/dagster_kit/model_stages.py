"""What the assets of every kind of model share: a version is trained, a page is written on it, and it scores days."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.dagster_kit.metadata import column_schema
from ticketintel_pipelines.dagster_kit.partitions import wanted_days
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.report import Reported
from ticketintel_pipelines.stages.workspace import Workspace


class Outcome(Protocol):
    """What came of a training."""

    @property
    def words(self) -> str: ...


OutcomeT = TypeVar("OutcomeT", bound=Outcome)
Metadata = dict[str, Any]
Train = Callable[[Workspace, str, Callable[[str], None]], OutcomeT]
"""Trains a version in the run of this id, and says how far it is."""
Score = Callable[[Workspace, DayRange, str], Metadata]
"""Scores days in the run of this id; returns what is shown of it."""


def training_asset(
    domain: Domain,
    model: str,
    train: Train[OutcomeT],
    shown: Callable[[OutcomeT], Metadata],
    *,
    upstream: Iterable[dg.AssetKey],
    description: str,
    kinds: set[str],
) -> dg.AssetsDefinition:
    """The model; `shown` makes the metadata of what came of a training."""

    @dg.asset(
        key=asset_key(domain, "model", model),
        deps=list(upstream),
        description=description,
        group_name=domain.name,
        owners=OWNERS["model"],
        tags=stage_tags("model"),
        kinds=kinds,
    )
    def trained_model(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        with workspace.progress.step(f"train {model}"):
            learned = train(workspace, context.run_id, context.log.info)
        context.log.info(learned.words)
        return dg.MaterializeResult(metadata=shown(learned))

    return trained_model


def page_asset(domain: Domain, model: str, write: Callable[[Workspace], Reported], contents: str) -> dg.AssetsDefinition:
    """The page on the version that was trained last; `contents` says what it shows."""

    @dg.asset(
        key=asset_key(domain, "report", model),
        deps=[asset_key(domain, "model", model)],
        description=f"Report on the newest version of the model {model}: {contents}, as one HTML page.",
        group_name=domain.name,
        owners=OWNERS["report"],
        tags=stage_tags("report"),
        kinds={"html"},
    )
    def report(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        with workspace.progress.step(f"report on {model}"):
            found = write(workspace)
        return dg.MaterializeResult(metadata=_reported(found))

    return report


def scoring_asset(
    domain: Domain,
    table: Table,
    score: Score,
    partitions: dg.PartitionsDefinition,
    *,
    upstream: Iterable[dg.AssetKey],
    description: str,
    kinds: set[str],
) -> dg.AssetsDefinition:
    """The rows of a model's table, by day, in the lake and in Postgres."""

    @dg.asset(
        key=asset_key(domain, "score", table.name),
        deps=list(upstream),
        description=f"{description} In the lake and in Postgres.",
        group_name=domain.name,
        owners=OWNERS["score"],
        tags=stage_tags("score"),
        kinds={"postgres", "parquet", *kinds},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": column_schema(table)},
    )
    def scores(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=score(workspace, wanted_days(context), context.run_id))

    return scores


def _reported(found: Reported) -> Metadata:
    if found.path is None:
        return {"outcome": found.words}
    return {
        "outcome": found.words,
        "page": dg.MetadataValue.path(str(found.path)),
        "summary": dg.MetadataValue.md(found.summary),
    }
