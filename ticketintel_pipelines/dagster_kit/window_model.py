"""Factories of the assets of a model over windows: the model, its report, and the rows it scores."""

from typing import Any

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.dagster_kit.metadata import column_schema, part_preview
from ticketintel_pipelines.dagster_kit.model import reported
from ticketintel_pipelines.dagster_kit.partitions import wanted_days
from ticketintel_pipelines.stages.score import SCORE_STAGE
from ticketintel_pipelines.stages.window_learning import WindowLearned, WindowLearning, champion_of, learn, write_report
from ticketintel_pipelines.stages.window_score import score_days
from ticketintel_pipelines.stages.workspace import Workspace


def window_model_assets(learning: WindowLearning, partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The model, its report and its rows."""
    return [_model(learning), _report(learning), _scores(learning, partitions)]


def _reads(learning: WindowLearning) -> list[dg.AssetKey]:
    model = learning.model
    validated = [asset_key(learning.domain, "validate", name) for name in (*model.reads, *model.whole)]
    return [*validated, *(asset_key(learning.domain, "feature", name) for name in dict.fromkeys(model.features.values()))]


def _model(learning: WindowLearning) -> dg.AssetsDefinition:
    model = learning.model

    @dg.asset(
        key=asset_key(learning.domain, "model", model.name),
        deps=_reads(learning),
        description=f"{model.card.purpose} A new version is learned, compared with its baseline ({model.baseline}) on later "
        "days, registered, and used from then on unless it is worse.",
        group_name=learning.domain.name,
        owners=OWNERS["model"],
        tags=stage_tags("model"),
        kinds={"python", "duckdb"},
    )
    def trained_model(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        with workspace.progress.step(f"train {model.name}"):
            learned = learn(workspace, learning, run_id=context.run_id, progress=context.log.info)
        context.log.info(learned.words)
        return dg.MaterializeResult(metadata=_learned(learning, learned))

    return trained_model


def _report(learning: WindowLearning) -> dg.AssetsDefinition:
    model = learning.model

    @dg.asset(
        key=asset_key(learning.domain, "report", model.name),
        deps=[asset_key(learning.domain, "model", model.name)],
        description=f"Report on the newest version of the model {model.name}: what it was compared with and what it found, as "
        "one HTML page.",
        group_name=learning.domain.name,
        owners=OWNERS["report"],
        tags=stage_tags("report"),
        kinds={"html"},
    )
    def report(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        with workspace.progress.step(f"report on {model.name}"):
            return dg.MaterializeResult(metadata=reported(write_report(workspace, learning)))

    return report


def _scores(learning: WindowLearning, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    model = learning.model

    @dg.asset(
        key=asset_key(learning.domain, "score", model.table.name),
        deps=[*_reads(learning), asset_key(learning.domain, "model", model.name)],
        description=f"{model.table.description} Scored is {model.scored.value}. In the lake and in Postgres.",
        group_name=learning.domain.name,
        owners=OWNERS["score"],
        tags=stage_tags("score"),
        kinds={"postgres", "parquet"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": column_schema(model.table)},
    )
    def scores(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        days = wanted_days(context)
        with workspace.progress.step(f"score {model.table.name}"):
            report = score_days(workspace, learning, champion_of(workspace, learning), days, run_id=context.run_id)
        parts = workspace.lake(learning.domain).parts(SCORE_STAGE, model.table.name, days.days)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(report.rows_by_day.values()),
                "champion": report.champion or "no version was promoted yet: nothing is scored",
                "rows_scored": sum(report.scored.values()),
                "days_scored": len(report.scored),
                "preview": dg.MetadataValue.md(part_preview(model.table, parts[-1] if parts else None)),
            }
        )

    return scores


def _learned(learning: WindowLearning, learned: WindowLearned) -> dict[str, Any]:
    from ticketintel_pipelines.learning.assessment_report import summary

    if learned.version is None or learned.assessment is None:
        return {"outcome": learned.words}
    return {
        "outcome": learned.words,
        "version": learned.version,
        "promoted": learned.promoted,
        "learned_from": f"{learned.rows:,} rows of {learned.days}",
        "figures": dg.MetadataValue.md(summary(learning.model, learned.assessment)),
    }
