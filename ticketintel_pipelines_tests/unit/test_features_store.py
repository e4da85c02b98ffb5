"""States between nights: what a checkpoint gives back, what is forgotten, what a death leaves."""

import os
import signal
import subprocess
import sys
import textwrap
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from ticketintel_pipelines.features.folds import States
from ticketintel_pipelines.features.store import KEPT_DAYS, StateStore

FIRST = date(2026, 1, 1)


def states(**words: list[int]) -> States:
    keys = np.array([int(name.removeprefix("key")) for name in words], np.int64)
    bounds = np.concatenate([[0], np.cumsum([len(found) for found in words.values()])]).astype(np.int64)
    return States(keys, bounds, np.array([word for found in words.values() for word in found], np.int64))


def read(store: StateStore, day: date, *keys: int) -> list[list[int]]:
    found = store.read("fold", np.array(keys, np.int64), day)
    return [found.words[first:last].tolist() for first, last in zip(found.bounds[:-1], found.bounds[1:], strict=True)]


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "states" / "family.sqlite")


def test_each_key_is_as_it_was_at_the_end_of_the_day(store: StateStore) -> None:
    store.commit(FIRST, {"fold": states(key1=[1, 2], key2=[3])})
    store.commit(FIRST + timedelta(days=1), {"fold": states(key2=[4, 5])})
    assert read(store, FIRST, 2, 1, 9) == [[3], [1, 2], []]
    assert read(store, FIRST + timedelta(days=1), 2, 1, 9) == [[4, 5], [1, 2], []]
    assert store.checkpoint_before(FIRST) is None
    assert store.checkpoint_before(FIRST + timedelta(days=1)) == FIRST


def test_a_day_that_is_worked_out_again_takes_the_later_ones_with_it(store: StateStore) -> None:
    for number in range(4):
        store.commit(FIRST + timedelta(days=number), {"fold": states(key1=[number])})
    store.commit(FIRST + timedelta(days=1), {"fold": states(key1=[10])})
    assert read(store, FIRST + timedelta(days=9), 1) == [[10]]
    assert store.checkpoint_before(FIRST + timedelta(days=9)) == FIRST + timedelta(days=1)


def test_old_states_go_and_the_newest_of_a_key_stays(store: StateStore) -> None:
    store.commit(FIRST, {"fold": states(key1=[1], key2=[2])})
    last = FIRST + timedelta(days=3 * KEPT_DAYS)
    day = FIRST
    while day < last:
        day += timedelta(days=1)
        store.commit(day, {"fold": states(key1=[day.toordinal()])})
    kept = last - timedelta(days=KEPT_DAYS)
    assert read(store, last, 1, 2) == [[last.toordinal()], [2]]
    assert read(store, kept, 1) == [[kept.toordinal()]]
    assert store.checkpoint_before(kept) is None


def test_a_process_that_is_killed_while_it_commits_leaves_the_last_checkpoint(store: StateStore) -> None:
    store.commit(FIRST, {"fold": states(key1=[1])})
    code = textwrap.dedent(
        f"""
        import os, signal
        from datetime import date
        import numpy as np
        from ticketintel_pipelines.features.folds import States
        from ticketintel_pipelines.features import store

        class Deadly(dict):
            def items(self):
                keys = np.arange(1, 50_000)
                yield "fold", States(keys, np.arange(len(keys) + 1), keys)
                os.kill(os.getpid(), signal.SIGKILL)

        store.StateStore(__import__("pathlib").Path({str(store.path)!r})).commit(date(2026, 1, 2), Deadly())
        """
    )
    ended = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False)
    assert ended.returncode == -signal.SIGKILL
    assert read(store, date(2026, 1, 5), 1, 2) == [[1], []]
    assert store.checkpoint_before(date(2026, 1, 5)) == FIRST
