"""Factories of the assets of a model over windows: the model, its report, and the rows it scores."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from ticketintel_pipelines.catalog import asset_key
from ticketintel_pipelines.dagster_kit.metadata import part_preview
from ticketintel_pipelines.dagster_kit.model_stages import page_asset, scoring_asset, training_asset
from ticketintel_pipelines.lake.layout import DayRange
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

    def train(workspace: Workspace, run_id: str, progress: Callable[[str], None]) -> WindowLearned:
        return learn(workspace, learning, run_id=run_id, progress=progress)

    return training_asset(
        learning.domain,
        model.name,
        train,
        lambda learned: _learned(learning, learned),
        upstream=_reads(learning),
        description=f"{model.card.purpose} A new version is learned, compared with its baseline ({model.baseline}) on later "
        "days, registered, and used from then on unless it is worse.",
        kinds={"python", "duckdb"},
    )


def _report(learning: WindowLearning) -> dg.AssetsDefinition:
    return page_asset(
        learning.domain,
        learning.model.name,
        lambda workspace: write_report(workspace, learning),
        "what it was compared with and what it found",
    )


def _scores(learning: WindowLearning, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    model = learning.model

    def score(workspace: Workspace, days: DayRange, run_id: str) -> dict[str, Any]:
        with workspace.progress.step(f"score {model.table.name}"):
            report = score_days(workspace, learning, champion_of(workspace, learning), days, run_id=run_id)
        parts = workspace.lake(learning.domain).parts(SCORE_STAGE, model.table.name, days.days)
        return {
            "dagster/row_count": sum(report.rows_by_day.values()),
            "champion": report.champion or "no version was promoted yet: nothing is scored",
            "rows_scored": sum(report.scored.values()),
            "days_scored": len(report.scored),
            "preview": dg.MetadataValue.md(part_preview(model.table, parts[-1] if parts else None)),
        }

    return scoring_asset(
        learning.domain,
        model.table,
        score,
        partitions,
        upstream=[*_reads(learning), asset_key(learning.domain, "model", model.name)],
        description=f"{model.table.description} Scored is {model.scored.value}.",
        kinds=set(),
    )


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
