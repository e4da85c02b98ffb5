"""Figures of scores: scikit-learn's where it has them, a plain loop over days where it has not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.learning.examples import NO_ENTITY, Floats, Integers
from ticketintel_pipelines.learning.metrics import (
    auc_roc,
    average_precision,
    brier_score,
    card_precision,
    confusion,
    precision_at_recall,
)


def scored(seed: int, rows: int = 500, levels: int | None = None) -> tuple[Integers, Floats]:
    """Labels and scores that know something of them; `levels` different scores, so that there are ties."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.1).astype(np.int64)
    scores = 1 / (1 + np.exp(-random.normal(2.0 * labels - 1)))
    return labels, scores if levels is None else np.floor(scores * levels) / levels


CASES = pytest.mark.parametrize(("seed", "levels"), [(1, None), (2, None), (3, 7), (4, 2), (5, 1)])


@CASES
def test_area_under_the_roc_curve_is_scikit_learns(seed: int, levels: int | None) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, scores = scored(seed, levels=levels)
    assert auc_roc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)


@CASES
def test_average_precision_is_scikit_learns(seed: int, levels: int | None) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, scores = scored(seed, levels=levels)
    assert average_precision(labels, scores) == pytest.approx(metrics.average_precision_score(labels, scores), abs=1e-12)


@CASES
def test_precision_at_recall_is_that_of_the_best_threshold_that_finds_enough(seed: int, levels: int | None) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, scores = scored(seed, levels=levels)
    precision, recall, thresholds = metrics.precision_recall_curve(labels, scores)
    enough = recall[: len(thresholds)] >= 0.9
    assert precision_at_recall(labels, scores, 0.9) == pytest.approx(precision[: len(thresholds)][enough].max(), abs=1e-12)


@CASES
def test_brier_score_and_counts_are_scikit_learns(seed: int, levels: int | None) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, scores = scored(seed, levels=levels)
    assert brier_score(labels, scores) == pytest.approx(metrics.brier_score_loss(labels, scores), abs=1e-12)
    found = confusion(labels, scores, 0.5)
    called = (scores >= 0.5).astype(np.int64)
    negatives, alarms, missed, hits = metrics.confusion_matrix(labels, called, labels=[0, 1]).ravel()
    assert (found.true_negatives, found.false_positives, found.false_negatives, found.true_positives) == (
        negatives,
        alarms,
        missed,
        hits,
    )
    assert found.f1 == pytest.approx(metrics.f1_score(labels, called, zero_division=np.nan), nan_ok=True)


def test_figures_are_not_defined_without_both_classes() -> None:
    scores = np.array([0.1, 0.9])
    for labels in (np.zeros(2, np.int64), np.ones(2, np.int64)):
        assert np.isnan(auc_roc(labels, scores))
    assert np.isnan(average_precision(np.zeros(2, np.int64), scores))
    assert np.isnan(precision_at_recall(np.zeros(2, np.int64), scores, 0.9))


def looped_card_precision(labels: Integers, scores: Floats, entity: Integers, day: Integers, top: int) -> float:
    """The book's measure, row by row."""
    shares, found = [], set()
    for today in sorted(set(day.tolist())):
        best: dict[int, float] = {}
        bad: set[int] = set()
        for row in range(len(day)):
            card = int(entity[row])
            if day[row] != today or card in found or card == NO_ENTITY:
                continue
            best[card] = max(best.get(card, -np.inf), float(scores[row]))
            if labels[row]:
                bad.add(card)
        shown = sorted(best, key=lambda card: -best[card])[:top]
        hits = [card for card in shown if card in bad]
        shares.append(len(hits) / top)
        found |= set(hits)
    return float(np.mean(shares))


@given(seed=st.integers(0, 10_000), cards=st.integers(1, 60), top=st.integers(1, 30), days=st.integers(1, 6))
def test_card_precision_is_that_of_a_plain_loop(seed: int, cards: int, top: int, days: int) -> None:
    labels, scores = scored(seed, rows=120)
    random = np.random.default_rng(seed)
    entity, day = random.integers(NO_ENTITY, cards, 120), random.integers(100, 100 + days, 120)
    expected = looped_card_precision(labels, scores, entity, day, top)
    assert card_precision(labels, scores, entity, day, top) == pytest.approx(expected)


def test_a_card_found_on_a_day_makes_room_on_the_next() -> None:
    labels, day = np.array([1, 0, 1, 1]), np.array([0, 0, 1, 1])
    entity, scores = np.array([7, 8, 7, 9]), np.array([0.9, 0.1, 0.8, 0.2])
    # One place a day: card 7 is found on the first and no longer shown on the second, where 9 takes its place.
    assert card_precision(labels, scores, entity, day, top=1) == 1.0


def test_a_bad_card_that_was_not_shown_stays_to_be_found() -> None:
    labels, day = np.array([0, 1, 1]), np.array([0, 0, 1])
    entity, scores = np.array([1, 2, 2]), np.array([0.9, 0.1, 0.8])
    assert card_precision(labels, scores, entity, day, top=1) == 0.5
