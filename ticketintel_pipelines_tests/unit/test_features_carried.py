"""States that are carried in memory: always those kept last, whatever happened in between."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.features.carried import CarriedStates
from ticketintel_pipelines.features.rows import Integers
from ticketintel_pipelines.features.states import States

KEYS = st.integers(-20, 20).map(lambda number: number * 2**57) | st.integers(0, 60)
STATES = st.dictionaries(KEYS, st.lists(st.integers(-9, 9), max_size=12), max_size=40)


def states_of(words: dict[int, list[int]]) -> States:
    lengths = np.array([len(some) for some in words.values()], np.int64)
    together = np.array([word for some in words.values() for word in some], np.int64)
    return States.in_a_row(np.array(list(words), np.int64), lengths, together)


def words_of(states: States) -> dict[int, list[int]]:
    return {key: states.of_place(place).tolist() for place, key in enumerate(states.keys.tolist())}


@given(steps=st.lists(STATES, max_size=8), beneath=STATES, wanted=st.lists(KEYS, unique=True, max_size=50))
@settings(max_examples=200, deadline=None)
def test_a_key_has_the_state_that_was_kept_last_or_the_one_beneath(
    steps: list[dict[int, list[int]]], beneath: dict[int, list[int]], wanted: list[int]
) -> None:
    def below(fold: str, keys: Integers) -> States:
        return states_of({key: beneath.get(key, []) for key in keys.tolist()})

    carried, expected = CarriedStates(below), dict(beneath)
    kept: dict[int, list[int]] = {}
    for step in steps:
        carried.keep("fold", states_of(step))
        expected |= step
        kept |= step
        found = carried.read("fold", np.array(wanted, np.int64))
        assert words_of(found) == {key: expected.get(key, []) for key in wanted}
        assert words_of(carried.states()["fold"]) == kept
        assert len(carried) == len(kept)


def test_many_keys_that_grow_and_shrink() -> None:
    random = np.random.default_rng(3)
    carried, expected = CarriedStates(), {}
    for _ in range(20):
        some = random.choice(5_000, 800, replace=False)
        step = {int(key): random.integers(0, 9, random.integers(0, 30)).tolist() for key in some}
        carried.keep("fold", states_of(step))
        expected |= step
    assert words_of(carried.states()["fold"]) == expected


def test_writing_stays_within_what_is_allocated() -> None:
    """Compiled code does not say so itself when it leaves an array."""
    random = np.random.default_rng(4)
    carried = CarriedStates()
    for length in (8, 30, 2, 5, 40, 1, 1, 1, 3, 60, 2, 2, 2):
        carried.keep("fold", states_of({int(key): [length] * length for key in random.choice(300, 200, replace=False)}))
        held = carried._held["fold"]
        slots = slice(held.slots)
        assert (held.lengths[slots] <= held.rooms[slots]).all()
        assert (held.starts[slots] + held.rooms[slots] <= held.used).all()
        assert held.used <= len(held.words)


def test_nothing_kept_leaves_what_is_beneath() -> None:
    assert words_of(CarriedStates().read("fold", np.array([1, 2]))) == {1: [], 2: []}
