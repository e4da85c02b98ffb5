"""The compiled loops behind segments of states: finding rows by their places, noting where there are any, copying words."""

import numpy as np
from numba import njit, types

from ticketintel_pipelines.features.rows import Integers

# What is mapped from a file cannot be written to; without signatures each mixture of both would be compiled by itself.
_READ = types.Array(types.int64, 1, "C", readonly=True)
_WRITTEN = types.Array(types.int64, 1, "C")


@njit(nogil=True, cache=True)
def _bits_below(places: Integers, occupied: Integers) -> int:
    """How many lower bits of a place's distance from the first one do not matter to which range it lies in."""
    distance = np.uint64(places[-1]) - np.uint64(places[0]) if places.size else np.uint64(0)
    below = 0
    while distance >> np.uint64(below) >= np.uint64(64 * occupied.size) and below < 63:
        below += 1
    return below


@njit(types.void(_READ, _WRITTEN), nogil=True, cache=True)
def mark_ranges(places: Integers, occupied: Integers) -> None:
    """Set the bits of those ranges that hold a place."""
    below = np.uint64(_bits_below(places, occupied))
    for row in range(places.size):
        number = np.int64(np.uint64(places[row]) - np.uint64(places[0]) >> below)
        occupied[number >> 6] |= np.int64(1) << (number & 63)


@njit(types.int64(_READ, _READ, _WRITTEN, _WRITTEN, types.int64, _WRITTEN), nogil=True, cache=True)
def find_rows(places: Integers, occupied: Integers, wanted: Integers, askers: Integers, count: int, rows: Integers) -> int:
    """Find the first `count` wanted places among `places`; returns how many are not there.

    `occupied` is what `mark_ranges` made of them, or empty. What it says is not there is not searched for.

    Both ascend, so that a search begins where the last one ended. Who asked for a place that is there goes, with its row,
    behind those that are still asking: `askers[left:count]` and `rows[left:count]`; the others are `wanted[:left]` and
    `askers[:left]` then.
    """
    first = 0
    left = 0
    found = np.empty(count, np.int64)
    taken = 0
    below = np.uint64(_bits_below(places, occupied))
    for number in range(count):
        place = wanted[number]
        if occupied.size:
            there = places[0] <= place <= places[-1]
            if there:
                in_range = np.int64(np.uint64(place) - np.uint64(places[0]) >> below)
                there = occupied[in_range >> 6] >> (in_range & 63) & 1 == 1
            if not there:
                wanted[left] = place
                askers[left] = askers[number]
                left += 1
                continue
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
