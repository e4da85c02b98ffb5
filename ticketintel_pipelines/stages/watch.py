"""Watch: does what is scored still look like what the model learned from, and does the model still find what becomes known?

A column has drifted if chance does not explain how far it lies from the reference, nor does what is usual between one day and
others (`learning/usual.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.day_numbers import day_of
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.examples import DAY
from ticketintel_pipelines.learning.matrix import matrix
from ticketintel_pipelines.learning.metrics import average_precision
from ticketintel_pipelines.learning.usual import independent
from ticketintel_pipelines.stages.evidence import evidence_folder
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.learning import REFERENCE_FILE, USUAL_FILE, Learning
from ticketintel_pipelines.stages.score import SCORE_STAGE, Scoring
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.feature_days import FeatureDays
from ticketintel_pipelines.warehouse.model_watch import DriftRow, ModelWatch, Performance

WATCHED_DAYS = 31
PERFORMANCE_WEEKS = 10
"""So many weeks are measured again as labels arrive; later ones hardly ever come."""


@dataclass
class WatchReport:
    """Days whose drift was measured, with what drifted; and weeks whose performance was."""

    drifted: dict[date, tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[date, str] = field(default_factory=dict)
    weeks: list[Performance] = field(default_factory=list)


def watch(workspace: Workspace, learning: Learning, scoring: Scoring, days: DayRange) -> WatchReport:
    """Measure the drift of the scored days among some, and the performance of the weeks whose labels may have changed."""
    report = WatchReport()
    with workspace.catalog() as catalog:
        records = FeatureDays(catalog.connection, scoring.domain.name)
        described = records.of(scoring.features)
        # A day whose features have changed since is measured once it was scored again.
        scored = {
            day: figures
            for day, figures in records.of(scoring.table.name).items()
            if figures.rows and day in described and described[day].content_hash == figures.inputs_hash
        }
        kept = ModelWatch(catalog.connection, scoring.domain.name, scoring.model.name)
        for day in [day for day in days.days if day in scored][-WATCHED_DAYS:]:
            if kept.measured(day) != scored[day].content_hash:
                _measure_day(workspace, learning, scoring, kept, day, scored[day].content_hash, report)
        _measure_weeks(workspace, learning, scoring, kept, sorted(scored), report)
    return report


def _measure_day(
    workspace: Workspace,
    learning: Learning,
    scoring: Scoring,
    kept: ModelWatch,
    day: date,
    content: str,
    report: WatchReport,
) -> None:
    from ticketintel_pipelines.learning.drift import Reference, measure_drift

    by_id = _scores(workspace, scoring, day)
    versions = [version for _, version in by_id.values()]
    version = max(sorted(set(versions)), key=versions.count)
    folder = evidence_folder(workspace, learning.domain, learning.model.name, version)
    if not (folder / REFERENCE_FILE).exists():
        report.left_out[day] = f"the reference of version {version} is not in {folder}"
        return
    reference = Reference.from_json((folder / REFERENCE_FILE).read_text())
    usual = _usual(folder)
    described = _features(workspace, scoring, day, reference.names)
    features, at = matrix(described, reference.names), described["seen"].to_numpy()
    rows = independent(features, at)
    scores = np.array([by_id[key][0] for key in described["transaction_id"].to_pylist()])
    found = measure_drift(reference, features[rows], scores[rows])
    measured = []
    for column in found.columns:
        threshold = None if column.threshold is None else column.threshold * max(1.0, usual.get(column.name, 1.0))
        over = threshold is not None and column.statistic is not None and column.statistic > threshold
        row = DriftRow(column.name, column.kl, column.mean_shift, column.kind, column.statistic, threshold, over)
        measured.append(row)
    kept.record_drift(day, version, len(rows), content, measured)
    report.drifted[day] = tuple(row.feature for row in measured if row.drifted)


def _usual(folder: Path) -> dict[str, float]:
    path = folder / USUAL_FILE
    found: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _features(workspace: Workspace, scoring: Scoring, day: date, names: Sequence[str]) -> pa.Table:
    part = workspace.lake(scoring.domain).part(FEATURE_STAGE, scoring.features, day)
    return pq.read_table(part, columns=["transaction_id", "seen", *names], partitioning=None)


def _scores(workspace: Workspace, scoring: Scoring, *days: date) -> dict[str, tuple[float, str]]:
    """Score and version by transaction, of some days."""
    found: dict[str, tuple[float, str]] = {}
    for part in workspace.lake(scoring.domain).parts(SCORE_STAGE, scoring.table.name, days):
        rows = pq.read_table(part, columns=[scoring.key, scoring.score, "model_version"], partitioning=None)
        ids, *given = (rows[name].to_pylist() for name in rows.column_names)
        found.update(zip(ids, zip(*given, strict=True), strict=True))
    return found


def _measure_weeks(
    workspace: Workspace, learning: Learning, scoring: Scoring, kept: ModelWatch, scored: Sequence[date], report: WatchReport
) -> None:
    """Once a week, every week that was scored lately is held against the labels known by now."""
    if not scored:
        return
    newest = scored[-1]
    last = kept.labels_until()
    if last is not None and (newest - last).days < 7:
        return
    first = max(scored[0], monday(newest) - timedelta(weeks=PERFORMANCE_WEEKS - 1))
    days = DayRange(first, newest)
    examples = learning.examples(workspace, days, newest)
    scores = _scores(workspace, scoring, *days.days)
    known = np.array([key in scores for key in examples.ids])
    examples = examples.take(known)
    labels = examples.labels((int(examples.day[-1]) + 1) * DAY) if len(examples) else np.empty(0, np.int64)
    values = np.array([scores[key][0] for key in examples.ids])
    mondays = np.array([monday(day_of(int(number))) for number in examples.day])
    for week in np.unique(mondays):
        rows = mondays == week
        held = values[rows] >= scoring.model.operating_threshold
        positive = labels[rows] == 1
        ranking = average_precision(labels[rows], values[rows])
        report.weeks.append(
            Performance(
                week,
                int(rows.sum()),
                int(positive.sum()),
                int((held & positive).sum()),
                int((held & ~positive).sum()),
                None if np.isnan(ranking) else ranking,
            )
        )
    kept.record_performance(report.weeks, newest)


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())
