"""The compiled loops behind segments of states: finding rows in sorted keys, and copying their words."""

import numpy as np
from numba import njit, types

from ticketintel_pipelines.features.rows import Integers

# What is mapped from a file cannot be written to; without signatures each mixture of both would be compiled by itself.
_READ = types.Array(types.int64, 1, "C", readonly=True)
_WRITTEN = types.Array(types.int64, 1, "C")


@njit(types.int64(_READ, _WRITTEN, _WRITTEN, types.int64, _WRITTEN), nogil=True, cache=True)
def find_rows(places: Integers, wanted: Integers, askers: Integers, count: int, rows: Integers) -> int:
    """Find the first `count` wanted places among `places`; returns how many are not there.

    Both ascend, so that a search begins where the last one ended. Who asked for a place that is there goes, with its row,
    behind those that are still asking: `askers[left:count]` and `rows[left:count]`; the others are `wanted[:left]` and
    `askers[:left]` then.
    """
    first = 0
    left = 0
    found = np.empty(count, np.int64)
    taken = 0
    for number in range(count):
        place = wanted[number]
        step = 1
        last = first
        while last < places.size and places[last] < place:
            first = last + 1
            last += step
            step *= 2
        last = min(last, places.size)
        while first < last:
            middle = (first + last) // 2
            if places[middle] < place:
                first = middle + 1
            else:
                last = middle
        if first < places.size and places[first] == place:
            found[taken] = askers[number]
            rows[taken] = first
            taken += 1
        else:
            wanted[left] = place
            askers[left] = askers[number]
            left += 1
    askers[left:count] = found[:taken]
    rows[left:count] = rows[:taken].copy()
    return left


@njit(types.void(_READ, _READ, _READ, _READ, _WRITTEN), nogil=True, cache=True)
def copy_rows(bounds: Integers, words: Integers, rows: Integers, starts: Integers, target: Integers) -> None:
    """Copy the words of some rows, each to its start in `target`."""
    for number in range(rows.size):
        row = rows[number]
        for word in range(bounds[row + 1] - bounds[row]):
            target[starts[number] + word] = words[bounds[row] + word]
