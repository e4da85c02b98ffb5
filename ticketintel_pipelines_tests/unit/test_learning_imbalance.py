"""The study of imbalance says what each treatment does, whatever that is."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ticketintel_pipelines.learning.estimators import FittedXGBoost, XGBoost
from ticketintel_pipelines.learning.examples import DAY, Features, Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.imbalance import TREATMENTS, Study, study_imbalance
from ticketintel_pipelines_tests.learning_world import FIRST_DAY, LIGHT, declared, world

EXAMPLES = world(days=30)
MODEL = declared(EXAMPLES)
INSTANT = (FIRST_DAY + 30) * DAY
ROWS = np.arange(len(EXAMPLES))


@pytest.fixture(scope="module")
def study() -> Study:
    return study_imbalance(MODEL, EXAMPLES, ROWS, INSTANT)


def test_all_treatments_are_judged_on_the_same_rows(study: Study) -> None:
    assert [(one.name, one.calibrated) for one in study.treatments] == [
        (name, calibrated) for calibrated in (False, True) for name in TREATMENTS
    ]
    assert study.judged_positives > 50 and not study.skipped
    none, *others = (one for one in study.treatments if not one.calibrated)
    assert none.against_none is None
    for one in others:
        assert one.positives == (
            none.positives if one.name == "class weights" else pytest.approx(none.rows - none.positives, rel=0.1)
        )
        low, high = one.against_none["average_precision"]
        assert low <= one.average_precision - none.average_precision <= high


def test_treatments_spoil_probabilities_until_they_are_calibrated(study: Study) -> None:
    error = {(one.name, one.calibrated): one.calibration_error for one in study.treatments}
    for name in TREATMENTS[1:]:
        assert error[name, False] > 2 * error["none", False]
        assert error[name, True] < error[name, False] / 2


def test_calibration_leaves_the_ranking(study: Study) -> None:
    plain, calibrated = study.treatments[:5], study.treatments[5:]
    for one, other in zip(plain, calibrated, strict=True):
        assert one.average_precision == pytest.approx(other.average_precision, abs=1e-3)


def test_here_nothing_wins(study: Study) -> None:
    assert study.winner == "none"
    assert "No treatment is better" in study.words[-1] and len(study.words) == 5


@dataclass(frozen=True)
class Lazy(XGBoost):
    """Learns only from weighted rows."""

    def fit(self, features: Features, labels: Integers, seed: int, weights: Floats | None = None) -> FittedXGBoost:
        return LIGHT.fit(features if weights is not None else features * 0, labels, seed, weights)


def test_a_treatment_that_wins_is_named() -> None:
    study = study_imbalance(replace(MODEL, estimator=Lazy()), EXAMPLES, ROWS, INSTANT)
    assert study.winner == "class weights" and "class weights is better" in study.words[-1]


def test_labels_of_later_are_not_used() -> None:
    early = np.arange(4000)
    instant = int(EXAMPLES.at[4000])
    hushed = replace(EXAMPLES, known_at=np.where(EXAMPLES.known_at > instant, instant + DAY, EXAMPLES.known_at))
    assert study_imbalance(MODEL, EXAMPLES, early, instant) == study_imbalance(MODEL, hushed, early, instant)


def test_too_few_positives_are_refused() -> None:
    with pytest.raises(TooFewExamplesError, match="study of imbalance"):
        study_imbalance(MODEL, EXAMPLES, np.arange(150), INSTANT)
