"""Where the states of keys stand among those that are stored: at a number that nothing but the key determines."""

import numpy as np

from ticketintel_pipelines.features.rows import Integers

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that multiplying by it (modulo 2**64) gives different keys different places: Fibonacci hashing."""
GATHERED = np.uint64(pow(int(SPREAD), -1, 2**64))
"""What undoes it."""

MIXING = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""Odd numbers, with which products of 64 bits are well mixed: those of SplitMix64."""
BITS_OF_VALUE = np.uint64(12)
"""Of a pair's place. More would gather the pairs of a value more closely, and leave less to tell its keys apart."""


def places_of(keys: Integers) -> Integers:
    """The places of keys, spread evenly."""
    found: Integers = (keys.view(np.uint64) * SPREAD).view(np.int64)
    return found


def keys_at(places: Integers) -> Integers:
    """The keys that stand at places: the other way round."""
    found: Integers = (places.view(np.uint64) * GATHERED).view(np.int64)
    return found


def pair_keys(keys: Integers, values: Integers) -> Integers:
    """A key for each pair of a key and a value.

    The places of a value's pairs lie together: they are looked up where the value occurs, not in a whole history that it was no
    part of. By a hash: 52 bits tell the keys of a value apart. Among a million keys that have a value in common two are taken
    for one another once in ten thousand histories; the second one's value then counts as known to it.
    """
    of_value = places_of(values).view(np.uint64)
    mixed = keys.view(np.uint64) * MIXING[-1] ^ of_value
    for multiplier in MIXING:
        mixed ^= mixed >> np.uint64(31)
        mixed *= multiplier
    mixed ^= mixed >> np.uint64(32)
    above = np.uint64(64) - BITS_OF_VALUE
    return keys_at((of_value >> above << above | mixed >> BITS_OF_VALUE).view(np.int64))
