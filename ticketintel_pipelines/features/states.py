"""The states of a fold: what it has kept of the earlier rows of each key."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.features.rows import Integers


@dataclass(frozen=True)
class States:
    """The states of some keys: that of `keys[i]` is `lengths[i]` of the words from `starts[i]` on, none where these are 0.

    Words between them mean nothing. They may be those of whoever carries the states, who changes them when others are kept.
    """

    keys: Integers
    starts: Integers
    lengths: Integers
    words: Integers

    @classmethod
    def empty(cls, keys: Integers) -> "States":
        return cls(keys, np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64), np.empty(0, np.int64))

    @classmethod
    def in_a_row(cls, keys: Integers, lengths: Integers, words: Integers) -> "States":
        """States that lie one after the other."""
        return cls(keys, np.cumsum(lengths) - lengths, lengths, words)

    def of_place(self, place: int) -> Integers:
        """The state of `keys[place]`."""
        return self.words[self.starts[place] : self.starts[place] + self.lengths[place]]


ReadStates = Callable[[str, Integers], States]
"""The states of a fold, named first, for these keys, in their order.

What is stored of some folds goes by more names than the fold's own (`distinct.pairs_of`); these are read in the same way.
"""


def no_states(fold: str, keys: Integers) -> States:
    """Where history begins."""
    return States.empty(keys)
