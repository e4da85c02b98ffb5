"""Train a model over windows: a version from what is known by now, compared with its baseline, kept, and promoted.

Missing tables, or too little in them, leave a model untrained with the reason said: no failure.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.assessment import Assessment, Learnt
from ticketintel_pipelines.learning.assessment_file import load_assessment, save_assessment
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.promotion import Verdict
from ticketintel_pipelines.learning.window_model import WindowModel
from ticketintel_pipelines.stages.evidence import evidence_folder, keep_outcome
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.learning import settle
from ticketintel_pipelines.stages.report import PAGE, Reported
from ticketintel_pipelines.stages.window import open_window
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse import model_registry
from ticketintel_pipelines.warehouse.feature_days import FeatureDays
from ticketintel_pipelines.warehouse.frozen import first_workable

ASSESSMENT_FILE = "assessment.json"


@dataclass(frozen=True)
class WindowLearning:
    """A model over windows in its domain; `columns` are names and DuckDB types of the tables of the stage `feature`."""

    domain: Domain
    model: WindowModel
    columns: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Champion:
    """The version that scores: its files, verified, and the last day it has learned from."""

    version: str
    files: Mapping[str, bytes]
    last_day: date


@dataclass(frozen=True)
class WindowLearned:
    """What came of a training. `version` is None where nothing was trained, and `words` say why."""

    words: str
    version: str | None = None
    promoted: bool = False
    rows: int = 0
    days: DayRange | None = None
    assessment: Assessment | None = None


def champion_of(workspace: Workspace, learning: WindowLearning) -> Champion | None:
    """The version that scores; None before the first promotion.

    Raises:
        DamagedModelError: a file of it is missing or was changed.
    """
    from ticketintel_pipelines.learning.registry import Registry

    with workspace.catalog() as catalog:
        version = model_registry.champion_of(catalog.connection, learning.domain.name, learning.model.name)
    if version is None:
        return None
    manifest, files = Registry(workspace.models, learning.domain.name).read(learning.model.name, version)
    return Champion(version, files, manifest.data.last_day)


def learn(
    workspace: Workspace, learning: WindowLearning, *, run_id: str, progress: Callable[[str], None] = lambda message: None
) -> WindowLearned:
    """Train a version on the newest days, keep it with what it was judged by, and promote it unless it is worse."""
    try:
        learned = _learn(workspace, learning, run_id, progress)
    except TooFewExamplesError as error:
        learned = WindowLearned(f"not trained: {error}")
    keep_outcome(workspace, learning.domain, learning.model.name, learned.version, learned.words)
    return learned


def judge(assessment: Assessment) -> Verdict:
    """Whether a version scores from now on: one that is worse than its baseline, beyond chance, does not."""
    from ticketintel_pipelines.learning.assessment_report import in_words

    if not assessment.comparisons:
        return Verdict(True, f"promoted: nothing is known to judge it by; {assessment.words}")
    first = assessment.comparisons[0]
    return Verdict(not first.loses, f"{'not promoted' if first.loses else 'promoted'}: {in_words(first)}")


def content_by_day(connection: psycopg.Connection, learning: WindowLearning) -> dict[date, str]:
    """What each day holds of the tables that the model reads, as one text a day; days without any rows are left out."""
    model = learning.model
    records = FeatureDays(connection, learning.domain.name)
    days = records.published((*model.reads, *model.whole))
    for name in dict.fromkeys(model.features.values()):
        for day, figures in records.of(name).items():
            if figures.rows:
                days.setdefault(day, {})[f"feature {name}"] = figures.content_hash
    return {day: "|".join(f"{name}={contents[name]}" for name in sorted(contents)) for day, contents in sorted(days.items())}


def days_with_input(connection: psycopg.Connection, learning: WindowLearning) -> set[date]:
    """Days that hold rows of the tables without which there is nothing to learn from or to score.

    Those whose rows retention has taken away hold none, though what was published of them is still on record.
    """
    model = learning.model
    records = FeatureDays(connection, learning.domain.name)
    needed = model.needs or model.reads
    wanted = [name for name in needed if name not in model.whole] or [*needed]
    days = set(records.published([name for name in wanted if name not in model.features]))
    for view in wanted:
        if view in model.features:
            days |= {day for day, figures in records.of(model.features[view]).items() if figures.rows}
    held = first_workable(records.retained_from(), "", stored_as(model, wanted), 0)
    return {day for day in days if held is None or day >= held}


def stored_as(model: WindowModel, views: Iterable[str]) -> list[str]:
    """The names under which retention knows the tables behind some views of a model."""
    return [f"{FEATURE_STAGE}/{model.features[view]}" if view in model.features else view for view in views]


def _learn(workspace: Workspace, learning: WindowLearning, run_id: str, progress: Callable[[str], None]) -> WindowLearned:
    model = learning.model
    with workspace.catalog() as catalog:
        content = content_by_day(catalog.connection, learning)
        present = days_with_input(catalog.connection, learning)
    if not present:
        raise TooFewExamplesError(f"{model.name}: no {' and '.join(model.needs or model.reads)} were published yet")
    last = max(present) - timedelta(days=model.held_back_days)
    first = max(min(present), last - timedelta(days=model.learn_days - 1))
    if last < first:
        raise TooFewExamplesError(
            f"{model.name}: the history is {(max(present) - min(present)).days + 1} days long; the newest "
            f"{model.held_back_days} are held back for scoring"
        )
    days = DayRange(first, last)
    before = _before(workspace, learning, progress)
    with workspace.engine() as engine:
        window = open_window(
            engine,
            workspace.lake(learning.domain),
            learning.domain,
            model,
            days,
            learning.columns,
            workspace.truth(learning.domain),
            before.files if before else None,
        )
        missing = sorted(set(model.needs) & window.empty)
        if missing:
            raise TooFewExamplesError(f"{model.name}: there are no rows of {', '.join(missing)}, without which it cannot learn")
        learnt = model.learn(window, model.seed)
    progress(f"learned from {learnt.rows:,} rows of {days}")
    version = _keep(workspace, learning, learnt, days, {day: content[day] for day in content if day in days}, run_id)
    verdict = judge(learnt.assessment)
    with workspace.catalog() as catalog:
        # A version that is there already was settled when it was made.
        verdict = settle(catalog.connection, learning.domain.name, model.name, version, verdict)
    return WindowLearned(verdict.because, version, verdict.promoted, learnt.rows, days, learnt.assessment)


def _before(workspace: Workspace, learning: WindowLearning, progress: Callable[[str], None]) -> Champion | None:
    """The version that scores, which a new one may go on from; None where it is damaged: only a new version can mend that."""
    from ticketintel_pipelines.learning.registry import DamagedModelError

    try:
        return champion_of(workspace, learning)
    except DamagedModelError as error:
        progress(f"there is no champion to go on from: {error}")
        return None


def _keep(
    workspace: Workspace, learning: WindowLearning, learnt: Learnt, days: DayRange, content: Mapping[date, str], run_id: str
) -> str:
    from ticketintel_pipelines.learning.manifest import Code, File, Manifest, Snapshot, feature_schema
    from ticketintel_pipelines.learning.registry import Registry

    model = learning.model
    snapshot = Snapshot.of(content, learnt.rows, 0)
    manifest = Manifest(
        model=model.name,
        kind=model.kind,
        files={name: File.of(file) for name, file in learnt.files.items()},
        features=tuple(sorted({*model.reads, *model.whole, *model.features})),
        feature_schema=feature_schema(model.table.columns),
        calibration=None,
        estimator={"name": model.kind},
        data=snapshot,
        code=Code.now(*model.sources),
        seed=model.seed,
        metrics=learnt.assessment.figures,
        trained_at=datetime.combine(days.last + timedelta(days=1), datetime.min.time(), UTC),
    )
    Registry(workspace.models, learning.domain.name).keep(manifest, learnt.files)
    folder = evidence_folder(workspace, learning.domain, model.name, manifest.version)
    folder.mkdir(parents=True, exist_ok=True)
    save_assessment(folder / ASSESSMENT_FILE, learnt.assessment)
    with workspace.catalog() as catalog:
        model_registry.record_version(
            catalog.connection, learning.domain.name, model.name, manifest.version, manifest.content, run_id
        )
    return manifest.version


def write_report(workspace: Workspace, learning: WindowLearning) -> Reported:
    """Render the page of the newest version into its folder."""
    from ticketintel_pipelines.learning.assessment_report import render_assessment, summary
    from ticketintel_pipelines.learning.report_layout import Section

    model = learning.model
    with workspace.catalog() as catalog:
        versions = model_registry.versions_of(catalog.connection, learning.domain.name, model.name)
    if not versions:
        return Reported("no version was trained yet: there is nothing to report on")
    newest = versions[0]
    folder = evidence_folder(workspace, learning.domain, model.name, newest.version)
    assessment = load_assessment(folder / ASSESSMENT_FILE)
    data = newest.manifest["data"]
    made_of = Section(
        "Version",
        (
            f"Version {newest.version}, learned from {data['rows']:,} rows of {data['first_day']} to {data['last_day']}.",
            newest.note or "Not judged yet.",
        ),
    )
    page = folder / PAGE
    beside = page.with_suffix(".unfinished")
    beside.write_text(render_assessment(model, assessment, (made_of,)))
    beside.replace(page)
    return Reported(newest.note or "kept", page, summary(model, assessment))
