"""The states of `Distinct` between nights: a counter for each key, and a state for each pair of a key and one of its values.

In memory the state of a key is the number of its values that are not listed, then the listed ones, sorted. A key without a
state has no values. What is stored of it is that state with nothing listed, and the pairs, which are looked up for the values
that a piece of history meets: what a night reads and writes follows from these, however many others its keys have.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ticketintel_pipelines.features.places import pair_keys
from ticketintel_pipelines.features.rows import MISSING, Integers
from ticketintel_pipelines.features.states import ReadStates, States


def pairs_of(fold: str) -> str:
    """The name under which a fold's pairs are stored. No fold has it, for their names have no spaces."""
    return f"{fold} pairs"


def with_listed(fold: str, states: States, met: Sequence[tuple[Integers, Integers]], read_states: ReadStates) -> States:
    """The states with all those values listed that are met, as far as they belong to their key.

    Args:
        met: places of keys in the states, below 0 for none, and a value for each, `MISSING` for none.
    """
    from ticketintel_pipelines.features.distinct_kernels import listed

    unlisted = np.zeros(len(states.keys), np.int64)
    there = states.lengths > 0
    unlisted[there] = states.words[states.starts[there]]
    if not unlisted.any():
        return states
    owners, values = (np.concatenate(columns) for columns in zip(*met, strict=True))
    asked = np.flatnonzero((np.append(unlisted, 0)[owners] > 0) & (values != MISSING))
    owners, values = owners[asked], values[asked]
    found = read_states(pairs_of(fold), pair_keys(states.keys[owners], values)).lengths > 0
    owners, values = owners[found], values[found]
    order = np.lexsort((values, owners))
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(owners, minlength=len(states.keys)))])
    return States(states.keys, *listed(states.starts, states.lengths, states.words, bounds, values[order]))


def stored(fold: str, states: States) -> Mapping[str, States]:
    """What is stored of some states, by name: the states with nothing listed, and the pairs of those values that are listed."""
    from ticketintel_pipelines.features.kernels import gather

    there = states.lengths > 0
    values = np.maximum(states.lengths - 1, 0)
    counts = states.words[states.starts[there]] + values[there]
    _, listed = gather(states.starts + 1, states.words, values, np.arange(len(states.keys)))
    keys = pair_keys(np.repeat(states.keys, values), listed)
    # A pair's word is not looked at; it says whose value this is to those who search states for a person.
    return {
        fold: States.in_a_row(states.keys, there.astype(np.int64), counts),
        pairs_of(fold): States.in_a_row(keys, np.ones(len(keys), np.int64), listed),
    }
