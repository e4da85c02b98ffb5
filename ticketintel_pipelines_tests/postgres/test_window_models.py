"""Models over windows, from a day's rows to a version, to rows in Postgres, whatever the model is."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.contract import Column, ColumnType, RetentionClass, Source, Table
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.learning.assessment import Assessment, Learnt, compare_means
from ticketintel_pipelines.learning.declaration import Card
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.registry import DamagedModelError
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.learning.window_model import Scored, WindowModel
from ticketintel_pipelines.stages.evidence import OUTCOME_FILE, evidence_folder, outcome
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE, content_hash
from ticketintel_pipelines.stages.model_catalogue import Listed, write_catalogue
from ticketintel_pipelines.stages.window_learning import WindowLearned, WindowLearning, champion_of, learn, write_report
from ticketintel_pipelines.stages.window_score import WindowScoreReport, score_days, unscored_days
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.feature_days import FeatureDay, FeatureDays

VISITS = "small_visits"
COLUMNS = {VISITS: {"seen": "BIGINT", "amount": "DOUBLE"}}
DAYS = DayRange(date(2026, 5, 1), date(2026, 5, 20))
TOTALS = Table(
    name="small_totals",
    grain="one day",
    description="What came by a day, and how far that lies from the usual.",
    source=Source.MODEL,
    key=("day",),
    time="day",
    retention=RetentionClass.PREDICTION,
    columns=(
        Column("day", ColumnType.TIMESTAMP, "Day."),
        Column("total", ColumnType.NUMBER, "Sum of the amounts."),
        Column("lately", ColumnType.NUMBER, "Sum of the amounts of the day and the two days before it."),
        Column("beyond", ColumnType.NUMBER, "Total less what is usual."),
        Column("scored_at", ColumnType.TIMESTAMP, "When it was scored."),
        Column("model_version", ColumnType.TEXT, "Model that scored."),
    ),
)
DDL = (
    "CREATE TABLE ticketing.small_totals (day timestamptz NOT NULL, total double precision NOT NULL, lately double precision "
    "NOT NULL, beyond double precision NOT NULL, scored_at timestamptz NOT NULL, model_version text NOT NULL, "
    "PRIMARY KEY (day)) PARTITION BY RANGE (day)"
)


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("queries")
    (folder / "days.sql").write_text(
        "WITH days AS (SELECT date_trunc('day', to_timestamp(seen / 1e6)) AS day, sum(amount) AS total FROM visits "
        "GROUP BY ALL) SELECT day, total, sum(total) OVER (ORDER BY day RANGE BETWEEN INTERVAL 2 DAY PRECEDING AND CURRENT "
        "ROW) AS lately FROM days QUALIFY day::DATE BETWEEN $first_day AND $last_day ORDER BY day"
    )
    return folder


@dataclass(frozen=True)
class Means:
    """Learns what a day usually brings. `better` is its lead over the baseline; `remembers`: it says what was usual before."""

    queries: Path
    better: float
    remembers: bool = True

    def learn(self, window: Window, seed: int) -> Learnt:
        rows = window.rows(self.queries / "days.sql")
        if len(rows) < 3:
            raise TooFewExamplesError("small_totals: fewer than three days")
        totals = rows["total"].to_numpy()
        hits = np.full(len(totals), self.better)
        compared = compare_means(
            "hits", "yesterday", "ten days", hits + 0.01 * np.arange(len(hits)), hits * 0, np.arange(len(hits))
        )
        before = json.loads(window.previous["usual.json"]) if self.remembers and window.previous else None
        usual = {"usual": float(totals.mean()), "before": before and before["usual"]}
        assessment = Assessment("Tested on all days.", (compared,), {"hits": compared.model})
        return Learnt({"usual.json": json.dumps(usual).encode()}, assessment, len(rows))

    def score(self, files: Mapping[str, bytes], window: Window) -> pa.Table:
        rows = window.rows(self.queries / "days.sql")
        usual = json.loads(files["usual.json"])["usual"]
        return rows.append_column("beyond", pa.array(rows["total"].to_numpy() - usual))


class Deployment:
    """A workspace with a model of what a day usually brings."""

    def __init__(self, workspace: Workspace, queries: Path, better: float = 0.5) -> None:
        self.workspace, self.queries = workspace, queries
        model = WindowModel(
            name="small_totals",
            title="Small totals",
            card=Card("Says what is usual.", "What a day brings.", "Visits.", ("It is small.",)),
            baseline="yesterday",
            kind="a mean",
            table=TOTALS,
            method=lambda: Means(queries, better),
            features={"visits": VISITS},
            needs=("visits",),
            learn_days=10,
            reach_days=2,
        )
        self.learning = WindowLearning(TICKETING, model, COLUMNS)
        with workspace.catalog() as catalog:
            catalog.connection.execute(DDL)
            catalog.connection.commit()
        for day in DAYS.days:
            self.write(day)

    def declare(self, **changes: object) -> None:
        self.learning = replace(self.learning, model=replace(self.learning.model, **changes))  # type: ignore[arg-type]

    def write(self, day: date, amounts: tuple[float, ...] = (1.0, 2.0)) -> None:
        at = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 1_000_000
        rows = pa.table({"seen": pa.array([at] * len(amounts), pa.int64()), "amount": pa.array(amounts, pa.float64())})
        lake = self.workspace.lake(TICKETING)
        with scratch_folder(lake) as scratch, self.workspace.catalog() as catalog:
            pq.write_table(rows, scratch / "part.parquet")
            swap_in(lake, FEATURE_STAGE, VISITS, DayRange(day, day), {day: scratch / "part.parquet"})
            figures = FeatureDay(len(rows), content_hash(rows), "inputs")
            FeatureDays(catalog.connection, TICKETING.name).record(VISITS, {day: figures}, "run")
            catalog.connection.commit()

    def expire(self, first: date) -> None:
        """Take the days before one away, as retention does: what was recorded of them stays."""
        lake = self.workspace.lake(TICKETING)
        for day in DAYS.days:
            if day < first:
                lake.part(FEATURE_STAGE, VISITS, day).unlink()
        with self.workspace.catalog() as catalog:
            catalog.connection.execute(
                "INSERT INTO ops.retained_from (domain, table_name, first_day) VALUES ('ticketing', %s, %s)",
                (f"{FEATURE_STAGE}/{VISITS}", first),
            )
            catalog.connection.commit()

    def learn(self) -> WindowLearned:
        return learn(self.workspace, self.learning, run_id="run")

    def score(self, days: DayRange = DAYS) -> WindowScoreReport:
        return score_days(self.workspace, self.learning, champion_of(self.workspace, self.learning), days, run_id="run")

    def rows(self) -> dict[date, tuple[float, float, float]]:
        with self.workspace.catalog() as catalog:
            found = catalog.connection.execute("SELECT day, total, lately, beyond FROM ticketing.small_totals ORDER BY day")
            return {day.astimezone(UTC).date(): tuple(rest) for day, *rest in found.fetchall()}


@pytest.fixture
def deployment(workspace: Workspace, queries: Path) -> Deployment:
    return Deployment(workspace, queries)


def test_a_version_is_learned_from_the_newest_days_and_scores_each_day_once(deployment: Deployment) -> None:
    learned = deployment.learn()
    assert (learned.promoted, learned.rows, learned.days) == (True, 10, DayRange(date(2026, 5, 11), date(2026, 5, 20)))
    assert "It beats the baseline yesterday" in learned.words
    with deployment.workspace.catalog() as catalog:
        assert unscored_days(catalog.connection, deployment.learning) == DAYS.days
    assert sum(deployment.score().scored.values()) == len(DAYS.days)
    assert deployment.rows()[DAYS.last] == (3.0, 9.0, 0.0)
    assert deployment.score().scored == {}


def test_day_by_day_is_the_same_as_at_once(deployment: Deployment) -> None:
    deployment.learn()
    for day in DAYS.days:
        deployment.score(DayRange(day, day))
    apart = deployment.rows()
    with deployment.workspace.catalog() as catalog:
        catalog.connection.execute("DELETE FROM ops.feature_days WHERE table_name = 'small_totals'")
        catalog.connection.commit()
    deployment.score()
    assert deployment.rows() == apart


def test_a_late_row_changes_its_day_and_those_that_reach_back_to_it(deployment: Deployment) -> None:
    deployment.learn()
    deployment.score()
    deployment.write(date(2026, 5, 10), (1.0, 2.0, 4.0))
    # Whoever asks for one day gets the others that have changed as well.
    assert sorted(deployment.score(DayRange(DAYS.last, DAYS.last)).scored) == [date(2026, 5, day) for day in (10, 11, 12)]
    assert [deployment.rows()[date(2026, 5, day)][1] for day in (9, 10, 11, 12, 13)] == [9.0, 13.0, 13.0, 13.0, 9.0]


def test_days_that_retention_took_away_are_not_learned_from_and_keep_their_rows(deployment: Deployment) -> None:
    deployment.learn()
    deployment.score()
    before, first = deployment.rows(), date(2026, 5, 15)
    deployment.expire(first)
    learned = deployment.learn()
    assert (learned.rows, learned.days) == (6, DayRange(first, DAYS.last))
    assert deployment.score().scored == {}
    assert deployment.rows() == before


def test_only_the_newest_day_or_the_days_not_learned_from_are_scored_where_the_model_says_so(deployment: Deployment) -> None:
    deployment.declare(scored=Scored.NEWEST)
    deployment.learn()
    assert list(deployment.score().scored) == [DAYS.last]
    deployment.declare(scored=Scored.UNSEEN, held_back_days=3)
    deployment.learn()
    assert sorted(deployment.score().scored) == [DAYS.last - timedelta(days=back) for back in (2, 1)]


def test_a_version_that_is_worse_than_its_baseline_is_kept_and_not_used(workspace: Workspace, queries: Path) -> None:
    deployment = Deployment(workspace, queries, better=-0.5)
    learned = deployment.learn()
    assert learned.version and not learned.promoted
    assert "worse than the baseline" in learned.words
    assert deployment.score().champion is None
    assert deployment.rows() == {}


def test_the_next_version_knows_the_one_that_scores(deployment: Deployment) -> None:
    deployment.learn()
    deployment.write(date(2026, 5, 21), (30.0,))
    deployment.learn()
    champion = champion_of(deployment.workspace, deployment.learning)
    assert champion is not None
    assert json.loads(champion.files["usual.json"]) == {"usual": 5.7, "before": 3.0}


def test_the_same_data_is_the_same_version(deployment: Deployment) -> None:
    first = deployment.learn()
    deployment.declare(method=lambda: Means(deployment.queries, 0.5, remembers=False))
    assert deployment.learn().version == first.version


def test_without_rows_nothing_is_trained_and_the_reason_is_said(workspace: Workspace, queries: Path) -> None:
    deployment = Deployment(workspace, queries)
    deployment.declare(features={"visits": VISITS, "others": "nothing"}, needs=("visits", "others"))
    deployment.learning = replace(deployment.learning, columns={**COLUMNS, "nothing": {"seen": "BIGINT"}})
    learned = deployment.learn()
    assert learned.version is None
    assert learned.words == "not trained: small_totals: there are no rows of others, without which it cannot learn"
    assert outcome(workspace, TICKETING, "small_totals") == learned.words


def test_the_report_says_whether_it_beats_the_baseline_and_what_it_is_not(deployment: Deployment) -> None:
    version = deployment.learn().version
    found = write_report(deployment.workspace, deployment.learning)
    assert found.path is not None
    page = found.path.read_text()
    for words in ("It beats the baseline yesterday", "It is small.", f"Version {version}", "Tested on all days."):
        assert words in page
    assert "| hits |" in found.summary


def test_the_catalogue_lists_what_is_in_use_its_figures_and_why_the_others_are_not(deployment: Deployment) -> None:
    version = str(deployment.learn().version)
    deployment.write(date(2026, 5, 21), (30.0,))
    deployment.declare(method=lambda: Means(deployment.queries, -0.5))
    worse = str(deployment.learn().version)
    listed = [Listed(name, name.title(), f"What {name} says.", "small_totals") for name in ("small_totals", "other")]
    found = write_catalogue(deployment.workspace, TICKETING, listed)
    assert (found.models, found.in_use) == (2, 1)
    page = found.path.read_text()
    for words in ("1 of 2 models are in use.", version[:12], "2026-05-11 to 2026-05-20", "0.545 (", "What other says."):
        assert words in page
    # The last training led to nothing better, and its report is the newest.
    assert "not promoted: It is worse than the baseline yesterday" in page and "never trained" in page
    assert f"small_totals/{worse}/" in page and "-0.455" not in page


def test_the_catalogue_tells_the_day_of_the_last_training_whatever_came_of_it(deployment: Deployment) -> None:
    deployment.learn()
    kept = evidence_folder(deployment.workspace, TICKETING, "small_totals") / OUTCOME_FILE
    os.utime(kept, (0, 0))
    listed = [Listed("small_totals", "Small", "What small says.", "small_totals")]
    assert "1970-01-01" in write_catalogue(deployment.workspace, TICKETING, listed).path.read_text()
    deployment.learn()
    assert "1970-01-01" not in write_catalogue(deployment.workspace, TICKETING, listed).path.read_text()


def test_a_damaged_version_does_not_score(deployment: Deployment) -> None:
    version = deployment.learn().version
    file = deployment.workspace.models / "ticketing" / "small_totals" / str(version) / "usual.json"
    file.write_text(file.read_text().replace("3.0", "4.0"))
    with pytest.raises(DamagedModelError, match="was changed since it was registered"):
        deployment.score()


def test_a_damaged_champion_is_mended_by_training(deployment: Deployment) -> None:
    version = deployment.learn().version
    file = deployment.workspace.models / "ticketing" / "small_totals" / str(version) / "usual.json"
    file.write_text(file.read_text().replace("3.0", "4.0"))
    assert deployment.learn().promoted
    assert sum(deployment.score().scored.values()) == len(DAYS.days)
    assert deployment.rows()[DAYS.last] == (3.0, 9.0, 0.0)
