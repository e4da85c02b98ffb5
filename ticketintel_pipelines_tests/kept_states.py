"""The states of keys between pieces of a history, in a dictionary instead of a store."""

import numpy as np

from ticketintel_pipelines.features.rows import Integers
from ticketintel_pipelines.features.states import States


class Kept:
    """The newest states by fold and key."""

    def __init__(self) -> None:
        self._words: dict[tuple[str, int], Integers] = {}

    def read(self, fold: str, wanted: Integers) -> States:
        words = [self._words.get((fold, key), np.empty(0, np.int64)) for key in wanted.tolist()]
        lengths = np.array([len(some) for some in words], np.int64)
        return States.in_a_row(wanted, lengths, np.concatenate([np.empty(0, np.int64), *words]))

    def write(self, fold: str, states: States) -> None:
        for place, key in enumerate(states.keys.tolist()):
            self._words[fold, key] = states.of_place(place).copy()

    @property
    def without_empty(self) -> dict[tuple[str, int], list[int]]:
        return {name: words.tolist() for name, words in self._words.items() if len(words)}

    def words(self, fold: str) -> dict[int, list[int]]:
        return {key: words for (name, key), words in self.without_empty.items() if name == fold}
