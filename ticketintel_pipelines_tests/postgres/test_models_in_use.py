"""From examples to a champion, to scores in Postgres, and back again: what the fraud desk and the engineer on call rely on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.day_numbers import day_number, day_of
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.learning.declaration import Decision
from ticketintel_pipelines.learning.examples import DAY, NEVER, Examples
from ticketintel_pipelines.learning.leaks import LeakError
from ticketintel_pipelines.learning.registry import DamagedModelError, Registry
from ticketintel_pipelines.stages import score
from ticketintel_pipelines.stages.evidence import outcome
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE, content_hash
from ticketintel_pipelines.stages.learning import Learned, Learning, champion_of, learn, unscored_days
from ticketintel_pipelines.stages.report import write_report
from ticketintel_pipelines.stages.rescore import rescore_day
from ticketintel_pipelines.stages.score import ScoreReport, Scoring, score_days
from ticketintel_pipelines.stages.watch import watch
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.predictions import FRAUD_PREDICTIONS
from ticketintel_pipelines.warehouse import model_registry
from ticketintel_pipelines.warehouse.feature_days import FeatureDay, FeatureDays
from ticketintel_pipelines.warehouse.model_watch import DriftRow, ModelWatch, Performance
from ticketintel_pipelines_tests import learning_world

FEATURES = "small_features"
DECISIONS = (Decision("BLOCKED", 0.6, ""), Decision("MANUAL_REVIEW", 0.3, ""), Decision("APPROVED", 0.0, ""))


class Deployment:
    """A workspace whose lake holds a small world's features, with the model that learns from it."""

    def __init__(self, workspace: Workspace, examples: Examples) -> None:
        self.workspace, self.examples = workspace, examples
        model = learning_world.declared(examples)
        columns = tuple(Column(name, ColumnType.NUMBER, f"{name}. More words", required=False) for name in examples.names)
        model = replace(model, name="fraud", features=columns, decisions=DECISIONS, operating_threshold=0.3, seed=3)
        self.learning = Learning(TICKETING, model, FEATURES, self._known)
        self.scoring = Scoring(TICKETING, model, FEATURES, FRAUD_PREDICTIONS, "fraud_score")
        self.days = DayRange(_day(examples.day[0]), _day(examples.day[-1]))
        for day in self.days.days:
            self.write(day)

    def _known(self, workspace: Workspace, days: DayRange, known_until: date) -> Examples:
        first, past = day_number(days.first) * DAY, (day_number(days.last) + 1) * DAY
        some = self.examples.take((self.examples.at >= first) & (self.examples.at < past))
        until = (day_number(known_until) + 1) * DAY
        return replace(some, known_at=np.where(some.known_at < until, some.known_at, NEVER))

    def write(self, day: date, features: np.ndarray | None = None) -> None:
        """A day's features into the lake, and into the record that says so."""
        rows = self.examples.take(self.examples.day == day_number(day))
        values = rows.features if features is None else features
        table = pa.table(
            {
                "transaction_id": pa.array(rows.ids, pa.string()),
                "seen": pa.array(rows.at),
                "occurred_at": pa.array(rows.at, pa.timestamp("us", "UTC")),
                **{name: pa.array(values[:, place].astype(float), from_pandas=True) for place, name in enumerate(rows.names)},
            }
        )
        lake = self.workspace.lake(TICKETING)
        with scratch_folder(lake) as scratch, self.workspace.catalog() as catalog:
            pq.write_table(table, scratch / "part.parquet")
            swap_in(lake, FEATURE_STAGE, FEATURES, DayRange(day, day), {day: scratch / "part.parquet"})
            figures = FeatureDay(len(table), content_hash(table), "inputs")
            FeatureDays(catalog.connection, TICKETING.name).record(FEATURES, {day: figures}, "run")
            catalog.connection.commit()

    def learn(self) -> Learned:
        return learn(self.workspace, self.learning, run_id="run")

    def score(self, now: datetime | None = None) -> ScoreReport:
        champion = champion_of(self.workspace, self.learning)
        return score_days(self.workspace, self.scoring, champion, self.days, run_id="run", now=now)

    def scores(self) -> list[tuple]:
        with self.workspace.catalog() as catalog:
            return catalog.connection.execute(
                "SELECT transaction_id, scored_at, fraud_score, decision, top_features, model_version "
                "FROM ticketing.fraud_predictions ORDER BY transaction_id"
            ).fetchall()


def _day(number: int) -> date:
    return day_of(int(number))


@pytest.fixture
def deployment(workspace: Workspace) -> Deployment:
    return Deployment(workspace, learning_world.world(days=30, a_day=120))


@pytest.fixture
def in_use(deployment: Deployment) -> Deployment:
    learned = deployment.learn()
    assert learned.promoted, learned.words
    return deployment


def test_the_first_version_is_promoted_and_scores_only_what_it_has_not_learned_from(in_use: Deployment) -> None:
    champion = champion_of(in_use.workspace, in_use.learning)
    assert champion is not None
    report = in_use.score()
    assert report.learned_from == [day for day in in_use.days.days if day <= champion.last_day]
    expected = sum(day_number(champion.last_day) < number for number in in_use.examples.day)
    assert len(in_use.scores()) == expected == sum(report.scored.values())
    assert {row[3] for row in in_use.scores()} <= {decision.name for decision in DECISIONS}
    # Whoever looks at a held transaction finds a reason in words.
    assert all((row[4] is None) == (row[3] == "APPROVED") for row in in_use.scores())
    assert any('"words": "velocity: ' in row[4] for row in in_use.scores() if row[4])


def test_nothing_is_scored_before_a_version_was_promoted(deployment: Deployment) -> None:
    assert deployment.score().champion is None
    assert deployment.scores() == []


def test_scoring_again_changes_nothing(in_use: Deployment) -> None:
    in_use.score()
    before = in_use.scores()
    assert in_use.score().scored == {}
    assert in_use.scores() == before


def test_only_rows_whose_features_changed_are_scored_again(in_use: Deployment) -> None:
    in_use.score(datetime(2026, 5, 31, tzinfo=UTC))
    before = {row[0]: row for row in in_use.scores()}
    day = in_use.days.last
    rows = in_use.examples.take(in_use.examples.day == day_number(day))
    changed = rows.features.copy()
    changed[0, 1] += 3
    in_use.write(day, changed)
    with in_use.workspace.catalog() as catalog:
        assert unscored_days(catalog.connection, in_use.learning, in_use.scoring) == [day]
    # Another month has its own partition in Postgres; what is kept stays in that of its own.
    report = in_use.score(datetime(2026, 6, 1, tzinfo=UTC))
    assert report.scored == {day: 1}
    after = {row[0]: row for row in in_use.scores()}
    assert {key for key in after if after[key] != before[key]} == {rows.ids[0]}
    assert after[rows.ids[0]][1] == datetime(2026, 6, 1, tzinfo=UTC)


def test_a_day_that_a_late_row_changed_is_scored_again_whichever_days_are_asked_for(in_use: Deployment) -> None:
    in_use.score()
    day = in_use.days.last
    rows = in_use.examples.take(in_use.examples.day == day_number(day))
    changed = rows.features.copy()
    changed[0, 1] += 3
    in_use.write(day, changed)
    first = DayRange(in_use.days.first, in_use.days.first)
    champion = champion_of(in_use.workspace, in_use.learning)
    assert score_days(in_use.workspace, in_use.scoring, champion, first, run_id="run").scored == {day: 1}


def test_a_feature_that_the_champion_does_not_know_stops_nothing_and_one_that_is_gone_does(in_use: Deployment) -> None:
    model = in_use.learning.model
    new = Column("new_one", ColumnType.NUMBER, "New.", required=False)
    more = replace(in_use.learning, model=replace(model, features=(new, *model.features)))
    assert champion_of(in_use.workspace, more) is not None
    fewer = replace(in_use.learning, model=replace(model, features=model.features[:-1]))
    with pytest.raises(BadInputError, match=model.features[-1].name):
        champion_of(in_use.workspace, fewer)


def test_a_run_that_dies_between_lake_and_postgres_is_finished_by_the_next(
    in_use: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> int:
        raise OSError("pulled the plug")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="plug"):
        patch.setattr(score, "load_parts", dies)
        in_use.score(datetime(2026, 5, 1, tzinfo=UTC))
    assert in_use.scores() == []
    in_use.score(datetime(2026, 5, 2, tzinfo=UTC))
    with in_use.workspace.catalog() as catalog:
        assert unscored_days(catalog.connection, in_use.learning, in_use.scoring) == []
    ids = [row[0] for row in in_use.scores()]
    assert len(ids) == len(set(ids)) > 0


def test_past_scores_come_out_the_same_bit_for_bit(in_use: Deployment) -> None:
    in_use.score()
    day = in_use.days.last
    found = rescore_day(in_use.workspace, in_use.learning, in_use.scoring, day)
    assert found.rows == found.equal > 0
    rows = in_use.examples.take(in_use.examples.day == day_number(day))
    changed = rows.features.copy()
    changed[:2, 0] = 7
    in_use.write(day, changed)
    found = rescore_day(in_use.workspace, in_use.learning, in_use.scoring, day)
    assert (found.changed, found.different) == (2, 0)


def test_a_damaged_champion_scores_nothing(in_use: Deployment) -> None:
    champion = champion_of(in_use.workspace, in_use.learning)
    assert champion is not None
    (file,) = in_use.workspace.models.glob(f"*/fraud/{champion.version}/model.ubj")
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedModelError, match=r"model\.ubj"):
        in_use.score()
    assert in_use.scores() == []


def test_a_champion_that_cannot_score_any_more_is_replaced_by_training(in_use: Deployment) -> None:
    before = champion_of(in_use.workspace, in_use.learning)
    model = in_use.learning.model
    in_use.learning = replace(in_use.learning, model=replace(model, features=model.features[:-1]))
    learned = in_use.learn()
    assert learned.promoted
    after = champion_of(in_use.workspace, in_use.learning)
    assert before is not None and after is not None and after.version == learned.version != before.version


def test_learning_again_from_the_same_data_is_the_same_version(in_use: Deployment) -> None:
    with in_use.workspace.catalog() as catalog:
        first = model_registry.champion_of(catalog.connection, TICKETING.name, "fraud")
    again = in_use.learn()
    assert again.version == first
    with in_use.workspace.catalog() as catalog:
        assert model_registry.champion_of(catalog.connection, TICKETING.name, "fraud") == first


def test_an_equal_challenger_is_kept_and_not_promoted(in_use: Deployment) -> None:
    before = champion_of(in_use.workspace, in_use.learning)
    assert before is not None
    other = replace(in_use.learning.model, seed=4, estimator=replace(learning_world.LIGHT, trees=31))
    in_use.learning = replace(in_use.learning, model=other)
    learned = in_use.learn()
    assert learned.version not in (None, before.version)
    assert not learned.promoted
    assert "not promoted" in learned.words
    after = champion_of(in_use.workspace, in_use.learning)
    assert after is not None and after.version == before.version


def test_too_few_positives_leave_the_model_untrained_and_say_so(workspace: Workspace) -> None:
    world = learning_world.world(days=30, a_day=120)
    deployment = Deployment(workspace, replace(world, known_at=np.full(len(world), NEVER)))
    learned = deployment.learn()
    assert learned.version is None
    assert "0 are known as positive" in learned.words
    assert "0 are known as positive" in (outcome(workspace, TICKETING, "fraud") or "")
    assert Registry(workspace.models, TICKETING.name).versions("fraud") == []


def test_a_leak_fails_the_run_and_registers_nothing(workspace: Workspace) -> None:
    world = learning_world.world(days=30, a_day=120)
    features = world.features.copy()
    features[:, 5] = (world.known_at != NEVER) + np.random.default_rng(1).normal(0, 0.01, len(world))
    with pytest.raises(LeakError, match="noise_one"):
        Deployment(workspace, replace(world, features=features.astype(np.float32))).learn()
    assert Registry(workspace.models, TICKETING.name).versions("fraud") == []


def test_the_report_is_a_page_that_says_why(in_use: Deployment) -> None:
    found = write_report(in_use.workspace, in_use.learning)
    assert found.path is not None
    page = found.path.read_text()
    assert "it beats the baseline" in page
    assert "SMOTE" in page
    assert "Tests for leaks" in page


def test_a_shifted_day_is_told_from_usual_ones(in_use: Deployment) -> None:
    day = in_use.days.last
    rows = in_use.examples.take(in_use.examples.day == day_number(day))
    shifted = rows.features.copy()
    shifted[:, 6] += 2
    # More rows than a day of this world has, for a decision.
    in_use.write(day, shifted)
    in_use.score()
    report = watch(in_use.workspace, in_use.learning, in_use.scoring, in_use.days)
    assert set(report.drifted) >= {day - timedelta(days=1), day}
    assert sum(week.rows for week in report.weeks) == len(in_use.scores())
    again = watch(in_use.workspace, in_use.learning, in_use.scoring, in_use.days)
    assert not again.drifted


def _champion(workspace: Workspace, version: str) -> None:
    with workspace.catalog() as catalog:
        model_registry.record_version(catalog.connection, TICKETING.name, "fraud", version, {}, "run")
        model_registry.promote(catalog.connection, TICKETING.name, "fraud", version, "first")


def _drifts(kept: ModelWatch, version: str) -> Callable[[date, bool], None]:
    def record(day: date, drifted: bool) -> None:
        row = DriftRow("velocity", 0.2, 0.1, "location", 5.0, 3.0, drifted)
        kept.record_drift(day, version, 500, "content", [row])

    return record


def test_drift_on_two_days_in_a_row_calls_for_training_and_one_day_does_not(workspace: Workspace) -> None:
    _champion(workspace, "a")
    with workspace.catalog() as catalog:
        kept = ModelWatch(catalog.connection, TICKETING.name, "fraud")
        record = _drifts(kept, "a")
        record(date(2026, 3, 1), True)
        assert kept.reason_to_retrain() is None
        record(date(2026, 3, 2), False)
        record(date(2026, 3, 3), True)
        assert kept.reason_to_retrain() is None
        record(date(2026, 3, 4), True)
        assert "velocity" in (kept.reason_to_retrain() or "")
        # A new champion starts with a clean sheet.
        catalog.connection.commit()
        _champion(workspace, "b")
        assert kept.reason_to_retrain() is None


@pytest.mark.parametrize(("found", "calls"), [(20, True), (45, False), (42, False)])
def test_a_fall_of_the_detection_rate_beyond_chance_calls_for_training(workspace: Workspace, found: int, calls: bool) -> None:
    _champion(workspace, "a")
    with workspace.catalog() as catalog:
        kept = ModelWatch(catalog.connection, TICKETING.name, "fraud")
        weeks = [Performance(date(2026, 3, 2) + timedelta(weeks=week), 6000, 50, 46, 60, 0.8) for week in range(4)]
        kept.record_performance([*weeks, Performance(date(2026, 3, 30), 6000, 50, found, 60, 0.5)], date(2026, 4, 5))
        assert bool(kept.reason_to_retrain()) is calls
