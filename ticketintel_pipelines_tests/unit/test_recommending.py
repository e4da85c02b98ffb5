"""Ranking, neighbours, factors, rules and blending, apart from any domain."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.sparse import csr_matrix

from ticketintel_pipelines.learning.recommending import ranking
from ticketintel_pipelines.learning.recommending.assessing import ITEM_KNN, PLAIN, RECENT, SAME_FOR_ALL, compare, judge
from ticketintel_pipelines.learning.recommending.attributes import around, near_knots, one_hot, side_by_side
from ticketintel_pipelines.learning.recommending.blending import choices, learn_weights
from ticketintel_pipelines.learning.recommending.explaining import SOURCES, main_sources, nearest_bought
from ticketintel_pipelines.learning.recommending.factors import factorise
from ticketintel_pipelines.learning.recommending.judging import ndcg, recall, recommended
from ticketintel_pipelines.learning.recommending.known import Known, make_trial
from ticketintel_pipelines.learning.recommending.neighbours import similarities
from ticketintel_pipelines.learning.recommending.ranking import NONE, best, best_for, pieces
from ticketintel_pipelines.learning.recommending.recommender import WITH_HISTORY, Recommender, learn_recommender
from ticketintel_pipelines.learning.recommending.rules import best_rules, find_rules, frequent_sets
from ticketintel_pipelines.learning.recommending.signals import Settings, Signal, content_signals, popularity
from ticketintel_pipelines_tests.recommending_world import taste_world

LEVELS = st.sampled_from([-np.inf, 0.0, 0.5, 1.0, 2.0])
"""Few, so that there are ties."""
BASKETS = arrays.arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 6)), elements=st.sampled_from([0.0, 1.0]))


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 25)), elements=LEVELS), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_the_best_are_those_of_a_plain_sort_and_of_equals_the_first(scores: np.ndarray, count: int) -> None:
    found = best(scores, count)
    for row, values in zip(found, scores, strict=True):
        plain = [place for place in np.argsort(-values, kind="stable") if values[place] > -np.inf][:count]
        assert row[: len(plain)].tolist() == plain
        assert (row[len(plain) :] == NONE).all()


def test_lists_are_the_same_in_pieces_and_hold_nothing_that_was_bought(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(50, 30)).astype(np.float32)
    bought = csr_matrix((rng.random((50, 30)) < 0.3).astype(np.float32))
    rows = np.arange(0, 50, 2)
    whole, values = best_for(rows, lambda some: scores[some].copy(), bought, 10)
    monkeypatch.setattr(ranking, "PIECE_CELLS", 100)
    assert len(list(pieces(rows, 30))) > 5
    in_pieces, _ = best_for(rows, lambda some: scores[some].copy(), bought, 10)
    np.testing.assert_array_equal(whole, in_pieces)
    assert not bought.toarray()[rows[:, None], whole].any()
    np.testing.assert_array_equal(values, scores[rows[:, None], whole])


def test_whoever_bought_all_but_two_is_recommended_two() -> None:
    bought = csr_matrix(np.array([[1, 1, 0, 1, 0]], np.float32))
    found, values = best_for(np.array([0]), lambda rows: np.ones((1, 5), np.float32), bought, 4)
    assert found.tolist() == [[2, 4, NONE, NONE]]
    assert np.isnan(values[0]).tolist() == [False, False, True, True]


def test_recall_and_ndcg_by_hand() -> None:
    found = np.array([[3, 1, 0], [2, NONE, NONE]])
    relevant = np.array([[False, True, True, False], [False, False, True, False]])
    assert recall(found, relevant).tolist() == [0.5, 1.0]
    second, ideal = 1 / np.log2(3), 1 + 1 / np.log2(3)
    np.testing.assert_allclose(ndcg(found, relevant), [second / ideal, 1.0])


def test_what_was_bought_before_or_is_not_on_offer_judges_nobody() -> None:
    known = Known(3, 4, np.array([0]), np.array([1]), np.array([2.0]), np.array([1, 3]))
    trial = make_trial(known, np.array([0, 0, 1, 2]), np.array([1, 3, 2, 1]))
    assert trial.rows.tolist() == [0, 2]
    assert trial.relevant.tolist() == [[False, True], [True, False]]


def test_popularity_halves_with_every_half_life() -> None:
    known = Known(2, 2, np.array([0, 1, 0]), np.array([0, 0, 1]), np.array([0.0, 4.0, 2.0]), np.array([0, 1]))
    assert popularity(known).tolist() == [2.0, 1.0]
    assert popularity(known, 2.0).tolist() == [1.25, 0.5]


def test_attributes_that_are_near_have_a_high_cosine() -> None:
    price = near_knots(np.array([3.0, 3.2, 5.9, np.nan]), (3.0, 4.0, 5.0, 6.0))
    near, far, unknown = price[0] @ price[1], price[0] @ price[2], price[3]
    assert near > 0.9 > far == 0
    assert not unknown.any()
    hours = around(np.array([23.0, 1.0, 12.0]), 24.0)
    assert hours[0] @ hours[1] > 0.8 > 0 > hours[0] @ hours[2]
    both = side_by_side(one_hot(["a", "b", "", "x"], ["a", "b"]), one_hot(["u", "u", "", "u"], ["u"]))
    np.testing.assert_allclose(
        both @ both.T, [[1, 0.5, 0, 0.7071], [0.5, 1, 0, 0.7071], [0] * 4, [0.7071, 0.7071, 0, 1]], atol=1e-4
    )


def test_content_is_the_cosine_to_what_was_bought() -> None:
    block = one_hot(["a", "b", "a", "c"], ["a", "b", "c"])
    known = Known(2, 4, np.array([0, 0]), np.array([0, 1]), np.zeros(2), np.array([2, 3]), {"kind": block})
    (signal,) = content_signals(known)
    np.testing.assert_allclose(signal.of(np.array([0, 1])), [[np.sqrt(0.5), 0], [0, 0]], rtol=1e-6)


@given(BASKETS, st.sampled_from([0.0, 2.0]), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_similarities_are_cosines_over_buyers(bought: np.ndarray, shrink: float, neighbours: int) -> None:
    items = bought.shape[1]
    found = similarities(csr_matrix(bought), np.arange(items), neighbours, shrink)
    for one in range(items):
        column = [
            float(bought[:, other] @ bought[:, one]) / (np.sqrt(bought[:, other].sum() * bought[:, one].sum()) + shrink)
            if other != one and (bought[:, other] * bought[:, one]).any()
            else 0.0
            for other in range(items)
        ]
        least = sorted(column, reverse=True)[min(neighbours, items) - 1]
        np.testing.assert_allclose(found[:, one], [value if value >= least - 1e-9 else 0 for value in column], rtol=1e-5)


def test_factors_are_equal_byte_for_byte_and_know_nothing_of_nobody() -> None:
    bought = csr_matrix(np.vstack([(np.random.default_rng(2).random((80, 20)) < 0.2), np.zeros((1, 20))]).astype(np.float32))
    first, second = (factorise(bought, 8, 0.1, 10.0, 5, seed=3) for _ in range(2))
    assert [one.tobytes() for one in first] == [one.tobytes() for one in second]
    assert not first[0][-1].any()
    assert factorise(bought, 8, 0.1, 10.0, 5, seed=4)[0].tobytes() != first[0].tobytes()


@given(BASKETS, st.sampled_from([0.05, 0.2, 0.5]))
@settings(max_examples=40, deadline=None)
def test_fpgrowth_finds_the_sets_that_apriori_and_counting_find(bought: np.ndarray, least: float) -> None:
    baskets = csr_matrix(bought)
    found = frequent_sets(baskets, least)
    assert found == pytest.approx(frequent_sets(baskets, least, apriori=True))
    counted = {
        items: float(bought[:, items].all(axis=1).mean())
        for size in (1, 2, 3)
        for items in itertools.combinations(range(bought.shape[1]), size)
    }
    assert found == pytest.approx({items: share for items, share in counted.items() if share >= least})


def test_rules_say_what_was_counted_and_go_to_who_bought_their_items() -> None:
    rng = np.random.default_rng(5)
    bought = (rng.random((200, 5)) < 0.3).astype(np.float32)
    bought[:, 4] = np.where(bought[:, 0] * bought[:, 1] > 0, rng.random(200) < 0.9, rng.random(200) < 0.1)
    baskets = csr_matrix(bought)
    rules = find_rules(baskets, np.array([4]))
    assert rules[0].bought == (0, 1)
    for rule in rules:
        have = bought[:, rule.bought].all(axis=1)
        assert rule.item == 4
        assert rule.support == pytest.approx((have & (bought[:, 4] > 0)).mean())
        assert rule.confidence == pytest.approx(bought[have, 4].mean())
        assert rule.lift == pytest.approx(bought[have, 4].mean() / bought[:, 4].mean())
        assert rule.lift > 1
    assert [rule.confidence for rule in rules] == sorted((rule.confidence for rule in rules), reverse=True)
    users, items = np.repeat(np.arange(200), 2), np.tile([4, 3], 200)
    for user, item, place in zip(users, items, best_rules(rules, baskets, users, items), strict=True):
        fitting = [at for at, rule in enumerate(rules) if rule.item == item and bought[user, rule.bought].all()]
        assert place == (fitting[0] if fitting else -1)


def test_no_rule_rests_on_fewer_buyers_than_five() -> None:
    bought = np.zeros((50, 2), np.float32)
    bought[:4] = 1
    assert find_rules(csr_matrix(bought), np.array([0, 1])) == []
    bought[:5] = 1
    assert len(find_rules(csr_matrix(bought), np.array([0, 1]))) == 2


def test_weights_find_back_what_choices_were_made_by() -> None:
    rng = np.random.default_rng(6)
    rows, candidates, true = 4_000, 12, np.array([1.5, -0.5, 0.0])
    values = rng.normal(size=(rows, candidates, 3)) * np.array([1.0, 1.0, 5.0])
    possible = rng.random((rows, candidates)) < 0.8
    possible[:, 0] = True
    utility = np.where(possible, values @ true + rng.gumbel(size=(rows, candidates)), -np.inf)
    relevant = np.zeros((rows, candidates), dtype=bool)
    relevant[np.arange(rows), utility.argmax(axis=1)] = True
    parts = [(values[part], relevant[part], possible[part]) for part in (slice(0, 1_500), slice(1_500, None))]
    np.testing.assert_allclose(learn_weights(parts), true, atol=0.08)
    scaled = [(some * np.array([10.0, 1.0, 1.0]), chosen, could) for some, chosen, could in parts]
    np.testing.assert_allclose(learn_weights(scaled), learn_weights(parts) / np.array([10.0, 1.0, 1.0]), rtol=1e-6)


def test_the_choices_of_many_users_are_drawn_by_the_seed() -> None:
    trial = taste_world(200, 20, 3.0, seed=1)
    signal = Signal("one", "popular", np.ones((200, 1), np.float32), np.ones((1, 20), np.float32))
    everybody = np.ones(len(trial.rows), dtype=bool)
    first, again, other = (choices(trial, [signal], everybody, seed, 20 * 40) for seed in (1, 1, 2))
    assert first[1].shape == (40, 20)
    assert (first[1] == again[1]).all()
    assert (first[1] != other[1]).any()


def test_where_there_is_taste_the_blend_beats_popularity_and_neighbours() -> None:
    earlier, later = (taste_world(1_500, 120, 6.0, seed, taste=2.5) for seed in (10, 10))
    recommender = learn_recommender([earlier], 1)
    other = taste_world(1_500, 120, 6.0, 11, taste=2.5)
    judged = judge(recommender, [other])
    found = compare(judged, other.rows, lambda lists: f"{lists}")
    assert {one.baseline for one in found} == {RECENT, PLAIN, ITEM_KNN, SAME_FOR_ALL}
    assert all(one.beats for one in found)
    strongest = max(judged.ndcg[name].mean() for name in (RECENT, PLAIN, ITEM_KNN))
    assert found[0].other.value == pytest.approx(strongest)
    assert recommender.weights[WITH_HISTORY]["group"] > 0
    assert learn_recommender([later], 1).dump() == recommender.dump()


def test_where_there_is_no_taste_nothing_personal_is_claimed_to_help() -> None:
    recommender = learn_recommender([taste_world(1_000, 60, 4.0, 20, taste=0.0)], 1)
    other = taste_world(1_000, 60, 4.0, 21, taste=0.0)
    found = compare(judge(recommender, [other]), other.rows, lambda lists: f"{lists}")
    assert not any(one.beats for one in found if one.baseline == SAME_FOR_ALL)


def test_a_stored_recommender_recommends_the_same() -> None:
    trial = taste_world(300, 40, 4.0, 3, newest=0.2)
    recommender = learn_recommender([trial], 1)
    again = Recommender.load(recommender.dump())
    assert again == recommender
    lists = [recommended(trial, one.prepare(trial.known).scores) for one in (recommender, again)]
    np.testing.assert_array_equal(*lists)


def test_contributions_add_up_to_the_score_above_the_mean() -> None:
    trial = taste_world(100, 30, 5.0, 4, newest=0.3)
    prepared = learn_recommender([trial], 1).prepare(trial.known)
    rows, chosen = np.repeat(np.arange(100), 2), np.tile([3, 17], 100)
    scores = prepared.scores(np.arange(100))
    expected = scores[rows, chosen] - scores.mean(axis=1)[rows]
    np.testing.assert_allclose(prepared.contributions(rows, chosen).sum(axis=1), expected, atol=1e-4)


def test_who_bought_nothing_gets_what_is_popular_and_others_the_nearest_item_as_a_reason() -> None:
    trial = taste_world(200, 30, 5.0, 4, newest=0.3)
    known = trial.known
    prepared = learn_recommender([trial], 1).prepare(known)
    new = np.flatnonzero(~known.has_history)
    chosen, _ = prepared.top(new, 5)
    assert (chosen == chosen[0]).all()
    source, _ = main_sources(prepared, np.repeat(new, 5), chosen.ravel())
    assert {SOURCES[one] for one in source} == {"popular"}
    bought, (signal,) = known.bought().toarray() > 0, [one for one in prepared.signals if one.name == "neighbours"]
    rows = np.arange(200)
    found, value = nearest_bought(prepared, rows, np.full(200, 7))
    for row in rows:
        near = np.where(bought[row], signal.items[:, 7], 0)
        assert found[row] == (near.argmax() if near.max() > 0 else -1)
        assert value[row] == near.max()


def test_nothing_on_offer_is_an_empty_list() -> None:
    known = Known(
        3, 2, np.array([0, 1]), np.array([0, 1]), np.ones(2), np.zeros(0, np.int64), {"kind": np.eye(2, dtype=np.float32)}
    )
    prepared = Recommender(Settings(), {"with_history": {}, "without_history": {}}, 1).prepare(known)
    chosen, scores = prepared.top(np.arange(3), 10)
    assert (chosen == NONE).all()
    assert np.isnan(scores).all()
