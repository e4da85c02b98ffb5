"""Factories of a model's assets: the model itself, its report, its scores, and what is watched of it."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.dagster_kit.metadata import markdown_table
from ticketintel_pipelines.dagster_kit.model_stages import page_asset, scoring_asset, training_asset
from ticketintel_pipelines.dagster_kit.partitions import wanted_days
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.learning import Learned, Learning, champion_of, learn
from ticketintel_pipelines.stages.report import write_report
from ticketintel_pipelines.stages.score import Scoring, decisions_in_words, score_days
from ticketintel_pipelines.stages.watch import watch
from ticketintel_pipelines.stages.workspace import Workspace

SHOWN_DRIFTS = 14
WATCHED = dg.TableSchema(
    columns=[
        dg.TableColumn("day", "date", "Day that was scored."),
        dg.TableColumn("feature", "text", "Feature, or the score."),
        dg.TableColumn("kl_divergence", "double precision", "Of the day from the reference, in nats."),
        dg.TableColumn("mean_shift", "double precision", "Change of the mean as a share of the reference's."),
        dg.TableColumn("statistic", "double precision", "The one that is nearest to its threshold, or furthest over it."),
        dg.TableColumn("threshold", "double precision", "What chance, and what is usual between days, explains."),
        dg.TableColumn("drifted", "boolean", "Whether the statistic is over the threshold."),
    ]
)


def model_asset(learning: Learning, upstream: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The model: trained on what is known by now, judged on days it had not seen, promoted if it is better."""

    def train(workspace: Workspace, run_id: str, progress: Callable[[str], None]) -> Learned:
        return learn(workspace, learning, run_id=run_id, progress=progress)

    return training_asset(
        learning.domain,
        learning.model.name,
        train,
        _learned,
        upstream=upstream,
        description=f"{learning.model.card.purpose} A new version is trained, tested for leaks, judged on later days, "
        "registered, and promoted if it beats the champion.",
        kinds={"xgboost"},
    )


def report_asset(learning: Learning) -> dg.AssetsDefinition:
    """The page on the version that was trained last."""
    return page_asset(
        learning.domain,
        learning.model.name,
        lambda workspace: write_report(workspace, learning),
        "figures with intervals, costs, slices, importances and what was excluded",
    )


def score_asset(learning: Learning, scoring: Scoring, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The champion's scores, by day."""

    def score(workspace: Workspace, days: DayRange, run_id: str) -> dict[str, Any]:
        with workspace.progress.step(f"score {scoring.table.name}"):
            report = score_days(workspace, scoring, champion_of(workspace, learning), days, run_id=run_id)
        names = [decision.name for decision in scoring.model.decisions]
        words = "no version of the model was promoted yet: nothing is scored" if report.champion is None else report.champion
        return {
            "dagster/row_count": sum(report.rows_by_day.values()),
            "champion": words,
            "rows_scored": sum(report.scored.values()),
            "rows_kept": report.kept,
            "decisions": decisions_in_words(report, names),
            "days_learned_from_and_not_scored": len(report.learned_from),
        }

    return scoring_asset(
        scoring.domain,
        scoring.table,
        score,
        partitions,
        upstream=[
            asset_key(scoring.domain, "feature", scoring.features),
            asset_key(scoring.domain, "model", scoring.model.name),
        ],
        description=scoring.table.description,
        kinds={"xgboost"},
    )


def watch_asset(learning: Learning, scoring: Scoring, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Drift of the scored days, and performance as labels arrive."""

    @dg.asset(
        key=asset_key(scoring.domain, "score", f"{scoring.model.name}_watch"),
        deps=[asset_key(scoring.domain, "score", scoring.table.name)],
        description="How far the scored days lie from what the model learned from, and by week what it found of the fraud that "
        "became known; a sensor trains anew when either calls for it.",
        group_name=scoring.domain.name,
        owners=OWNERS["score"],
        tags=stage_tags("score"),
        kinds={"postgres"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": WATCHED, "dagster/table_name": "ops.model_drift"},
    )
    def watched(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        days = wanted_days(context)
        with workspace.progress.step(f"watch {scoring.model.name}"):
            report = watch(workspace, learning, scoring, days)
        drifts = [(day, ", ".join(names) or "none") for day, names in sorted(report.drifted.items())][-SHOWN_DRIFTS:]
        weeks = [
            (week.week, f"{week.rows:,}", week.known_positives, week.found_positives, week.false_alarms)
            for week in report.weeks
        ]
        header = ("week of", "rows", "known positives", "found", "false alarms")
        return dg.MaterializeResult(
            metadata={
                "days_measured": len(report.drifted),
                "drift": dg.MetadataValue.md(markdown_table(("day", "drifted"), drifts)),
                "performance": dg.MetadataValue.md(markdown_table(header, weeks)),
                "left_out": "; ".join(f"{day}: {words}" for day, words in report.left_out.items()) or "none",
            }
        )

    return watched


def _learned(learned: Learned) -> dict[str, Any]:
    if learned.version is None:
        return {"outcome": learned.words}
    cautions = [(one.what, one.words) for one in learned.cautions] or [("nothing", "")]
    findings = [(name, "passed" if passed else "failed", words) for name, passed, words in learned.findings]
    return {
        "outcome": learned.words,
        "version": learned.version,
        "promoted": learned.promoted,
        "estimator": learned.estimator,
        "learned_from": f"{learned.rows:,} rows of {learned.first_day} to {learned.last_day}, {learned.positives:,} positives",
        "figures": dg.MetadataValue.md(learned.figures),
        "leak_battery": dg.MetadataValue.md(markdown_table(("test", "result", "words"), findings)),
        "for_a_person": dg.MetadataValue.md(markdown_table(("what", "words"), cautions)),
        "search": dg.MetadataValue.md(
            markdown_table(("tried", "average precision"), [(name, f"{value:.3f}") for name, value in learned.trials])
        ),
    }
