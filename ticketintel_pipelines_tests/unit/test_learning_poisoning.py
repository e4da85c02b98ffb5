"""Guards of the training data: far-out rows and turned-over labels reach a person, honest ones do not raise an alarm."""

import numpy as np
import pytest

from ticketintel_pipelines.learning.poisoning import ExtremeRows, LabelEvent, find_extreme_rows, find_overturning_reviewers

NAMES = ("amount", "age", "flag")


def rows(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.lognormal(4, 1, count), rng.normal(size=count), rng.random(count) < 0.005])


def ids(count: int) -> np.ndarray:
    return np.array([f"t{row:05}" for row in range(count)], object)


def guard(new: np.ndarray, guarded: tuple[str, ...] = NAMES) -> ExtremeRows:
    return find_extreme_rows(NAMES, rows(0, 20_000), new, ids(len(new)), guarded, amounts=new[:, 0])


def test_one_in_a_hundred_honest_rows_is_shown_without_alarm() -> None:
    found = guard(rows(1, 5_000))
    assert not found.for_a_person
    by_name = {feature.name: feature for feature in found.features}
    assert by_name["amount"].share == pytest.approx(0.01, abs=0.005)
    assert found.beyond >= max(feature.beyond for feature in found.features)


def test_a_batch_of_far_out_rows_is_flagged_and_heads_the_list() -> None:
    new = rows(1, 5_000)
    new[100:180, 0] = 1e6
    found = guard(new)
    assert [feature.name for feature in found.features if feature.alarming] == ["amount"]
    assert found.for_a_person
    assert {row.id for row in found.rows} <= {f"t{row:05}" for row in range(100, 180)}
    first = found.rows[0]
    assert (first.feature, first.value, first.amount) == ("amount", 1e6, 1e6)
    assert first.excess > 1_000
    excesses = [row.excess for row in found.rows]
    assert excesses == sorted(excesses, reverse=True)


def test_only_what_is_declared_is_guarded() -> None:
    new = rows(1, 1_000)
    new[:, 0] = 1e6
    assert [feature.name for feature in guard(new, ("age",)).features] == ["age"]
    assert not guard(new, ("age",)).for_a_person
    with pytest.raises(ValueError, match="colour"):
        guard(new, ("colour",))


def test_the_order_of_rows_changes_nothing() -> None:
    new = rows(1, 1_000)
    order = np.random.default_rng(2).permutation(len(new))
    arguments = (NAMES, rows(0, 20_000))
    assert find_extreme_rows(*arguments, new[order], ids(1_000)[order], NAMES) == find_extreme_rows(
        *arguments, new, ids(1_000), NAMES
    )


def test_missing_values_are_never_beyond() -> None:
    found = guard(np.full((10, 3), np.nan))
    assert found.beyond == 0
    assert all(feature.rows == 0 and feature.share == 0 for feature in found.features)
    nothing_before = find_extreme_rows(NAMES, np.full((5, 3), np.nan), rows(1, 10), ids(10), NAMES)
    assert nothing_before.rows == ()
    assert nothing_before.features[0].bound is None
    assert find_extreme_rows(NAMES, rows(0, 50), rows(1, 0), ids(0), NAMES).beyond == 0


def test_an_infinite_value_is_a_finite_flag() -> None:
    new = rows(1, 10)
    new[3, 0] = np.inf
    (first, *_) = guard(new).rows
    assert first.id == "t00003"
    assert np.isfinite(first.excess)


def test_false_alarms_are_rare() -> None:
    alarms = sum(
        find_extreme_rows(NAMES, rows(2 * day + 10, 2_000), rows(2 * day + 11, 1_000), ids(1_000), NAMES).for_a_person
        for day in range(200)
    )
    assert alarms <= 7


def history(rates: dict[str, float], reviewed: int = 100, seed: int = 0) -> list[LabelEvent]:
    """Each row is labelled by a system, then looked at by a reviewer."""
    rng = np.random.default_rng(seed)
    events = []
    for reviewer, rate in rates.items():
        for number in range(reviewed):
            row = f"{reviewer}-{number}"
            before = int(rng.random() < 0.5)
            events.append(LabelEvent(row, before, None, number))
            events.append(LabelEvent(row, 1 - before if rng.random() < rate else before, reviewer, 1_000 + number))
    return events


HONEST = {"ada": 0.05, "ben": 0.05, "cleo": 0.05}


def test_the_reviewer_who_overturns_far_more_often_is_flagged() -> None:
    events = history({**HONEST, "mallory": 0.3})
    first, *others = find_overturning_reviewers(events)
    assert first.reviewer == "mallory"
    assert first.flagged
    assert first.reviewed == 100
    assert first.cleared + first.raised == first.overturned == len(first.ids)
    assert first.rate_of_others is not None
    assert first.rate_of_others < 0.1
    assert not any(record.flagged for record in others)


def test_the_test_is_fishers() -> None:
    from scipy.stats import fisher_exact

    for record in find_overturning_reviewers(history({**HONEST, "mallory": 0.3})):
        others = round((record.rate_of_others or 0) * 300)
        table = [[record.overturned, record.reviewed - record.overturned], [others, 300 - others]]
        assert record.p_value == pytest.approx(fisher_exact(table, alternative="greater").pvalue)


def test_honest_reviewers_are_not_flagged() -> None:
    flagged = [any(record.flagged for record in find_overturning_reviewers(history(HONEST, seed=seed))) for seed in range(100)]
    assert sum(flagged) <= 3


def test_few_overturned_labels_are_no_ground() -> None:
    events = history({"ada": 0.0, "ben": 0.0, "cleo": 0.0}, reviewed=1_000)
    events += [LabelEvent(f"ada-{number}", 2, "dan", 5_000) for number in range(4)]
    (first, *_) = find_overturning_reviewers(events)
    assert (first.reviewer, first.overturned, first.flagged) == ("dan", 4, False)
    assert first.p_value < 1e-6


def test_without_others_nobody_is_flagged() -> None:
    (only,) = find_overturning_reviewers(history({"ada": 0.9}))
    assert not only.flagged
    assert only.rate_of_others is None


def test_first_labels_and_systems_are_not_judged() -> None:
    events = [LabelEvent("a", 1, "ada", 1), LabelEvent("a", 0, None, 2), LabelEvent("a", 1, "ben", 3)]
    (record,) = find_overturning_reviewers(events)
    assert (record.reviewer, record.raised, record.cleared) == ("ben", 1, 0)


def test_the_order_in_which_labels_arrive_changes_nothing() -> None:
    events = history({**HONEST, "mallory": 0.3})
    shuffled = [events[place] for place in np.random.default_rng(1).permutation(len(events))]
    assert find_overturning_reviewers(shuffled) == find_overturning_reviewers(events)
