"""States between nights: what a checkpoint gives back, what is forgotten, what a death leaves."""

import os
import signal
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.features import segments
from ticketintel_pipelines.features import store as store_module
from ticketintel_pipelines.features.places import pair_keys
from ticketintel_pipelines.features.segments import Block, Segment
from ticketintel_pipelines.features.states import States
from ticketintel_pipelines.features.store import KEPT_DAYS, StateStore

FIRST = date(2026, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def states_of(words: dict[int, list[int]]) -> States:
    lengths = np.array([len(found) for found in words.values()], np.int64)
    together = np.array([word for found in words.values() for word in found], np.int64)
    return States.in_a_row(np.array(list(words), np.int64), lengths, together)


def read(store: StateStore, at: date, *keys: int, fold: str = "fold") -> list[list[int]]:
    found = store.reader(at)(fold, np.array(keys, np.int64))
    return [found.of_place(place).tolist() for place in range(len(keys))]


def commit(store: StateStore, at: date, words: dict[int, list[int]]) -> None:
    """On top of the checkpoint before."""
    store.commit(at, {"fold": states_of(words)}, store.checkpoint_before(at))


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "states" / "family")


def test_each_key_is_as_it_was_at_the_end_of_the_day(store: StateStore) -> None:
    commit(store, day(0), {1: [1, 2], 2: [3]})
    commit(store, day(1), {2: [4, 5]})
    assert read(store, day(0), 2, 1, 9) == [[3], [1, 2], []]
    assert read(store, day(1), 2, 1, 9) == [[4, 5], [1, 2], []]
    assert read(store, day(1), 1, fold="another") == [[]]
    assert store.checkpoint_before(day(0)) is None
    assert store.checkpoint_before(day(1)) == day(0)


def test_a_day_that_is_worked_out_again_takes_the_later_ones_with_it(store: StateStore) -> None:
    for number in range(4):
        commit(store, day(number), {1: [number]})
    commit(store, day(1), {1: [10]})
    assert read(store, day(1), 1) == [[10]]
    assert store.checkpoint_before(day(9)) == day(1)


def test_days_between_a_checkpoint_and_what_was_made_from_it_are_gone(store: StateStore) -> None:
    for number in range(6):
        commit(store, day(number), {1: [number], 2: [number]})
    store.commit(day(5), {"fold": states_of({1: [50]})}, day(1))
    assert store.checkpoint_before(day(5)) == day(1)
    assert read(store, day(5), 1, 2) == [[50], [1]]


def test_states_made_from_the_beginning_leave_nothing_of_the_others(store: StateStore) -> None:
    commit(store, day(0), {1: [1]})
    store.commit(day(3), {"fold": states_of({2: [2]})}, None)
    assert read(store, day(3), 1, 2) == [[], [2]]
    assert store.checkpoint_before(day(3)) is None


def test_states_cannot_stand_on_a_day_that_is_no_checkpoint(store: StateStore) -> None:
    commit(store, day(1), {1: [1]})
    for after in (day(0), day(2)):
        with pytest.raises(ValueError, match="cannot stand on"):
            store.commit(day(2), {"fold": states_of({1: [2]})}, after)
        with pytest.raises(ValueError, match="no checkpoint"):
            store.reader(after)
    assert read(store, day(1), 1) == [[1]]


def test_old_states_go_and_the_newest_of_a_key_stays(store: StateStore) -> None:
    commit(store, day(0), {1: [1], 2: [2]})
    last = 3 * KEPT_DAYS
    for number in range(1, last + 1):
        commit(store, day(number), {1: [number] * 1000})
    kept = last - KEPT_DAYS
    assert read(store, day(last), 1, 2) == [[last] * 1000, [2]]
    assert read(store, day(kept), 1) == [[kept] * 1000]
    assert store.checkpoint_before(day(kept)) is None
    # What no kept day needs takes up room until it is merged.
    assert sum(path.stat().st_size for path in store.path.iterdir()) < 1.5 * KEPT_DAYS * 8000


def test_files_stay_few(store: StateStore) -> None:
    most = 0
    for number in range(200):
        commit(store, day(number), {number: [number], -number: [number]})
        most = max(most, len(list(store.path.iterdir())))
    assert most < KEPT_DAYS + 20
    assert read(store, day(199), *range(200)) == [[number] for number in range(200)]


def test_what_is_merged_has_the_keys_it_was_made_of_and_no_others(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    wanted = random.integers(-(2**63), 2**63 - 1, 30_000)
    nights = [wanted[:8_000], wanted[6_000:20_000]]
    paths = [tmp_path / str(number) for number in range(3)]
    for number, keys in enumerate(nights):
        states = States.in_a_row(keys, np.ones(len(keys), np.int64), np.full(len(keys), number))
        segments.write_segment(paths[number], [{"fold": Block.of(states)}])
    segments.write_segment(paths[2], segments.merge([Segment(path) for path in paths[:2]]))
    found = segments.find_states([Segment(paths[2])], "fold", wanted)
    assert found.lengths.tolist() == [1] * 20_000 + [0] * 10_000
    assert found.words.tolist() == [0] * 6_000 + [1] * 14_000


def test_what_was_merged_is_merged_again_in_parts_of_about_equal_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With places spread evenly, and with those of pairs that have five values."""
    monkeypatch.setattr(segments, "MERGED_ROWS", 1000)
    random = np.random.default_rng(3)
    merged = []
    for number in range(4):
        paths = [tmp_path / f"{number}-{part}" for part in range(3)]
        for path in paths[:2]:
            keys = random.integers(-(2**63), 2**63 - 1, 4_000)
            pairs = pair_keys(keys, random.integers(0, 5, len(keys)))
            blocks = {
                name: Block.of(States.in_a_row(of, np.ones_like(of), of)) for name, of in (("keys", keys), ("pairs", pairs))
            }
            segments.write_segment(path, [blocks])
        segments.write_segment(paths[2], segments.merge([Segment(path) for path in paths[:2]]))
        merged.append(Segment(paths[2]))
    sizes = [len(block.places) for batch in segments.merge(merged) for block in batch.values()]
    assert sum(sizes) == 64_000
    assert max(sizes) < 1500
    assert min(sizes) > 500


def test_a_reader_goes_on_with_what_it_was_made_for(store: StateStore) -> None:
    commit(store, day(0), {1: [1]})
    reader = store.reader(day(0))
    for number in range(1, 20):
        store.commit(day(number), {"fold": states_of({1: [number]})}, None)
    assert reader("fold", np.array([1], np.int64)).words.tolist() == [1]


def test_states_of_another_layout_are_made_again(store: StateStore) -> None:
    commit(store, day(0), {1: [1]})
    listing = store.path / "segments.json"
    listing.write_text(listing.read_text().replace('"layout": 2', '"layout": 1'))
    assert store.checkpoint_before(day(1)) is None
    store.commit(day(2), {"fold": states_of({2: [2]})}, None)
    assert read(store, day(2), 1, 2) == [[], [2]]
    assert len(list(store.path.glob("*.arrow"))) == 1


STEPS = st.lists(
    st.tuples(st.integers(0, 12), st.dictionaries(st.integers(-6, 6), st.lists(st.integers(0, 9), max_size=3), max_size=8)),
    max_size=40,
)


@given(steps=STEPS, at_once=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_any_order_of_days_reads_as_if_every_day_had_been_kept(
    steps: list[tuple[int, dict[int, list[int]]]], at_once: int
) -> None:
    """Each step goes on from the last checkpoint or works some last days out again; all kept days are read after each."""
    keys = range(-6, 7)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        # Merged in several parts.
        patched.setattr(segments, "MERGED_ROWS", at_once)
        store = StateStore(Path(folder) / "family")
        known: dict[int, dict[int, list[int]]] = {}
        for back, words in steps:
            number = max(known, default=-1) + 7 - back
            earlier = [at for at in known if at < number]
            after = max(earlier, default=None)
            store.commit(day(number), {"fold": states_of(words)}, None if after is None else day(after))
            known = {at: known[at] for at in earlier}
            known[number] = (known[after] if after is not None else {}) | words
            kept_from = max((at for at in known if at <= number - KEPT_DAYS), default=min(known))
            known = {at: held for at, held in known.items() if at >= kept_from}
            for at, held in known.items():
                assert read(store, day(at), *keys) == [held.get(key, []) for key in keys]
            assert store.checkpoint_before(day(min(known))) is None


class Deadly:
    """A function that kills its process when it is called once more than `at` times."""

    def __init__(self, function: Callable[..., Any], at: int) -> None:
        self.function, self.at, self.calls = function, at, 0

    def __call__(self, *arguments: object, **more: object) -> object:
        self.calls += 1
        if self.calls > self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.function(*arguments, **more)


PLACES = (
    (Block, "of"),
    (store_module, "write_segment"),
    (store_module, "merge"),
    (os, "fsync"),
    (Path, "replace"),
    (Path, "unlink"),
)


@pytest.mark.parametrize(("owner", "name"), PLACES, ids=[name for _, name in PLACES])
def test_a_process_that_is_killed_at_any_step_leaves_a_checkpoint(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    # Of two kept days the older ones are merged, three at a time.
    monkeypatch.setattr(store_module, "KEPT_DAYS", 1)
    monkeypatch.setattr(store_module, "GROWTH", 3)
    for number in range(3):
        commit(store, day(number), {1: [number], number + 5: [number]})
    old, new = [[2], [2], []], [[100], [2], [300]]
    function = getattr(owner, name)
    found, merges = None, False
    for at in range(12):
        child = os.fork()
        if not child:
            deadly = Deadly(function, at)
            # A plain function, so that a path is handed on as its first argument.
            setattr(owner, name, lambda *arguments, **more: deadly(*arguments, **more))  # noqa: B023
            try:
                store.commit(day(3), {"fold": states_of({1: [100], 3: [300]})}, day(2))
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status in (0, signal.SIGKILL)
        assert (status == 0) <= (at > 0)
        found = store.checkpoint_before(day(9))
        assert found in (day(2), day(3))
        assert read(store, day(2), 1, 7, 3) == old
        assert read(store, found, 1, 7, 3) == (old if found == day(2) else new)
        merges = merges or len(store._contents().segments) == 2
        if not status:
            break
    assert found == day(3)
    assert merges
    commit(store, day(4), {1: [7]})
    listed = {entry.name for entry in store._contents().segments}
    assert {path.name for path in store.path.iterdir()} == listed | {"segments.json", "lock"}
