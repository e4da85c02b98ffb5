"""Flags: one definition that fired, with the transfers that prove it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ticketintel_pipelines.learning.examples import Integers


class Definition(IntEnum):
    """What can be said of transfers. The order is that of the reports."""

    SELF_TRADE = 0
    RETURN_TRIP = 1
    CLOSED_CYCLE = 2
    THREE_BUYS = 3
    THREE_SELLS = 4
    REPEATED_ROUTE = 5
    STRONG_COMPONENT = 6
    ZERO_RISK = 7
    VOLUME_MATCH = 8
    COMMON_FUNDER = 9
    COMMON_EXIT = 10
    COMBINED = 11
    """The verdict: the definitions that hold together of one case."""


@dataclass(frozen=True)
class Found:
    """f flags. `definition` (f,); `at` (f,) is when the last thing happened that proves it, microseconds.

    The transfers that prove flag i are `proof[bounds[i]:bounds[i + 1]]`, rows in order of time; `money` with `money_bounds` are
    rows of the value transfers that do.
    """

    definition: Integers
    at: Integers
    bounds: Integers
    proof: Integers
    money_bounds: Integers
    money: Integers

    def __len__(self) -> int:
        return len(self.at)

    @property
    def owner(self) -> Integers:
        """Of which flag each row of `proof` is."""
        return np.repeat(np.arange(len(self)), np.diff(self.bounds))

    def proves(self, flag: int) -> Integers:
        return self.proof[self.bounds[flag] : self.bounds[flag + 1]]

    def pays(self, flag: int) -> Integers:
        return self.money[self.money_bounds[flag] : self.money_bounds[flag + 1]]

    def take(self, rows: Integers) -> "Found":
        """Some of the flags, by place."""
        bounds, proof = taken_lists(self.bounds, self.proof, rows)
        money_bounds, money = taken_lists(self.money_bounds, self.money, rows)
        return Found(self.definition[rows], self.at[rows], bounds, proof, money_bounds, money)


def taken_lists(bounds: Integers, values: Integers, rows: Integers) -> tuple[Integers, Integers]:
    """Some of the lists that lie one after the other in `values`: their new bounds and values."""
    lengths = np.diff(bounds)[rows]
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return ends, values[spans(bounds[:-1][rows], lengths)]


def spans(starts: Integers, lengths: Integers) -> Integers:
    """The whole numbers start, start + 1, … of each span, one span after the other."""
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1])) + np.repeat(starts - (ends - lengths), lengths)


def flagged(
    definition: Definition, at: Integers, bounds: Integers, proof: Integers, money: tuple[Integers, Integers] | None = None
) -> Found:
    """Flags of one definition."""
    money_bounds, rows = money or (np.zeros(len(at) + 1, dtype=np.int64), np.zeros(0, dtype=np.int64))
    return Found(np.full(len(at), int(definition)), at, bounds.astype(np.int64), proof, money_bounds, rows)


def equal_lists(definition: Definition, at: Integers, proof: Integers) -> Found:
    """Flags of one definition with k transfers each, `proof` (f, k)."""
    return flagged(definition, at, np.arange(len(at) + 1) * proof.shape[1], proof.reshape(-1))


def joined(parts: Sequence[Found]) -> Found:
    """All flags, one part after the other."""
    return Found(
        np.concatenate([part.definition for part in parts]),
        np.concatenate([part.at for part in parts]),
        _joined_bounds([part.bounds for part in parts]),
        np.concatenate([part.proof for part in parts]),
        _joined_bounds([part.money_bounds for part in parts]),
        np.concatenate([part.money for part in parts]),
    )


def in_order(found: Found) -> Integers:
    """The places of the flags in order of time, then of definition, then of the last and the first of their transfers."""
    ends, starts = found.proof[found.bounds[1:] - 1], found.proof[found.bounds[:-1]]
    return np.lexsort((starts, ends, found.definition, found.at))


def _joined_bounds(parts: Sequence[Integers]) -> Integers:
    lengths = np.concatenate([np.diff(part) for part in parts])
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def grouped(group: Integers, values: Integers) -> tuple[Integers, Integers, Integers]:
    """Lists by group: the groups in order, the bounds of each one's list, and the values in the order that they had."""
    order = np.argsort(group, kind="stable")
    names, counts = np.unique(group, return_counts=True)
    return names, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), values[order]
