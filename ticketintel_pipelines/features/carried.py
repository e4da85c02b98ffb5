"""The states of folds in memory, from one piece of a history to the next.

What a piece costs follows from the keys that it touches: these are found in a hash table, and a state that still fits is
written over the old one. Beneath may lie a store on disk that is read for the keys of which nothing is held; what is held goes
there when whoever carries it says so.
"""

from dataclasses import dataclass, field

import numpy as np

from ticketintel_pipelines.features.rows import Integers
from ticketintel_pipelines.features.states import ReadStates, States, no_states

FIRST_PLACES = 1 << 10
"""Of a hash table, which is at most half full."""


def _nothing() -> Integers:
    return np.empty(0, np.int64)


@dataclass
class _Held:
    """The states of one fold. That of the key in slot s is `lengths[s]` words from `starts[s]` on, with room for `rooms[s]`."""

    places: np.ndarray[tuple[int], np.dtype[np.int32]] = field(default_factory=lambda: np.full(FIRST_PLACES, -1, np.int32))
    keys: Integers = field(default_factory=_nothing)
    starts: Integers = field(default_factory=_nothing)
    lengths: Integers = field(default_factory=_nothing)
    rooms: Integers = field(default_factory=_nothing)
    words: Integers = field(default_factory=_nothing)
    slots: int = 0
    used: int = 0

    def slots_of(self, keys: Integers) -> Integers:
        """The slots of some keys, -1 of those that have none."""
        from ticketintel_pipelines.features.carried_kernels import find

        return find(self.places, self.keys, keys)

    def keep(self, states: States) -> None:
        from ticketintel_pipelines.features.carried_kernels import enter, place_all, write

        # Room for all of them, though most may have slots already: to find that out first takes as long as to enter them.
        before, most = self.slots, self.slots + len(states.keys)
        if 2 * most > len(self.places):
            self.places = place_all(self.keys[:before], 1 << int(2 * most).bit_length())
        for name in ("keys", "starts", "lengths", "rooms"):
            setattr(self, name, _with_room(getattr(self, name), before, most))
        slots, self.slots = enter(self.places, self.keys, before, states.keys)
        for of_new in (self.starts, self.lengths, self.rooms):
            of_new[before : self.slots] = 0
        words = int(states.lengths.sum())
        live = int(self.lengths[: self.slots].sum())
        if self.used > live + live // 2 + words:
            self._compact(live + live // 2 + 3 * words)
        moves = states.lengths > self.rooms[slots]
        # States that grow do so again and again.
        rooms = np.where(moves, states.lengths + states.lengths // 8, self.rooms[slots])
        self.words = _with_room(self.words, self.used, self.used + int(rooms[moves].sum()))
        self.used = write(
            self.words, self.starts, self.lengths, self.rooms, self.used, slots, rooms,
            states.starts, states.lengths, states.words,
        )  # fmt: skip

    def states_of(self, keys: Integers, slots: Integers) -> States:
        """The states of some keys in these slots, of those below 0 none: the words are the very ones held."""
        if not self.slots:
            return States.empty(keys)
        there = slots >= 0
        return States(keys, np.where(there, self.starts[slots], 0), np.where(there, self.lengths[slots], 0), self.words)

    def _compact(self, room: int) -> None:
        """Leave out what no state uses any more; the words may grow to `room` before they are copied again."""
        from ticketintel_pipelines.features.carried_kernels import compact

        words = np.empty(room, np.int64)
        self.used = compact(self.words, self.starts, self.lengths, self.slots, words)
        self.words = words
        self.rooms[: self.slots] = self.lengths[: self.slots]


class CarriedStates:
    """The newest states of the keys that learned something, over those that `beneath` gives for the others."""

    def __init__(self, beneath: ReadStates = no_states) -> None:
        self._beneath = beneath
        self._held: dict[str, _Held] = {}

    def __len__(self) -> int:
        """The number of states held."""
        return sum(held.slots for held in self._held.values())

    def read(self, fold: str, keys: Integers) -> States:
        """The states of some keys, in their order."""
        held = self._held.get(fold)
        if held is None:
            return self._beneath(fold, keys)
        slots = held.slots_of(keys)
        found = held.states_of(keys, slots)
        missing = np.flatnonzero(slots < 0)
        if self._beneath is no_states or not len(missing):
            return found
        return _merged(found, missing, self._beneath(fold, keys[missing]))

    def keep(self, fold: str, states: States) -> None:
        """Hold these states instead of those that their keys had."""
        self._held.setdefault(fold, _Held()).keep(states)

    def states(self) -> dict[str, States]:
        """All that is held, by fold."""
        return {fold: held.states_of(held.keys[: held.slots], np.arange(held.slots)) for fold, held in self._held.items()}


def _merged(states: States, missing: Integers, below: States) -> States:
    """States of some keys of which those at the places `missing` come from below."""
    from ticketintel_pipelines.features.kernels import gather

    if not below.lengths.any():
        return states
    bounds, words = gather(states.starts, states.words, states.lengths, np.arange(len(states.keys)))
    starts, lengths = bounds[:-1], states.lengths.copy()
    starts[missing] = below.starts + len(words)
    lengths[missing] = below.lengths
    return States(states.keys, starts, lengths, np.concatenate([words, below.words]))


def _with_room(values: Integers, used: int, needed: int) -> Integers:
    """The array, or a longer one that begins with its first `used` values."""
    if needed <= len(values):
        return values
    longer = np.empty(needed + needed // 8, np.int64)
    longer[:used] = values[:used]
    return longer
