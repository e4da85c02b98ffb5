"""Model: from a domain's examples to a registered version, judged on days it had not seen, and promoted if it is better.

A history that is too short, or has too few known positives, leaves a model untrained with the reason said: no failure. A leak,
or two forms of the model that disagree, fails the run.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.day_numbers import day_number, day_of
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.examples import DAY, Examples, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.poisoning import LabelEvent
from ticketintel_pipelines.learning.promotion import Verdict
from ticketintel_pipelines.learning.splits import training_rows
from ticketintel_pipelines.learning.tested import CHAMPION, Tested
from ticketintel_pipelines.learning.trained import Trained
from ticketintel_pipelines.stages.evidence import evidence_folder, keep_outcome
from ticketintel_pipelines.stages.guarding import Caution, look_for_poison
from ticketintel_pipelines.stages.score import Champion, Scoring
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse import model_registry
from ticketintel_pipelines.warehouse.feature_days import FeatureDays

AGREEMENT_ROWS = 2_000
TESTED_FILE, EVALUATION_FILE, BATTERY_FILE = "tested.npz", "evaluation.json", "battery.json"
CAUTIONS_FILE = "cautions.json"
REFERENCE_FILE, USUAL_FILE = "reference.json", "usual.json"
REGISTERED_FIGURES = frozenset(
    {"auc_roc", "auc_pr", "precision_at_90_recall", "f1", "false_positive_rate", "detection", "precision", "brier"}
)


@dataclass(frozen=True)
class Learning:
    """A model with where its examples come from.

    `features` is the domain's feature table. `examples` gives the rows of some days with what became known of them up to the
    end of another day. `sources` are folders of code and SQL that make the features: a manifest holds their hash.
    """

    domain: Domain
    model: Model
    features: str
    examples: Callable[[Workspace, DayRange, date], Examples]
    sources: Sequence[Path] = ()
    verdicts: Callable[[Workspace], Sequence[LabelEvent]] = lambda _: ()
    """Every label that a person gave, with who gave it."""


@dataclass(frozen=True)
class Learned:
    """What came of it. `version` is None where nothing was trained, and `words` say why."""

    words: str
    version: str | None = None
    promoted: bool = False
    estimator: str = ""
    rows: int = 0
    positives: int = 0
    first_day: date | None = None
    last_day: date | None = None
    figures: str = ""
    trials: tuple[tuple[str, float], ...] = ()
    findings: tuple[tuple[str, bool, str], ...] = ()
    cautions: tuple[Caution, ...] = ()


def champion_of(workspace: Workspace, learning: Learning) -> Champion | None:
    """The model that scores, its files verified; None before the first promotion.

    Raises:
        DamagedModelError: a file of it is missing or was changed.
        BadInputError: it learned from other features than there are now.
    """
    from ticketintel_pipelines.learning.registry import Registry

    with workspace.catalog() as catalog:
        version = model_registry.champion_of(catalog.connection, learning.domain.name, learning.model.name)
    if version is None:
        return None
    found = Registry(workspace.models, learning.domain.name).load(learning.model.name, version)
    # Features that are new since then do not concern it.
    columns = {column.name: column for column in learning.model.features}
    found.manifest.require_features(columns[name] for name in found.manifest.features if name in columns)
    return Champion(version, found.trained, found.manifest.data.last_day)


def learn(
    workspace: Workspace, learning: Learning, *, run_id: str, progress: Callable[[str], None] = lambda message: None
) -> Learned:
    """Train a new version on what is known by the newest day of features, judge it, keep it, and promote it if it is better.

    Raises:
        LeakError: the model learns from what it could not know.
        FormatsDisagreeError: its two forms do not give the same predictions.
    """
    try:
        learned = _learn(workspace, learning, run_id, progress)
    except TooFewExamplesError as error:
        learned = Learned(f"not trained: {error}")
    keep_outcome(workspace, learning.domain, learning.model.name, learned.version, learned.words)
    return learned


def _learn(workspace: Workspace, learning: Learning, run_id: str, progress: Callable[[str], None]) -> Learned:
    from ticketintel_pipelines.learning.evaluation import evaluate
    from ticketintel_pipelines.learning.leaks import raise_failures, run_battery
    from ticketintel_pipelines.learning.report import summary
    from ticketintel_pipelines.learning.search import search_before_tests
    from ticketintel_pipelines.learning.training import described, test_prequentially, train

    content = _content(workspace, learning)
    model = learning.model
    if not content:
        raise TooFewExamplesError(f"{model.name}: there are no transactions with features yet; run the ETL first")
    newest = max(content)
    past_day = day_number(newest) + 1
    split = model.split
    reach = split.train_days + split.delay_days + split.folds * split.test_days + split.settle_days
    days = DayRange(max(min(content), newest - timedelta(days=reach)), newest)
    model = replace(model, split=split.over(len(days.days)))
    examples = described(learning.examples(workspace, days, newest), model.feature_names)
    progress(f"{len(examples):,} examples of {days}")

    findings = run_battery(model, examples, past_day, ceiling(model, examples, past_day))
    raise_failures(findings)
    search = search_before_tests(model, examples, past_day)
    model = replace(model, estimator=search.chosen)
    progress(f"no leak found; going on with {search.chosen}")
    champion = _rival(workspace, learning, progress)
    tested = test_prequentially(model, examples, past_day, champion.trained if champion else None)
    evaluation = evaluate(model, tested)
    progress("tested")
    rows = training_rows(examples, model.split, past_day)
    trained = train(model, examples, rows, past_day * DAY)

    cautions = look_for_poison(model, examples, rows, learning.verdicts(workspace))

    kept = _snapshot(content, examples, rows, past_day)
    figures = {figure.name: figure.measured for figure in evaluation.figures if figure.name in REGISTERED_FIGURES}
    version = _register(workspace, learning, model, trained, kept, figures, examples.features[rows], run_id)
    _write_files(
        evidence_folder(workspace, learning.domain, model.name, version),
        tested,
        evaluation.to_json(),
        [asdict(finding) for finding in findings],
        cautions,
        trained,
        examples,
        rows,
    )
    verdict = judge(model, tested, champion)
    with workspace.catalog() as catalog:
        verdict = settle(catalog.connection, learning.domain.name, model.name, version, verdict)
    return Learned(
        verdict.because,
        version,
        verdict.promoted,
        model.estimator.name,
        kept.rows,
        kept.positives,
        kept.first_day,
        kept.last_day,
        summary(evaluation),
        tuple((str(trial.estimator), trial.average_precision) for trial in search.trials),
        tuple((finding.name, finding.passed, finding.words) for finding in findings),
        cautions,
    )


def _rival(workspace: Workspace, learning: Learning, progress: Callable[[str], None]) -> Champion | None:
    """The champion to beat; None where it cannot score any more: then only a new version can mend that."""
    from ticketintel_pipelines.learning.registry import DamagedModelError

    try:
        return champion_of(workspace, learning)
    except (BadInputError, DamagedModelError) as error:
        progress(f"there is no champion to compare with: {error}")
        return None


def ceiling(model: Model, examples: Examples, past_day: int) -> float | None:
    """Average precision of a perfect ranker on the days of the tests; None where nobody knows the truth."""
    from ticketintel_pipelines.learning.ceilings import ceilings

    if examples.truth is None or examples.hidden is None:
        return None
    past = past_day - model.split.settle_days
    tested = (examples.day >= past - model.split.folds * model.split.test_days) & (examples.day < past)
    labels = examples.labels(past_day * DAY)[tested]
    if not labels.any():
        return None
    return ceilings(labels, ((examples.truth == 1) & ~examples.hidden)[tested])["auc_pr"]


def judge(model: Model, tested: Tested, champion: Champion | None) -> Verdict:
    """Whether the new version takes the champion's place, by the days that the champion had not learned from either."""
    from ticketintel_pipelines.learning.evaluation import evaluate
    from ticketintel_pipelines.learning.promotion import decide
    from ticketintel_pipelines.learning.tested import BASELINE

    compared = tested if champion is None else unseen_by(tested, champion.last_day)
    try:
        evaluation = evaluate(model, compared)
    except TooFewExamplesError as error:
        return Verdict(False, f"not promoted: of the days that the champion had not learned from, {error}")
    against_baseline = evaluation.against(BASELINE)
    assert against_baseline is not None
    against_champion = evaluation.against(CHAMPION)
    slices = {
        f"{one.name}: {one.group}": (one.average_precision.value, one.champion)
        for one in evaluation.slices
        if one.champion is not None and not one.small
    }
    return decide(
        against_baseline.differences["auc_pr"],
        against_champion.differences["auc_pr"] if against_champion else None,
        slices,
        model.most_worse,
    )


def unseen_by(tested: Tested, last_day: date) -> Tested:
    """The tested rows of the days after one."""
    rows = np.flatnonzero(tested.examples.day > day_number(last_day))
    return replace(
        tested,
        examples=tested.examples.take(rows),
        labels=tested.labels[rows],
        scores=tested.scores[rows],
        fold=tested.fold[rows],
        contenders={name: scores[rows] for name, scores in tested.contenders.items()},
    )


def settle(connection: psycopg.Connection, domain: str, model: str, version: str, verdict: Verdict) -> Verdict:
    """Promote, or keep why not; a version that is the champion already stays it. Returns what came of it."""
    names = (domain, model)
    if verdict.promoted:
        if not model_registry.promote(connection, *names, version, verdict.because):
            return Verdict(False, "not promoted: this version was rolled back from; only a roll-back brings it back")
    elif model_registry.champion_of(connection, *names) != version:
        model_registry.note(connection, *names, version, verdict.because)
    return verdict


def unscored_days(connection: psycopg.Connection, learning: Learning, scoring: Scoring) -> list[date]:
    """Days with features that the champion has not learned from and that have no scores, or scores of other features."""
    names = (learning.domain.name, learning.model.name)
    champion = model_registry.champion_of(connection, *names)
    versions = {one.version: one for one in model_registry.versions_of(connection, *names)}
    if champion is None:
        return []
    last_day = date.fromisoformat(versions[champion].manifest["data"]["last_day"])
    records = FeatureDays(connection, learning.domain.name)
    scored = records.of(scoring.table.name)
    frozen_before = records.retained_from().get(scoring.table.name, date.min)
    return [
        day
        for day, figures in records.of(scoring.features).items()
        if day >= frozen_before
        and (
            (day in scored and scored[day].inputs_hash != figures.content_hash)
            or (day not in scored and figures.rows and day > last_day)
        )
    ]


def _content(workspace: Workspace, learning: Learning) -> dict[date, str]:
    with workspace.catalog() as catalog:
        recorded = FeatureDays(catalog.connection, learning.domain.name).of(learning.features)
    return {day: figures.content_hash for day, figures in recorded.items() if figures.rows}


def _snapshot(content: dict[date, str], examples: Examples, rows: Integers, past_day: int) -> Any:
    from ticketintel_pipelines.learning.manifest import Snapshot

    learned = {day_of(int(number)) for number in np.unique(examples.day[rows])}
    positives = int(examples.labels(past_day * DAY)[rows].sum())
    return Snapshot.of({day: content[day] for day in learned}, len(rows), positives)


def _register(
    workspace: Workspace,
    learning: Learning,
    model: Model,
    trained: Trained,
    data: Any,
    figures: dict[str, Any],
    features: Any,
    run_id: str,
) -> str:
    from ticketintel_pipelines.learning.manifest import Code
    from ticketintel_pipelines.learning.registry import Origin, Registry

    origin = Origin(
        model.features,
        model.estimator,
        data,
        Code.now(*learning.sources),
        model.seed,
        figures,
        # The day it was trained for, not the clock: the same data and seed are the same version.
        datetime.combine(data.last_day + timedelta(days=model.split.delay_days + 1), datetime.min.time(), UTC),
    )
    registry = Registry(workspace.models, learning.domain.name)
    manifest = registry.register(model.name, trained, origin, features[-AGREEMENT_ROWS:])
    with workspace.catalog() as catalog:
        model_registry.record_version(
            catalog.connection, learning.domain.name, model.name, manifest.version, manifest.content, run_id
        )
    return manifest.version


def _write_files(
    folder: Path,
    tested: Tested,
    evaluation: dict[str, object],
    findings: list[dict[str, Any]],
    cautions: Sequence[Caution],
    trained: Trained,
    examples: Examples,
    rows: Integers,
) -> None:
    """All of it beside, then in place of what the same version had before."""
    from ticketintel_pipelines.learning.tested_file import save_tested
    from ticketintel_pipelines.learning.usual import reference_of, usual_distances

    beside = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    save_tested(tested, beside / TESTED_FILE)
    (beside / EVALUATION_FILE).write_text(json.dumps(evaluation, indent=1))
    (beside / CAUTIONS_FILE).write_text(json.dumps([asdict(caution) for caution in cautions], indent=1))
    (beside / BATTERY_FILE).write_text(json.dumps(findings, indent=1, default=float))
    (beside / REFERENCE_FILE).write_text(reference_of(trained, examples, rows).to_json())
    (beside / USUAL_FILE).write_text(json.dumps(usual_distances(trained, examples, rows)))
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
