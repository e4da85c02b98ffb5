"""Segments: clusters whose ids keep their meaning, names in words, and who lies outside."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.learning.examples import Floats, TooFewExamplesError
from ticketintel_pipelines.learning.segmenting.assessing import elbow, rand_index, silhouette
from ticketintel_pipelines.learning.segmenting.clusters import match
from ticketintel_pipelines.learning.segmenting.describing import AVERAGE, describe
from ticketintel_pipelines.learning.segmenting.grouping import (
    Grouped,
    Grouping,
    changed_meaning,
    fit_grouping,
    fit_quantiles,
    from_state,
)
from ticketintel_pipelines.learning.segmenting.outliers import fit_density, knee
from ticketintel_pipelines.learning.segmenting.scaling import Trait, fit_scaler, telling

AMOUNT = Trait("amount", "low amounts", "high amounts", logarithmic=True)
TIMES = Trait("times", "few purchases", "many purchases", logarithmic=True)
SHARE = Trait("share", "few resales", "many resales")
PAIR = Grouping("segment", "S", 3, (AMOUNT, TIMES))
CENTRES = ((2.0, 1.0), (20.0, 5.0), (500.0, 30.0))


def blobs(seed: int = 1, shift: float = 1.0, sizes: tuple[int, ...] = (200, 200, 200)) -> dict[str, Floats]:
    random = np.random.default_rng(seed)
    amount, times = (
        np.concatenate([one[place] * np.exp(random.normal(0, 0.2, size)) for one, size in zip(CENTRES, sizes, strict=True)])
        for place in (0, 1)
    )
    return {"amount": amount * shift, "times": times}


def _sizes(grouped: Grouped, columns: dict[str, Floats]) -> list[int]:
    return np.bincount(grouped.assign(columns)[0], minlength=3).tolist()


def test_ids_rise_with_the_first_trait_and_names_say_what_groups_are() -> None:
    grouped = fit_grouping(PAIR, blobs(sizes=(300, 200, 100)), 1)
    assert grouped.ids == ("S1", "S2", "S3")
    assert _sizes(grouped, blobs(sizes=(300, 200, 100))) == [300, 200, 100]
    assert "few purchases" in grouped.names[0]
    assert "low amounts" in grouped.names[0]
    assert "very high amounts" in grouped.names[2]


@pytest.mark.parametrize("seed", range(4))
def test_ids_stay_when_the_next_night_finds_the_groups_in_another_order(seed: int) -> None:
    first = fit_grouping(PAIR, blobs(), 1)
    turned = Grouped(first.grouping, first.traits, first.scaler, first.clusters, first.names)
    order = np.random.default_rng(seed).permutation(3)
    turned.clusters.centres[:] = first.clusters.centres[order]
    again = fit_grouping(PAIR, blobs(seed=9, shift=1.2), seed, turned)
    rows = blobs(seed=9, shift=1.2)
    assert (again.assign(rows)[0] == turned.assign(rows)[0]).mean() > 0.99


def test_ids_are_matched_in_the_scale_of_the_last_night() -> None:
    first = fit_grouping(PAIR, blobs(), 1)
    inflated = fit_grouping(PAIR, blobs(seed=2, shift=3.0), 1, first)
    assert _sizes(inflated, blobs(seed=2, shift=3.0)) == [200, 200, 200]
    assert np.argsort(inflated.scaler.raised(inflated.clusters.centres)[:, 0]).tolist() == [0, 1, 2]
    assert (inflated.moved > 0.1).all()
    assert changed_meaning(fit_grouping(PAIR, blobs(seed=3), 1, first), first) == []


def test_an_id_whose_centre_went_elsewhere_is_named() -> None:
    first = fit_grouping(PAIR, blobs(), 1)
    random = np.random.default_rng(4)
    elsewhere = blobs(seed=5)
    elsewhere["amount"][400:] = 0.05 * np.exp(random.normal(0, 0.2, 200))
    assert "S3" in changed_meaning(fit_grouping(PAIR, elsewhere, 1, first), first)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_the_matching_is_the_cheapest_of_all(number: int, seed: int) -> None:
    from itertools import permutations

    random = np.random.default_rng(seed)
    one, two = random.normal(size=(number, 3)), random.normal(size=(number, 3))
    squared = ((one[:, None] - two[None]) ** 2).sum(axis=2)
    place = match(one, two)
    cheapest = min(sum(squared[row, column] for row, column in enumerate(way)) for way in permutations(range(number)))
    assert squared[np.arange(number), place].sum() == pytest.approx(cheapest)
    assert sorted(place.tolist()) == list(range(number))


def test_equal_rows_and_seed_give_equal_states_which_come_back_whole() -> None:
    one, two = fit_grouping(PAIR, blobs(), 7), fit_grouping(PAIR, blobs(), 7)
    assert one.state() == two.state()
    back = from_state(PAIR, one.state())
    for mine, theirs in zip(one.assign(blobs(3)), back.assign(blobs(3)), strict=True):
        assert (mine == theirs).all()


def test_ids_go_on_when_traits_come_go_or_change_their_scale() -> None:
    first = fit_grouping(PAIR, blobs(), 1)
    grown = Grouping("segment", "S", 3, (Trait("amount", "less", "more", logarithmic=True, offset=0.5), TIMES, SHARE))
    rows = {**blobs(2), "share": np.repeat([0.1, 0.5, 0.9], 200) + np.random.default_rng(1).normal(0, 0.02, 600)}
    back = from_state(grown, first.state())
    assert (back.assign(rows)[0] == first.assign(rows)[0]).all()
    again = fit_grouping(grown, rows, 1, back)
    assert again.moved.shape == (3,)
    assert (again.assign(rows)[0] == first.assign(rows)[0]).mean() > 0.95


def test_a_row_is_grouped_the_same_alone_and_among_others() -> None:
    grouped, rows = fit_grouping(PAIR, blobs(), 1), blobs(4)
    place, distance = grouped.assign(rows)
    for row in (0, 250, 599):
        alone = grouped.assign({name: values[row : row + 1] for name, values in rows.items()})
        assert (alone[0][0], alone[1][0]) == (place[row], distance[row])


def test_too_few_or_all_alike_are_refused() -> None:
    with pytest.raises(TooFewExamplesError, match="too few"):
        fit_grouping(PAIR, blobs(sizes=(10, 10, 10)), 1)
    same = {"amount": np.ones(100), "times": np.full(100, 3.0)}
    with pytest.raises(TooFewExamplesError, match="same traits"):
        fit_grouping(PAIR, same, 1)
    with pytest.raises(TooFewExamplesError, match="different descriptions"):
        fit_grouping(PAIR, {**same, "amount": np.repeat([1.0, 2.0], 50)}, 1)


def test_an_unknown_value_counts_as_that_of_the_mean_row() -> None:
    raised = np.array([[1.0], [3.0], [math.nan]])
    assert fit_scaler(raised).scaled(raised).ravel().tolist() == [-1.0, 1.0, 0.0]


def test_traits_that_nothing_is_known_of_or_that_are_equal_are_left_out() -> None:
    values = np.column_stack([[1.0, 2.0, 3.0], [math.nan] * 3, [0.1] * 3])
    assert telling((AMOUNT, TIMES, SHARE), values) == [0]


def test_names_are_words_for_the_furthest_traits_and_never_the_same() -> None:
    centres = np.array([[2.0, 0.0, -0.6], [0.1, 0.2, 0.0], [-0.5, -0.4, 0.0], [-0.5, -0.4, 0.2], [-0.5, -0.4, 0.2]])
    names = describe((AMOUNT, TIMES, SHARE), centres)
    assert names[0] == "very high amounts, few resales"
    assert names[1] == AVERAGE
    assert names[2].startswith("low amounts, few purchases; rather few resales")
    assert len(set(names)) == 5


def test_a_row_far_from_all_is_an_outlier_and_one_amidst_them_is_not() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(2_000, 3))
    density = fit_density(rows, 1)
    assert density.outliers(np.array([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0]])).tolist() == [False, True]
    assert 0 < density.outliers(rows).mean() < 0.1


def test_outliers_of_the_rows_fitted_to_are_those_of_dbscan() -> None:
    from sklearn.cluster import DBSCAN

    random = np.random.default_rng(2)
    rows = np.concatenate([random.normal(size=(400, 2)), random.uniform(-8, 8, (30, 2))])
    density = fit_density(rows, 1)
    labels = DBSCAN(eps=density.radius, min_samples=density.neighbours).fit(rows).labels_
    assert ((labels == -1) == density.outliers(rows)).all()
    assert (labels == -1).any()


def test_the_knee_is_where_the_curve_turns_up() -> None:
    assert knee(np.concatenate([np.linspace(0, 1, 91), np.linspace(2, 20, 10)])) == 1.0
    assert knee(np.full(5, 2.0)) == 2.0


def test_the_number_of_clear_groups_is_found() -> None:
    grouped = fit_grouping(PAIR, blobs(), 1)
    found = elbow(grouped.scaled(blobs()), 1)
    assert found.clearest == 3
    assert found.bend == 3


def test_figures_of_groupings() -> None:
    one = np.array([0, 0, 1, 1, 2, 2])
    assert rand_index(one, 2 - one) == 1.0
    assert rand_index(one, np.array([0, 1, 0, 1, 0, 1])) < 0
    assert silhouette(np.array([[0.0], [0.1], [9.0], [9.1]]), np.array([0, 0, 1, 1])).min() > 0.9
    assert silhouette(np.zeros((3, 1)), np.zeros(3, np.int64)).tolist() == [0, 0, 0]
    assert fit_quantiles(np.arange(9.0), 3).assign(np.array([-1.0, 4.0, 99.0])).tolist() == [0, 1, 2]
