"""Centrality against the solution of PageRank's linear equations, worked out densely, and against what must not matter."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.features.graph import TOLERANCE, Centrality, centrality
from ticketintel_pipelines.features.rows import MISSING, Integers

Transfers = Sequence[tuple[int, int]]

HIGHEST = 2**63 - 1

# Few wallets, so that pairs repeat; far apart, as hashes are; some transfers lack an end or go back to where they came from.
ends = st.sampled_from([HIGHEST, -HIGHEST, 0, 1, 2, 3, 5, 8, 2**62, int(MISSING)])
worlds = st.lists(st.tuples(ends, ends), max_size=60)


def arrays(transfers: Transfers) -> tuple[Integers, Integers]:
    return tuple(np.array([transfer[end] for transfer in transfers], np.int64) for end in range(2))


def central(transfers: Transfers) -> Centrality:
    return centrality(*arrays(transfers))


def bits(found: Centrality) -> list[bytes]:
    return [column.tobytes() for column in (found.key, found.score, found.givers, found.receivers)]


def scores(transfers: Transfers) -> dict[int, float]:
    found = central(transfers)
    return dict(zip(found.key.tolist(), found.score.tolist(), strict=True))


def solved(transfers: Transfers) -> dict[int, float]:
    """PageRank times the number of wallets, from its equations instead of steps."""
    weights = Counter(pair for pair in transfers if MISSING not in pair and pair[0] != pair[1])
    keys = sorted({key for pair in weights for key in pair})
    passed_on = np.zeros((len(keys), len(keys)))
    for column, giver in enumerate(keys):
        given_away = sum(weights[giver, receiver] for receiver in keys)
        for row, receiver in enumerate(keys):
            passed_on[row, column] = weights[giver, receiver] / given_away if given_away else 1 / len(keys)
    found = np.linalg.solve(np.eye(len(keys)) - 0.85 * passed_on, np.full(len(keys), 0.15))
    return dict(zip(keys, found.tolist(), strict=True))


@settings(deadline=None)
@given(worlds)
def test_scores_are_those_of_the_equations(transfers: Transfers) -> None:
    assert scores(transfers) == pytest.approx(solved(transfers), rel=1e-7)


@settings(deadline=None)
@given(worlds)
def test_keys_are_in_order_and_scores_average_to_one(transfers: Transfers) -> None:
    found = central(transfers)
    assert (found.key[1:] > found.key[:-1]).all()
    assert found.score.sum() == pytest.approx(len(found.key), rel=1e-12)


@settings(deadline=None)
@given(worlds)
def test_counterparties_are_counted_once_each(transfers: Transfers) -> None:
    pairs = {pair for pair in transfers if MISSING not in pair and pair[0] != pair[1]}
    found = central(transfers)
    for place, key in enumerate(found.key.tolist()):
        assert found.givers[place] == sum(receiver == key for _, receiver in pairs)
        assert found.receivers[place] == sum(giver == key for giver, _ in pairs)


@settings(deadline=None)
@given(worlds, st.randoms(use_true_random=False))
def test_the_order_of_the_transfers_changes_no_bit(transfers: Transfers, random: Random) -> None:
    shuffled = random.sample(transfers, len(transfers))
    assert bits(central(shuffled)) == bits(central(transfers))


def test_the_order_of_many_transfers_changes_no_bit() -> None:
    random = np.random.default_rng(11)
    keys = random.integers(0, HIGHEST, 3_000)
    giver, receiver = (keys[(3_000 * random.power(0.3, 40_000)).astype(np.int64)] for _ in range(2))
    order = random.permutation(len(giver))
    assert bits(centrality(giver[order], receiver[order])) == bits(centrality(giver, receiver))


def test_an_earlier_graph_leaves_nothing_behind() -> None:
    today = [(1, 2), (2, 3), (3, 1), (3, 4)]
    alone = bits(central(today))
    central([(4, 3), (9, 1)])
    assert bits(central(today)) == alone


def test_no_transfers_no_wallets() -> None:
    for transfers in ([], [(1, int(MISSING)), (int(MISSING), 2), (3, 3)]):
        found = central(transfers)
        assert [len(column) for column in (found.key, found.score, found.givers, found.receivers)] == [0] * 4
        assert [column.dtype for column in (found.key, found.score, found.givers, found.receivers)] == ["i8", "f8", "i8", "i8"]


def test_one_transfer() -> None:
    found = central([(7, 3)])
    assert found.key.tolist() == [3, 7]
    # The receiver gives nothing on: half of what it has goes to each. Solved by hand.
    assert found.score.tolist() == pytest.approx([37 / 28.5, 20 / 28.5], rel=1e-9)
    assert (found.givers.tolist(), found.receivers.tolist()) == ([1, 0], [0, 1])


def test_a_ring_has_no_centre_and_size_does_not_matter() -> None:
    for size in (3, 1_000):
        ring = scores([(wallet, (wallet + 1) % size) for wallet in range(size)])
        assert list(ring.values()) == pytest.approx([1.0] * size, rel=1e-9)


def test_wallets_that_only_receive_take_from_all_alike() -> None:
    hoarded = scores([(1, 9), (2, 9), (3, 9)])
    assert hoarded[9] > 1 > hoarded[1] == hoarded[2] == hoarded[3] > 0.15
    assert sum(hoarded.values()) == pytest.approx(4, rel=1e-12)


def test_a_pair_counts_as_often_as_it_passes_something() -> None:
    often = scores([(1, 2)] * 3 + [(1, 3), (2, 1), (3, 1)])
    assert often[2] - 0.15 == pytest.approx(3 * (often[3] - 0.15), rel=1e-9)


def test_a_giver_whose_only_gift_was_to_itself_is_no_wallet_of_the_graph() -> None:
    assert scores([(1, 2), (5, 5), (1, int(MISSING))]) == scores([(1, 2)])


def test_slowly_mixing_graphs_settle_as_well() -> None:
    """One passes everything to many, who pass it back: each step leaves 0.85 of the change of the last."""
    star = [pair for wallet in range(1, 60) for pair in ((0, wallet), (wallet, 0))]
    found, exact = scores(star), solved(star)
    assert np.mean([abs(found[wallet] - exact[wallet]) for wallet in exact]) < 6 * TOLERANCE


@pytest.mark.parametrize(
    ("giver", "receiver"),
    [
        (np.array([1, 2]), np.array([1])),
        (np.array([1]), np.array([1, 2])),
        (np.array([1.0]), np.array([2])),
        (np.array([1]), np.array([2], np.int32)),
        (np.array([[1]]), np.array([[2]])),
    ],
)
def test_what_are_no_transfers_is_refused(giver: np.ndarray, receiver: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be 64-bit integers"):
        centrality(giver, receiver)
