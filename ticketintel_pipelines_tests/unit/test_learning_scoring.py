"""Decisions at their thresholds, how settled they are, and what they rest on."""

import numpy as np
import pytest

from ticketintel_pipelines.learning.calibration import Beta
from ticketintel_pipelines.learning.declaration import Decision
from ticketintel_pipelines.learning.estimators import XGBoost
from ticketintel_pipelines.learning.scoring import NO_FEATURE, confidence, decide, reasons, score
from ticketintel_pipelines.learning.trained import Trained

DECISIONS = tuple(
    Decision(name, at_least, name) for name, at_least in (("BLOCKED", 0.85), ("REVIEW", 0.65), ("2FA", 0.4), ("APPROVED", 0.0))
)


class Told:
    """Predicts the first feature and says that the others moved it by their value."""

    def __init__(self, explains: bool = True) -> None:
        self.explains = explains

    def predict(self, features):
        return features[:, 0].astype(np.float64)

    def contributions(self, features):
        return np.nan_to_num(features.astype(np.float64)) if self.explains else None

    def dump(self):
        return {}


@pytest.mark.parametrize(
    ("probability", "decision", "sure"),
    [
        pytest.param(1.0, "BLOCKED", 1.0, id="certain"),
        pytest.param(0.925, "BLOCKED", 0.5, id="half way up"),
        pytest.param(0.85, "BLOCKED", 0.0, id="on a threshold the stricter one counts"),
        pytest.param(np.nextafter(0.85, 0), "REVIEW", 0.0, id="just below it"),
        pytest.param(0.75, "REVIEW", 1.0, id="in the middle of two thresholds"),
        pytest.param(0.70, "REVIEW", 0.5, id="between the middle and the lower one"),
        pytest.param(0.80, "REVIEW", 0.5, id="between the middle and the upper one"),
        pytest.param(0.65, "REVIEW", 0.0, id="on the second threshold"),
        pytest.param(0.4, "2FA", 0.0, id="on the third"),
        pytest.param(0.1, "APPROVED", 0.75, id="approved with some doubt"),
        pytest.param(0.0, "APPROVED", 1.0, id="approved with none"),
    ],
)
def test_a_probability_leads_to_a_decision_and_to_how_settled_it_is(probability: float, decision: str, sure: float) -> None:
    asked = np.array([probability])
    assert DECISIONS[decide(asked, DECISIONS)[0]].name == decision
    assert confidence(asked, DECISIONS)[0] == pytest.approx(sure, abs=1e-9)


def test_confidences_stay_between_nothing_and_certainty() -> None:
    found = confidence(np.linspace(0, 1, 10_001), DECISIONS)
    assert (found.min(), found.max()) == (0.0, 1.0)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_where_there_is_one_decision_only_nothing_is_unsettled(probability: float) -> None:
    only = (Decision("SEEN", 0.0, "seen"),)
    assert decide(np.array([probability]), only).tolist() == [0]
    assert confidence(np.array([probability]), only).tolist() == [1.0]


def test_decisions_are_taken_on_calibrated_probabilities() -> None:
    rows = np.array([[0.9], [0.3]], np.float32)
    plain = score(Trained("told", ("p",), Told()), rows, DECISIONS)
    lowered = score(Trained("told", ("p",), Told(), Beta(1, 1, -3.0)), rows, DECISIONS)
    assert plain.probability == pytest.approx([0.9, 0.3])
    assert plain.decision.tolist() == [0, 3]
    assert lowered.decision.tolist() == [3, 3]
    assert (lowered.probability < plain.probability).all()


def test_no_rows_are_scored_as_none() -> None:
    found = score(Trained("told", ("p",), Told()), np.empty((0, 1), np.float32), DECISIONS)
    assert [len(found.probability), len(found.decision), len(found.confidence)] == [0, 0, 0]


def test_reasons_are_the_features_that_raised_a_row_most_and_no_others() -> None:
    nan = np.nan
    features = np.array([[0.5, 3, -9, 2, 4], [0.1, -1, -1, 0, nan], [9, 9, 9, 9, 9], [1, 1, 1, 1, 1]], np.float32)
    found = reasons(Trained("told", tuple("abcde"), Told()), features, np.array([3, 0, 1]))
    assert found.feature.tolist() == [[0, 1, 2], [4, 1, 3], [0, NO_FEATURE, NO_FEATURE]]
    assert found.contribution[1].tolist() == [4, 3, 2]
    assert found.value[1].tolist() == [4, 3, 2]
    assert np.isnan(found.value[2, 1:]).all()
    assert np.isnan(found.contribution[2, 1:]).all()


def test_a_feature_that_is_unknown_can_be_a_reason() -> None:
    random = np.random.default_rng(1)
    features = random.normal(size=(2_000, 3)).astype(np.float32)
    unknown = random.random(2_000) < 0.2
    features[unknown, 1] = np.nan
    fitted = XGBoost(trees=20, depth=3).fit(features, unknown.astype(np.int64), 1)
    found = reasons(Trained("xgboost", tuple("abc"), fitted), features, np.flatnonzero(unknown)[:5])
    assert (found.feature[:, 0] == 1).all()
    assert np.isnan(found.value[:, 0]).all()
    assert (found.contribution[:, 0] > 1).all()


@pytest.mark.parametrize("rows", [np.array([0, 1]), np.empty(0, np.int64)])
def test_a_model_that_cannot_say_gives_no_reason(rows) -> None:
    found = reasons(Trained("told", tuple("ab"), Told(explains=False)), np.ones((2, 2), np.float32), rows)
    assert found.feature.shape == (len(rows), 2)
    assert (found.feature == NO_FEATURE).all()
