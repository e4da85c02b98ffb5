"""Report: the page on the version of a model that was trained last, from the rows it was tested on."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ticketintel_pipelines.day_numbers import day_number
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.examples import DAY, TooFewExamplesError
from ticketintel_pipelines.learning.splits import training_rows
from ticketintel_pipelines.stages.evidence import evidence_folder
from ticketintel_pipelines.stages.learning import (
    BATTERY_FILE,
    CAUTIONS_FILE,
    TESTED_FILE,
    Learning,
)
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse import model_registry

if TYPE_CHECKING:
    from ticketintel_pipelines.learning.manifest import Snapshot
    from ticketintel_pipelines.learning.report_layout import Addition

PAGE = "report.html"


@dataclass(frozen=True)
class Reported:
    """The page, or why there is none."""

    words: str
    path: Path | None = None
    summary: str = ""


def write_report(workspace: Workspace, learning: Learning) -> Reported:
    """Render the page of the newest version into its folder."""
    from ticketintel_pipelines.learning.evaluation import evaluate
    from ticketintel_pipelines.learning.registry import Registry
    from ticketintel_pipelines.learning.report import render, summary
    from ticketintel_pipelines.learning.tested_file import load_tested

    names = (learning.domain.name, learning.model.name)
    with workspace.catalog() as catalog:
        versions = model_registry.versions_of(catalog.connection, *names)
    if not versions:
        return Reported("no version was trained yet: there is nothing to report on")
    newest = versions[0]
    registered = Registry(workspace.models, learning.domain.name).load(learning.model.name, newest.version)
    folder = evidence_folder(workspace, learning.domain, learning.model.name, newest.version)
    evaluation = evaluate(learning.model, load_tested(folder / TESTED_FILE))
    page = folder / PAGE
    additions = [
        ("Promotion", (), (), newest.note or "not judged yet"),
        _battery(folder / BATTERY_FILE),
        _cautions(folder / CAUTIONS_FILE),
        _imbalance(workspace, learning, registered.manifest.data),
    ]
    beside = page.with_suffix(".unfinished")
    beside.write_text(render(evaluation, additions))
    beside.replace(page)
    return Reported(newest.note or "kept", page, summary(evaluation))


def _battery(file: Path) -> "Addition":
    findings = json.loads(file.read_text())
    rows = [
        (one["name"], f"{one['figure']:.4g}", f"{one['bound']:.4g}", "passed" if one["passed"] else "failed", one["words"])
        for one in findings
    ]
    return ("Tests for leaks", ("test", "figure", "bound", "result", "what it means"), rows, "A failure stops the training.")


def _cautions(file: Path) -> "Addition":
    rows = [(one["what"], one["words"]) for one in json.loads(file.read_text())]
    words = "For a person to look at; nothing was taken out of the training data." if rows else "Nothing stands out."
    return ("Signs of poisoned training data", ("what", "words"), rows, words)


def _imbalance(workspace: Workspace, learning: Learning, data: "Snapshot") -> "Addition":
    """What resampling and weights would have done on the training rows of the version."""
    from ticketintel_pipelines.learning.imbalance import study_imbalance

    title = "What to do about rare positives"
    header = (
        "treatment",
        "calibrated",
        "average precision",
        "Brier score",
        "calibration error",
        "rows learned from",
        "positives",
    )
    days = DayRange(data.first_day, data.last_day + timedelta(days=learning.model.split.delay_days))
    examples = learning.examples(workspace, days, days.last)
    past_day = day_number(days.last) + 1
    rows = training_rows(examples, replace(learning.model.split, train_days=len(days.days)), past_day)
    try:
        study = study_imbalance(learning.model, examples, rows, past_day * DAY)
    except TooFewExamplesError as error:
        return (title, header, (), f"Not studied: {error}.")
    table = [
        (
            one.name,
            "yes" if one.calibrated else "no",
            f"{one.average_precision:.3f}",
            f"{one.brier:.5f}",
            f"{one.calibration_error:.5f}",
            f"{one.rows:,}",
            f"{one.positives:,}",
        )
        for one in study.treatments
    ]
    skipped = [f"{name} was skipped: {why}." for name, why in study.skipped.items()]
    return (title, header, table, " ".join([*study.words, *skipped]))
