"""Training takes what was known on its day and nothing else; its probabilities hold on the days after."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ticketintel_pipelines.learning import training
from ticketintel_pipelines.learning.estimators import FittedXGBoost, XGBoost
from ticketintel_pipelines.learning.estimators_more import IsolationForest, LogisticRegression
from ticketintel_pipelines.learning.examples import DAY, Examples, Features, Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.leak_poison import poison
from ticketintel_pipelines.learning.metrics import auc_roc, average_precision, brier_score
from ticketintel_pipelines.learning.search import search, search_before_tests
from ticketintel_pipelines.learning.splits import folds
from ticketintel_pipelines_tests.learning_world import FIRST_DAY, LIGHT, NAMES, SPLIT, declared, world

DAYS = 30
PAST = FIRST_DAY + DAYS
EXAMPLES = world(days=DAYS)
MODEL = declared(EXAMPLES)


@pytest.fixture(scope="module")
def tested() -> training.Tested:
    model = replace(MODEL, candidates=(LogisticRegression(), IsolationForest(trees=10)))
    return training.test_prequentially(model, EXAMPLES, PAST)


def test_the_training_knows_no_later_label() -> None:
    instant = (FIRST_DAY + 20) * DAY
    rows = np.flatnonzero(EXAMPLES.at < instant)
    one = training.train(MODEL, EXAMPLES, rows, instant)
    two = training.train(MODEL, poison(EXAMPLES, instant, 1), rows, instant)
    assert one.fitted.dump() == two.fitted.dump() and one.calibration == two.calibration


def test_too_few_positives_are_refused_with_numbers() -> None:
    rows = np.arange(300)
    known = int(EXAMPLES.labels(PAST * DAY)[rows].sum())
    with pytest.raises(TooFewExamplesError, match=rf"of 300 examples {known} are known as positive.* at least 500 "):
        training.train(replace(MODEL, least_positives=500), EXAMPLES, rows, PAST * DAY)


def test_probabilities_hold_on_later_days_even_of_an_estimator_that_is_sure_of_itself(tested: training.Tested) -> None:
    sure = replace(MODEL, estimator=XGBoost(trees=200, depth=8, rate=0.4, max_bin=64, more={"nthread": 1}))
    found = training.test_prequentially(sure, EXAMPLES, PAST)
    trained = training.train(sure, EXAMPLES, np.flatnonzero(EXAMPLES.at < (PAST - 12) * DAY), (PAST - 12) * DAY)
    raw = trained.fitted.predict(found.examples.features)
    assert brier_score(found.labels, found.scores) < brier_score(found.labels, raw)
    assert 0.7 < found.scores.mean() / found.labels.mean() < 1.4
    assert 0.7 < tested.scores.mean() / tested.labels.mean() < 1.4


def test_every_fold_is_scored_once_by_a_model_of_before(tested: training.Tested) -> None:
    parts = tuple(folds(EXAMPLES, SPLIT, PAST))
    rows = np.concatenate([fold.test for fold in parts])
    assert list(tested.examples.ids) == list(EXAMPLES.ids[rows])
    assert tested.fold.tolist() == np.repeat(range(4), [len(fold.test) for fold in parts]).tolist()
    assert tested.trained_rows == tuple(len(fold.train) for fold in parts)
    assert tested.removed == sum(fold.removed for fold in parts) > 0
    np.testing.assert_array_equal(tested.labels, EXAMPLES.labels(PAST * DAY)[rows])
    # The second fold's day comes: nothing from then on changes what was said of the first fold.
    changed = training.test_prequentially(MODEL, poison(EXAMPLES, parts[1].trained_at, 3), PAST)
    first = tested.scores[tested.fold == 0]
    assert changed.scores[: len(first)].tobytes() == first.tobytes()


def test_contenders_score_the_same_rows(tested: training.Tested) -> None:
    assert set(tested.contenders) == {"baseline", "logistic_regression", "isolation_forest"}
    assert all(scores.shape == tested.scores.shape and np.isfinite(scores).all() for scores in tested.contenders.values())
    reached = {name: average_precision(tested.labels, scores) for name, scores in tested.contenders.items()}
    assert average_precision(tested.labels, tested.scores) > 2 * reached["baseline"]
    assert reached["logistic_regression"] > reached["isolation_forest"]


def test_unknown_values_of_the_baseline_come_last() -> None:
    scores = training.baseline(EXAMPLES, "ratio")
    unknown = np.isnan(EXAMPLES.column("ratio"))
    assert (scores[unknown] < scores[~unknown].min()).all() and len(np.unique(scores[unknown])) == 1


def test_a_champion_of_other_features_is_compared_on_what_is_left_of_them() -> None:
    champion = training.train(MODEL, EXAMPLES, np.arange(3000), PAST * DAY)
    same = training.test_prequentially(MODEL, EXAMPLES, PAST, champion)
    turned = EXAMPLES.with_features(NAMES[::-1], EXAMPLES.features[:, ::-1])
    np.testing.assert_array_equal(
        training.test_prequentially(MODEL, turned, PAST, champion).contenders["champion"], same.contenders["champion"]
    )
    fewer = EXAMPLES.with_features(NAMES[:2], EXAMPLES.features[:, :2])
    left = training.test_prequentially(declared(fewer), fewer, PAST, champion).contenders["champion"]
    assert 0.5 < auc_roc(same.labels, left) < auc_roc(same.labels, same.contenders["champion"])


def test_importance_finds_what_matters(tested: training.Tested) -> None:
    importance = dict(zip(NAMES, tested.importance, strict=True))
    assert min(importance["velocity"], importance["age"]) > 10 * max(
        value for name, value in importance.items() if "noise" in name
    )


def test_a_window_is_cut_in_time_with_positives_on_both_sides() -> None:
    rows = np.arange(len(EXAMPLES))
    held = training.hold_out(EXAMPLES, rows, EXAMPLES.truth, 3)
    assert EXAMPLES.at[held.earlier].max() + 3 * DAY <= EXAMPLES.at[held.later].min()
    late = EXAMPLES.truth[EXAMPLES.at >= EXAMPLES.at[held.later].min()].sum() / EXAMPLES.truth.sum()
    assert 0.25 <= late < 0.27
    # A gap that would leave next to nothing is cut short.
    short = training.hold_out(EXAMPLES, rows[:2500], EXAMPLES.truth[:2500], 100)
    assert 800 < len(short.earlier) < 1500


@dataclass(frozen=True)
class Blind(XGBoost):
    """Learns nothing; the ones drawn from it do."""

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> FittedXGBoost:
        return LIGHT.fit(features * 0, labels, seed, weights)

    def varied(self, random: np.random.Generator) -> XGBoost:
        return replace(LIGHT, depth=int(random.integers(2, 4)))


@dataclass(frozen=True)
class Settled(XGBoost):
    """All drawn from it are as good."""

    def varied(self, random: np.random.Generator) -> XGBoost:
        return replace(LIGHT, more={"nthread": 1, "seed_per_iteration": bool(random.random() < 0.5)})


def test_the_search_finds_what_is_better_and_leaves_what_is_not() -> None:
    found = search_before_tests(declared(EXAMPLES, Blind()), EXAMPLES, PAST, draws=2)
    assert found.chosen.depth in (2, 3) and not isinstance(found.chosen, Blind)
    assert len(found.trials) == 3 and found.trials[0].lead == 0 and max(one.lead for one in found.trials) > 0.1
    settled = Settled(trees=30, depth=3, max_bin=256, more={"nthread": 1})
    assert search_before_tests(declared(EXAMPLES, settled), EXAMPLES, PAST, draws=2).chosen == settled


def test_the_search_sees_no_test_day() -> None:
    first = next(iter(folds(EXAMPLES, SPLIT, PAST)))
    model = declared(EXAMPLES, Blind())
    later = poison(EXAMPLES, first.trained_at, 2)
    assert search_before_tests(model, EXAMPLES, PAST, draws=2) == search_before_tests(model, later, PAST, draws=2)


def test_the_search_leaves_the_declared_one_where_there_is_little_to_judge_by() -> None:
    few: Examples = EXAMPLES.take(np.arange(200))
    found = search(declared(few), few, np.arange(200), PAST * DAY)
    assert found.chosen == LIGHT and not found.trials
