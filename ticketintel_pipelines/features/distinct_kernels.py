"""The compiled loop that lists values in states of `Distinct`."""

import numpy as np
from numba import njit, types

from ticketintel_pipelines.features.rows import Integers

_READ = types.Array(types.int64, 1, "C", readonly=True)


@njit(
    types.Tuple((types.int64[::1], types.int64[::1], types.int64[::1]))(_READ, _READ, _READ, _READ, _READ),
    nogil=True,
    cache=True,
)
def listed(
    starts: Integers, lengths: Integers, words: Integers, bounds: Integers, values: Integers
) -> tuple[Integers, Integers, Integers]:
    """States as starts, lengths and words, with more of their values listed.

    `values[bounds[i]:bounds[i + 1]]` are values of the i-th state, sorted, listed already or not, perhaps several times.
    """
    new_starts = np.empty(starts.size, np.int64)
    new_lengths = np.zeros(starts.size, np.int64)
    new_words = np.empty(lengths.sum() + values.size, np.int64)
    base = 0
    for key in range(starts.size):
        new_starts[key] = base
        if lengths[key] == 0:
            continue
        unlisted = words[starts[key]]
        old = starts[key] + 1
        last_old = starts[key] + lengths[key]
        more = bounds[key]
        free = base + 1
        while old < last_old or more < bounds[key + 1]:
            if more == bounds[key + 1] or (old < last_old and words[old] <= values[more]):
                new_words[free] = words[old]
                free += 1
                old += 1
            else:
                if free == base + 1 or new_words[free - 1] != values[more]:
                    new_words[free] = values[more]
                    free += 1
                    unlisted -= 1
                more += 1
        new_words[base] = unlisted
        new_lengths[key] = free - base
        base = free
    return new_starts, new_lengths, new_words[:base]
