"""Intervals by days: the figures behind them are the usual ones, and the intervals hold what they promise."""

import math

import numpy as np
import pytest

from ticketintel_pipelines.learning import metrics
from ticketintel_pipelines.learning.examples import Floats, Integers
from ticketintel_pipelines.learning.intervals import (
    bounds,
    count_days,
    difference,
    entities_found,
    figures,
    once,
    resampled_days,
)


def scored(
    seed: int, rows: int = 3_000, ties: bool = False, days: int = 20, attacks: float = 0.5
) -> tuple[Integers, Floats, Integers]:
    """Labels, scores and days of rows whose positives come in attacks: the lower `attacks`, the fewer days have most."""
    random = np.random.default_rng(seed)
    day = np.sort(random.integers(0, days, rows))
    share = random.gamma(attacks, 0.1 / attacks, days).clip(0, 0.5)[day]
    labels = (random.random(rows) < share).astype(np.int64)
    scores = 1 / (1 + np.exp(-random.normal(2.0 * labels - 2, 1)))
    return labels, np.round(scores, 1) if ties else scores, day


@pytest.mark.parametrize("ties", [False, True])
def test_each_day_counted_once_gives_the_usual_figures(ties: bool) -> None:
    labels, scores, day = scored(1, ties=ties)
    days = np.unique(day)
    found = figures(count_days(labels, scores, day, days, 0.5), once(len(days)))
    confusion = metrics.confusion(labels, scores, 0.5)
    assert {name: pytest.approx(values[0]) for name, values in found.items()} == {
        "auc_roc": metrics.auc_roc(labels, scores),
        "auc_pr": metrics.average_precision(labels, scores),
        "precision_at_90_recall": metrics.precision_at_recall(labels, scores, 0.9),
        "brier": metrics.brier_score(labels, scores),
        "precision": confusion.precision,
        "detection": confusion.recall,
        "f1": confusion.f1,
        "false_positive_rate": confusion.false_positive_rate,
    }


def test_a_day_drawn_twice_counts_as_if_its_rows_stood_there_twice() -> None:
    labels, scores, day = scored(2, ties=True)
    days = np.unique(day)
    drawn = resampled_days(len(days), seed=7, resamples=1)
    copies = np.repeat(np.arange(len(day)), drawn[0].astype(int)[day])
    found = figures(count_days(labels, scores, day, days, 0.5), drawn)
    assert found["auc_pr"][0] == pytest.approx(metrics.average_precision(labels[copies], scores[copies]))
    assert found["auc_roc"][0] == pytest.approx(metrics.auc_roc(labels[copies], scores[copies]))
    assert found["brier"][0] == pytest.approx(metrics.brier_score(labels[copies], scores[copies]))


def test_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    truth = 0.5 * (1 + math.erf(2.0 / math.sqrt(2) / math.sqrt(2)))
    held = 0
    for seed in range(200):
        labels, scores, day = scored(seed, rows=1_000, attacks=2)
        days = np.unique(day)
        resampled = figures(count_days(labels, scores, day, days, 0.5), resampled_days(len(days), seed, 400))["auc_roc"]
        low, high = bounds(resampled, len(days))
        held += low <= truth <= high
    assert 0.91 <= held / 200 <= 0.99


def test_rows_that_go_wrong_together_widen_the_interval() -> None:
    random = np.random.default_rng(3)
    day = np.sort(random.integers(0, 20, 4_000))
    labels = (random.random(4_000) < 0.1).astype(np.int64)
    bad_days = random.normal(0, 1.5, 20)[day]
    scores = random.normal(1.5 * labels, 1) + labels * bad_days
    days, drawn = np.unique(day), resampled_days(20, 5)

    def width(of_day: Integers) -> float:
        low, high = bounds(figures(count_days(labels, scores, of_day, days, 0.5), drawn)["auc_pr"], 20)
        return high - low

    assert width(day) > 1.5 * width(random.permutation(day))


def test_one_day_has_no_interval() -> None:
    assert all(math.isnan(bound) for bound in bounds(np.ones(100), days=1))
    assert math.isnan(difference(0.1, np.full(100, 0.1), days=1).p_value)


def test_resamples_without_a_positive_do_not_count() -> None:
    low, high = bounds(np.r_[np.full(50, np.nan), np.full(50, 0.5)], days=10)
    assert (low, high) == (0.5, 0.5)


def test_a_paired_difference_is_shown_where_one_scoring_is_worse() -> None:
    labels, scores, day = scored(4)
    days = np.unique(day)
    drawn = np.vstack([once(len(days)), resampled_days(len(days), 1)])
    worse = np.where(np.random.default_rng(1).random(len(scores)) < 0.2, 0.05, scores)
    ours, theirs = (figures(count_days(labels, one, day, days, 0.5), drawn)["auc_pr"] for one in (scores, worse))
    apart = difference(ours[0] - theirs[0], (ours - theirs)[1:], len(days))
    assert apart.low > 0
    assert apart.p_value < 0.01


def test_a_scoring_does_not_differ_from_itself() -> None:
    apart = difference(0.0, np.zeros(1_000), days=20)
    assert (apart.low, apart.high, apart.p_value) == (0, 0, 1)


def test_entities_found_are_those_of_card_precision() -> None:
    labels, scores, day = scored(6, ties=True)
    entity = np.random.default_rng(6).integers(0, 400, len(day))
    found = entities_found(labels, scores, entity, day, np.unique(day), top=10)
    assert found.mean() / 10 == pytest.approx(metrics.card_precision(labels, scores, entity, day, top=10))


def test_rows_without_an_entity_are_not_found_as_one() -> None:
    labels, day = np.array([1, 1, 1]), np.array([0, 0, 0])
    found = entities_found(labels, np.array([0.9, 0.8, 0.7]), np.array([-1, -1, 5]), day, np.array([0]), top=100)
    assert found.tolist() == [1]
