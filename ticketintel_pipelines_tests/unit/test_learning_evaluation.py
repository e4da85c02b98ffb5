"""Evaluation: one table, figures that agree with each other, ceilings and costs that a reader can check by hand."""

import json
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from ticketintel_pipelines.learning.ceilings import ceilings, contradictions, f1_of, most_f1, most_false_positive_rate
from ticketintel_pipelines.learning.costs import bands, cost_curve, row_costs
from ticketintel_pipelines.learning.declaration import Costs, Decision, Targets
from ticketintel_pipelines.learning.evaluation import evaluate
from ticketintel_pipelines.learning.examples import Integers, TooFewExamplesError
from ticketintel_pipelines.learning.metrics import auc_roc, average_precision, brier_score, confusion
from ticketintel_pipelines.learning.tested import BASELINE, CHAMPION
from ticketintel_pipelines_tests.unit.judged_world import judged, model

EVALUATION = evaluate(model(), judged(), resamples=200)


def test_all_figures_come_from_the_one_table() -> None:
    table, counts = judged(), EVALUATION.confusion
    assert counts.true_positives + counts.false_positives + counts.false_negatives + counts.true_negatives == len(table.labels)
    assert counts.true_positives + counts.false_negatives == EVALUATION.positives == table.labels.sum()
    for name in ("precision", "f1", "false_positive_rate"):
        assert EVALUATION.figure(name).measured.value == pytest.approx(getattr(counts, name))
    assert EVALUATION.figure("detection").measured.value == pytest.approx(counts.recall)
    assert EVALUATION.figure("auc_pr").measured.value == pytest.approx(average_precision(table.labels, table.scores))
    assert sum(one.rows for one in EVALUATION.bands) == sum(one.rows for one in EVALUATION.calibration) == EVALUATION.rows
    assert sum(one.positives for one in EVALUATION.folds) == EVALUATION.positives
    assert EVALUATION.figure("cost_a_day").measured.value * len(EVALUATION.days) == pytest.approx(EVALUATION.cost)


def test_every_figure_lies_in_its_interval() -> None:
    for one in EVALUATION.figures:
        assert one.measured.low <= one.measured.value <= one.measured.high, one.name


def test_targets_are_judged_at_their_own_threshold() -> None:
    table = judged()
    assert EVALUATION.figure("f1").target is None
    there = EVALUATION.figure("f1", 0.65)
    assert there.measured.value == pytest.approx(confusion(table.labels, table.scores, 0.65).f1)
    assert there.target == 0.81
    assert there.met is (there.measured.value >= 0.81)
    assert EVALUATION.figure("false_positive_rate", 0.65).met is True


def test_a_better_model_is_told_from_champion_and_baseline() -> None:
    for name in (CHAMPION, BASELINE):
        other = EVALUATION.against(name)
        assert other is not None
        assert other.differences["auc_pr"].low > 0
    assert EVALUATION.against("nobody") is None


def test_an_equal_champion_is_neither_beaten_nor_worse() -> None:
    table = judged(champion_noise=0)
    found = evaluate(model(), table, resamples=200)
    other = found.against(CHAMPION)
    assert other is not None
    assert other.differences["auc_pr"].low == other.differences["auc_pr"].high == 0
    assert not any(one.worse for one in found.slices)


def test_a_slice_that_falls_below_the_champion_is_named_unless_it_is_small() -> None:
    table = judged(champion_noise=0)
    swapped = evaluate(model(), replace(table, scores=np.round(table.scores, 1)), resamples=50)
    worse = evaluate(model(most_worse=0.0), replace(table, scores=np.round(table.scores, 1)), resamples=50)
    assert not any(one.worse for one in swapped.slices if one.small)
    assert [one.group for one in worse.slices if one.worse] == ["usual"]
    assert [one.group for one in worse.slices if one.small] == ["tiny"]


def test_the_baseline_has_no_figures_of_a_probability() -> None:
    other = EVALUATION.against(BASELINE)
    assert other is not None
    assert "brier" not in other.figures


def test_kinds_say_what_is_hidden_and_how_much_was_found() -> None:
    kinds = {one.name: one for one in EVALUATION.kinds}
    assert kinds["ghost"].hidden == kinds["ghost"].rows
    assert kinds["bot"].hidden == 0
    assert kinds["bot"].detection > 0.8 > 0.1 > kinds["ghost"].detection


def test_what_cannot_be_detected_is_counted() -> None:
    examples, found = judged().examples, EVALUATION.undetectable
    assert found is not None
    assert examples.truth is not None and examples.hidden is not None
    assert (found.positives, found.hidden) == (examples.truth.sum(), examples.hidden.sum())


def test_real_data_have_no_ceilings() -> None:
    table = judged()
    real = replace(table, examples=replace(table.examples, truth=None, hidden=None, kind=None))
    found = evaluate(model(), real, resamples=50)
    assert found.undetectable is None
    assert all(one.ceiling is None and one.truth is None for one in found.figures)


def test_the_model_stays_below_a_perfect_ranker() -> None:
    for name in ("auc_roc", "auc_pr", "card_precision_100"):
        figure = EVALUATION.figure(name)
        assert figure.truth is not None and figure.truth_ceiling is not None and figure.truth.value < figure.truth_ceiling
        # Which visible positives were reported is chance, and can turn out well for one ranker.
        assert figure.ceiling is not None and figure.measured.low < figure.ceiling


def test_test_days_without_a_positive_cannot_be_judged_by() -> None:
    table = judged()
    with pytest.raises(TooFewExamplesError, match="4000 test rows with 0 positives"):
        evaluate(model(), replace(table, labels=np.zeros_like(table.labels)))


def test_a_missing_score_is_refused() -> None:
    table = judged()
    broken = table.scores.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="champion: 1 of 4000 test rows have no finite score"):
        evaluate(model(), replace(table, contenders={CHAMPION: broken}))


def test_the_evaluation_is_plain_json() -> None:
    found = json.loads(json.dumps(EVALUATION.to_json(), allow_nan=False))
    assert {one["name"] for one in found["figures"]} >= {"auc_roc", "auc_pr", "brier"}
    assert found["removed_known_bad"] == 17


# Ceilings


def every_order(labels: Integers, visible: Integers) -> list[Integers]:
    """Labels in each order a perfect ranker may give: the visible rows first."""
    first, last = np.flatnonzero(visible), np.flatnonzero(1 - visible)
    return [labels[[*one, *two]] for one in permutations(first) for two in permutations(last)]


@pytest.mark.parametrize("labels", [[1, 1, 1, 1, 0, 0, 0], [1, 0, 1, 1, 0, 0, 0]], ids=["truth", "known labels"])
def test_a_ceiling_is_the_mean_over_every_order_of_what_looks_alike(labels: list[int]) -> None:
    visible = np.array([1, 1, 0, 0, 0, 0, 0])
    orders, scores = every_order(np.array(labels), visible), np.arange(7, 0, -1.0)
    found = ceilings(np.array(labels), visible == 1)
    assert found["auc_pr"] == pytest.approx(np.mean([average_precision(one, scores) for one in orders]))
    assert found["auc_roc"] == pytest.approx(np.mean([auc_roc(one, scores) for one in orders]))
    needed = int(np.ceil(0.9 * sum(labels)))
    place = np.mean([np.flatnonzero(np.cumsum(one) == needed)[0] + 1 for one in orders])
    assert found["precision_at_90_recall"] == pytest.approx(needed / place)
    called = confusion(np.array(labels), visible.astype(float), 0.5)
    assert (found["detection"], found["f1"], found["false_positive_rate"], found["precision"]) == pytest.approx(
        (called.recall, called.f1, called.false_positive_rate, called.precision)
    )
    shares = np.where(visible == 1, np.mean(labels[:2]), np.mean(labels[2:]))
    assert found["brier"] == pytest.approx(brier_score(np.array(labels), shares))


def test_with_nothing_hidden_a_perfect_ranker_is_perfect() -> None:
    labels = np.array([0, 1, 0, 0, 1])
    found = ceilings(labels, labels == 1)
    assert found.pop("brier") == found.pop("false_positive_rate") == 0
    assert set(found.values()) == {1.0}


# Figures that were asked for together


def test_few_positives_and_many_false_alarms_cap_f1() -> None:
    assert most_f1(0.012, 0.018) == pytest.approx(0.574, abs=5e-4)
    assert most_f1(0.012, 0.018) > f1_of(0.012, 0.018, 0.942)
    assert f1_of(0.012, most_false_positive_rate(0.012, 0.81, 0.942), 0.942) == pytest.approx(0.81)


def test_targets_that_cannot_hold_together_are_said_to_be_so() -> None:
    asked = {"f1": 0.81, "false_positive_rate": 0.018, "detection": 0.942}
    first, second = contradictions(Targets(asked, 0.65, 0.012))
    assert "caps F1 at 0.574" in first
    assert "at most 0.466 %" in second
    assert contradictions(Targets(asked | {"f1": 0.5}, 0.65, 0.012)) == ()
    assert contradictions(Targets(asked | {"false_positive_rate": 0.004}, 0.65, 0.012)) == ()
    assert contradictions(Targets(asked)) == ()


# Costs

LABELS, SCORES = np.array([1, 0, 1, 0]), np.array([0.9, 0.9, 0.4, 0.1])
AMOUNT, COSTS = np.array([100.0, 50.0, 10.0, np.nan]), Costs(missed_share=0.5, false_alarm=2.0, unit="USD")


def test_a_miss_costs_its_share_and_a_false_alarm_its_sum() -> None:
    assert row_costs(LABELS, SCORES, AMOUNT, COSTS, 0.5).tolist() == [0, 2, 5, 0]


def test_the_curve_of_costs_is_the_cost_at_each_threshold() -> None:
    curve = cost_curve(LABELS, SCORES, AMOUNT, COSTS)
    assert curve.cost.tolist() == [row_costs(LABELS, SCORES, AMOUNT, COSTS, at).sum() for at in curve.thresholds]
    assert curve.nothing_stopped == 55
    assert curve.best == (0.4, 2.0)


def test_each_row_falls_to_one_decision() -> None:
    stop, look, go = bands(
        LABELS, SCORES, AMOUNT, COSTS, (Decision("a", 0.9, ""), Decision("b", 0.4, ""), Decision("c", 0, ""))
    )
    assert [(one.rows, one.positives, one.amount, one.cost) for one in (stop, look, go)] == [
        (2, 1, 100, 7),
        (1, 1, 10, 2),
        (1, 0, 0, 4),
    ]
    assert stop.precision == 0.5
