"""Outliers as probabilities, and how scores are judged."""

import json

import numpy as np
import pytest

from ticketintel_pipelines.learning.behaviour.judging import called_figures, compare_average_precision
from ticketintel_pipelines.learning.behaviour.outliers import LABELS, RANKS, OutlierModel, Outliers, best_threshold
from ticketintel_pipelines.learning.estimators_sklearn import IsolationForest
from ticketintel_pipelines.learning.metrics import average_precision

MODEL = OutlierModel(("speed", "sharing"), share=0.02, forest=IsolationForest(trees=40))


def rows(outliers: int = 30) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    usual = np.abs(random.normal(0, 1, (1_500, 2)))
    usual[::9, 1] = np.nan
    far = random.normal(9, 1, (outliers, 2))
    return np.vstack([usual, far]).astype(np.float32), np.r_[np.zeros(1_500), np.ones(outliers)].astype(np.int64)


def test_learning_twice_gives_the_same_bytes_and_what_is_loaded_scores_alike() -> None:
    features, labels = rows()
    one, two = MODEL.fit(features, labels, 3), MODEL.fit(features, labels, 3)
    assert one.dump() == two.dump()
    loaded = Outliers.load(one.dump())
    np.testing.assert_array_equal(loaded.probability(features), one.probability(features))
    assert loaded.threshold == one.threshold


def test_known_positives_calibrate_and_a_share_is_assumed_without_them() -> None:
    features, labels = rows()
    known, unknown = MODEL.fit(features, labels, 3), MODEL.fit(features, labels * 0, 3)
    assert (known.calibrated_by, unknown.calibrated_by) == (LABELS, RANKS)
    assert known.probability(features).mean() == pytest.approx(labels.mean(), abs=0.005)
    assert unknown.probability(features).mean() == pytest.approx(0.02, abs=0.005)
    for model in (known, unknown):
        assert average_precision(labels, model.probability(features)) > 0.99
    called = known.probability(features) >= known.threshold
    assert called[labels == 1].mean() > 0.95 and called[labels == 0].mean() < 0.01


def test_nobody_is_set_apart_for_being_quiet_or_unknown() -> None:
    features, labels = rows()
    model = MODEL.fit(features, labels, 3)
    usual = np.array([[np.nanmedian(features[:, 0]), np.nanmedian(features[:, 1])]], dtype=np.float32)
    quiet = np.array([[0, 0], [-50, -50], [np.nan, np.nan]], dtype=np.float32)
    assert (model.probability(quiet) == model.probability(usual)[0]).all()


def test_a_row_scores_the_same_alone_and_among_others() -> None:
    features, labels = rows()
    model = MODEL.fit(features, labels, 3)
    together = model.probability(features[-40:])
    assert [model.probability(features[[place]])[0] for place in range(len(features) - 40, len(features))] == together.tolist()


def test_reasons_name_what_is_furthest_out_and_only_for_those_asked() -> None:
    features, labels = rows()
    model = MODEL.fit(features, labels, 3)
    asked = np.array([True, True, False])
    far, unknown, unasked = model.reasons(
        np.array([[0.1, 20], [30, np.nan], [9, 9]], np.float32), asked, {"speed": "how fast", "sharing": "how shared"}
    )
    assert [(one["feature"], one["words"]) for one in json.loads(far or "")] == [("sharing", "how shared")]
    assert [one["feature"] for one in json.loads(unknown or "")] == ["speed"]
    assert unasked is None


def test_the_threshold_takes_in_all_who_rank_with_those_known() -> None:
    scores = np.r_[np.linspace(0, 0.4, 500), np.linspace(0.6, 0.9, 40)]
    named = np.zeros(540, np.int64)
    named[500::2] = 1
    assert 0.4 < best_threshold(named, scores) <= 0.6


def test_a_comparison_by_days_gives_the_plain_figures_and_intervals_around_them() -> None:
    random = np.random.default_rng(2)
    labels = (random.random(4_000) < 0.03).astype(np.int64)
    days = np.repeat(np.arange(20), 200)
    good, bad = labels + random.normal(0, 0.4, 4_000), random.random(4_000)
    found = compare_average_precision("chance", "rows", labels, good, bad, days)
    assert found.model.value == pytest.approx(average_precision(labels, good))
    assert found.other.value == pytest.approx(average_precision(labels, bad))
    assert found.beats and found.model.low < found.model.value < found.model.high
    called = good > 0.9
    figures = called_figures(labels, called, days)
    assert figures["precision"].value == pytest.approx(labels[called].mean())
    assert figures["recall"].value == pytest.approx(called[labels == 1].mean())
