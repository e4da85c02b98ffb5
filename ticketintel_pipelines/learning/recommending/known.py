"""What is known at an instant: who bought which item when, what the items are like, and which may be recommended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.examples import Flags, Floats, Integers

Matrix = NDArray[np.float32]
Sparse = Any
"""A matrix of `scipy.sparse`, which is imported where it is used."""


@dataclass(frozen=True)
class Known:
    """n users, m items and p purchases, of which no two have the same user and item.

    `user`, `item` (p,) are positions, `age_days` (p,) how long ago each was. `candidates` (c,), ascending, are the items that
    may be recommended. `blocks` describe the items: each (m, d) with rows of length one, or zero where nothing is known.
    `homes` (n, d) describe the users themselves in the terms of the block of that name. `traits` (m,) are figures of the items
    that are the same for every user.
    """

    users: int
    items: int
    user: Integers
    item: Integers
    age_days: Floats
    candidates: Integers
    blocks: Mapping[str, Matrix] = field(default_factory=dict)
    homes: Mapping[str, Matrix] = field(default_factory=dict)
    traits: Mapping[str, Floats] = field(default_factory=dict)

    def bought(self) -> Sparse:
        """The purchases as a CSR matrix (n, m) of ones."""
        from scipy.sparse import csr_matrix

        ones = np.ones(len(self.user), np.float32)
        found = csr_matrix((ones, (self.user, self.item)), shape=(self.users, self.items))
        found.sort_indices()
        return found

    @property
    def has_history(self) -> Flags:
        """Which users bought anything (n,)."""
        return np.bincount(self.user, minlength=self.users) > 0


@dataclass(frozen=True)
class Trial:
    """What was known at an instant, and which candidates were bought soon after by whom: what a recommendation is judged by.

    `rows` (r,) are users, `relevant` (r, c) is True for the candidates that each bought then and not before; at least one each.
    """

    known: Known
    rows: Integers
    relevant: Flags


def make_trial(known: Known, user: Integers, item: Integers) -> Trial:
    """A trial of later purchases: those of other items than candidates, or of items bought before, do not count."""
    place = np.full(known.items, -1)
    place[known.candidates] = np.arange(len(known.candidates))
    before = np.unique(known.user * known.items + known.item)
    counts = (place[item] >= 0) & ~np.isin(user * known.items + item, before)
    rows, row = np.unique(user[counts], return_inverse=True)
    relevant = np.zeros((len(rows), len(known.candidates)), dtype=bool)
    relevant[row, place[item[counts]]] = True
    return Trial(known, rows, relevant)
