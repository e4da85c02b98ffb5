"""The compiled loops behind states that are carried in memory: a hash table with open addressing, and writing into its slots.

`places` is the table: the slot of a key stands at the place that its hash names, or at the next one that is free where others
stand already; -1 is an empty place. Its length is a power of two and more than the number of keys, so that searches end.
"""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def _first_place(key, mask):
    """Fibonacci hashing: the upper bits of a product are well mixed, also those of keys that follow each other."""
    return np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask


@njit(nogil=True, cache=True)
def find(places, keys, wanted):
    """The slot of each wanted key, -1 where it has none."""
    mask = places.size - 1
    slots = np.empty(wanted.size, np.int64)
    for row in range(wanted.size):
        place = _first_place(wanted[row], mask)
        while places[place] >= 0 and keys[places[place]] != wanted[row]:
            place = (place + 1) & mask
        slots[row] = places[place]
    return slots


@njit(nogil=True, cache=True)
def enter(places, keys, slots, new):
    """The slots of some keys, of which those without one get the next from `slots` on; and the number of slots then."""
    mask = places.size - 1
    found = np.empty(new.size, np.int64)
    for row in range(new.size):
        place = _first_place(new[row], mask)
        while places[place] >= 0 and keys[places[place]] != new[row]:
            place = (place + 1) & mask
        if places[place] < 0:
            places[place] = slots
            keys[slots] = new[row]
            slots += 1
        found[row] = places[place]
    return found, slots


@njit(nogil=True, cache=True)
def place_all(keys, size):
    """A table of `size` places for keys that are all different."""
    mask = size - 1
    places = np.full(size, -1, np.int32)
    for slot in range(keys.size):
        place = _first_place(keys[slot], mask)
        while places[place] >= 0:
            place = (place + 1) & mask
        places[place] = slot
    return places


@njit(nogil=True, cache=True)
def write(words, starts, lengths, rooms, used, slots, new_rooms, new_starts, new_lengths, new_words):
    """Write the state of each slot into its room, or behind `used` where it needs a larger one; returns where words end."""
    for row in range(slots.size):
        slot = slots[row]
        if new_rooms[row] > rooms[slot]:
            starts[slot] = used
            rooms[slot] = new_rooms[row]
            used += new_rooms[row]
        lengths[slot] = new_lengths[row]
        for word in range(new_lengths[row]):
            words[starts[slot] + word] = new_words[new_starts[row] + word]
    return used


@njit(nogil=True, cache=True)
def compact(words, starts, lengths, slots, target):
    """Write the states of the first slots one after the other into `target`; returns where they end."""
    used = 0
    for slot in range(slots):
        for word in range(lengths[slot]):
            target[used + word] = words[starts[slot] + word]
        starts[slot] = used
        used += lengths[slot]
    return used
