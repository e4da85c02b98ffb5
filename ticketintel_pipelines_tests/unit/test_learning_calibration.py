"""Calibration makes probabilities that can be counted on, and keeps the order."""

import numpy as np

from ticketintel_pipelines.learning.calibration import Beta, fit_beta
from ticketintel_pipelines.learning.imbalance import calibration_error

RANDOM = np.random.default_rng(5)
TRUTH = RANDOM.beta(1, 12, 40_000)
LABELS = (RANDOM.random(40_000) < TRUTH).astype(np.int64)


def test_overconfident_predictions_are_mended() -> None:
    odds = np.log(TRUTH / (1 - TRUTH))
    said = 1 / (1 + np.exp(-(2.5 * odds + 3)))
    calibrated = fit_beta(said, LABELS).apply(said)
    assert calibration_error(LABELS, said) > 0.02
    assert calibration_error(LABELS, calibrated) < 0.005
    np.testing.assert_allclose(calibrated.mean(), LABELS.mean(), rtol=0.01)
    assert np.abs(calibrated - TRUTH).mean() < 0.003


def test_what_is_calibrated_stays() -> None:
    found = fit_beta(TRUTH, LABELS)
    assert np.abs(found.apply(TRUTH) - TRUTH).mean() < 0.003


def test_order_is_kept_even_where_predictions_point_the_wrong_way() -> None:
    found = fit_beta(1 - TRUTH, LABELS)
    assert found.a >= 0 and found.b >= 0
    assert (np.diff(found.apply(np.linspace(0, 1, 101))) >= 0).all()


def test_the_identity_changes_nothing() -> None:
    asked = np.linspace(0.001, 0.999, 99)
    np.testing.assert_allclose(Beta().apply(asked), asked, rtol=1e-9)


def test_one_class_gives_no_calibration_and_separable_ones_a_finite_one() -> None:
    assert fit_beta(TRUTH[:50], np.zeros(50, np.int64)) == Beta()
    assert fit_beta(TRUTH[:50], np.ones(50, np.int64)) == Beta()
    found = fit_beta(np.r_[np.full(30, 0.1), np.full(30, 0.9)], np.r_[np.zeros(30, np.int64), np.ones(30, np.int64)])
    assert np.isfinite([found.a, found.b, found.c]).all()
    assert found.apply(np.array([0.1]))[0] < 0.05 < 0.95 < found.apply(np.array([0.9]))[0]


def test_certain_predictions_stay_probabilities() -> None:
    found = fit_beta(np.r_[np.zeros(100), np.ones(100)], np.r_[np.zeros(99), 1, 0, np.ones(99)].astype(np.int64))
    said = found.apply(np.array([0.0, 1.0]))
    np.testing.assert_allclose(said, [0.01, 0.99], atol=0.01)
