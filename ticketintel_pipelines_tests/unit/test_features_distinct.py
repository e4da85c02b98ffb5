"""Different values of a key between nights: what is read and written follows from the values that a night meets."""

import numpy as np

from ticketintel_pipelines.features.distinct import pairs_of
from ticketintel_pipelines.features.folds import Distinct, Fold, run_fold, stored_states
from ticketintel_pipelines.features.places import keys_at, pair_keys, places_of
from ticketintel_pipelines.features.rows import Integers, Rows
from ticketintel_pipelines.features.states import States

FOLD = Fold("kinds", "facts", "key", Distinct(), "facts", "key", ("kind",), "kind")
KEY = 7


def night(kinds: list[int], known: set[int]) -> tuple[dict[str, list[int]], dict[str, States], list[int]]:
    """Answers, what is stored, and how many states were read by name, of rows that are seen one after the other."""
    count = len(kinds)
    rows = Rows({"seen": np.arange(count), "key": np.full(count, KEY), "kind": np.array(kinds)})
    read = []

    def stored_before(name: str, keys: Integers) -> States:
        read.append(len(keys))
        if name == FOLD.name:
            return States.in_a_row(keys, np.ones(len(keys), np.int64), np.full(len(keys), len(known)))
        assert name == pairs_of(FOLD.name)
        of_known = pair_keys(np.full(len(known), KEY), np.array(sorted(known)))
        there = np.isin(keys, of_known).astype(np.int64)
        return States.in_a_row(keys, there, np.zeros(there.sum(), np.int64))

    folded = run_fold(FOLD, {"facts": rows}, count, stored_before)
    answers = {name: column.tolist() for name, column in folded.answers.items()}
    return answers, stored_states([FOLD], {FOLD.name: folded.states}), read


def test_a_night_handles_the_values_it_meets_however_many_a_key_has() -> None:
    answers, stored, read = night([3, 100_001, 3, 100_001, 100_002], set(range(100_000)))
    assert answers == {"kinds_distinct": [100_000, 100_000, 100_001, 100_001, 100_001], "kinds_is_new": [0, 1, 0, 0, 1]}
    assert read == [1, 5]
    assert stored[FOLD.name].of_place(0).tolist() == [100_002]
    of_pairs = stored[pairs_of(FOLD.name)]
    met = np.array([3, 100_001, 100_002])
    assert of_pairs.keys.tolist() == pair_keys(np.full(3, KEY), met).tolist()
    assert of_pairs.words.tolist() == met.tolist()


def test_nothing_is_looked_up_for_a_key_without_earlier_values() -> None:
    answers, _, read = night([1, 1], set())
    assert answers["kinds_is_new"] == [1, 0]
    assert read == [1]


def test_pairs_of_a_value_lie_together_and_none_has_the_key_of_another() -> None:
    random = np.random.default_rng(5)
    keys = np.concatenate([np.arange(-500, 500), random.integers(-(2**63), 2**63 - 1, 1000)])
    values = np.concatenate([np.arange(-50, 50), random.integers(-(2**63), 2**63 - 1, 100)])
    pairs = pair_keys(np.repeat(keys, len(values)), np.tile(values, len(keys)))
    assert len(np.unique(pairs)) == len(pairs) == 400_000
    zones = (places_of(pairs) >> 52).reshape(len(keys), len(values))
    assert (zones == zones[0]).all()
    assert len(np.unique(zones)) > 150


def test_a_place_leads_back_to_its_key() -> None:
    keys = np.random.default_rng(6).integers(-(2**63), 2**63 - 1, 1000)
    assert (keys_at(places_of(keys)) == keys).all()
