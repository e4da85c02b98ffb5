"""Anomalies planted into real streams, since nobody says which of their own values were some."""

from dataclasses import dataclass, replace

import numpy as np

from ticketintel_pipelines.learning.bands.streams import Streams
from ticketintel_pipelines.learning.examples import Flags, Floats, Integers

SPIKE, DROP = 1, -1
SPIKES = (2.0, 6.0)
"""By how many times the stream's typical value a spike rises, drawn evenly."""
DROPS = (0.0, 0.2)
"""Which share of a value a drop leaves, drawn evenly."""
MOST_ROUNDS = 20
SHARE = 0.02
"""Of the slots: few enough that most bands hold none."""


@dataclass(frozen=True)
class Planted:
    """Streams (n rows) with anomalies: `kind` (n,) is `SPIKE`, `DROP` or 0, `usable` (n,) marks slots that hold a value, and
    `row` (n,) says which row of the streams as they came each one was.
    """

    streams: Streams
    kind: Integers
    usable: Flags
    row: Integers

    @property
    def anomalous(self) -> Flags:
        return self.kind != 0


def plant(streams: Streams, where: Flags, whole_numbers: frozenset[str], seed: int, enough: int = 0) -> Planted:
    """Plant spikes and drops, as many of each as there is room for, at random slots of `where` (n,).

    A spike goes to any slot with a value of a stream with a typical value: the median of its values over zero. A drop goes to
    values that are at least typical, where it can be seen. Families of `whole_numbers` (counts) get rounded values. Where the
    slots hold fewer than `enough` values, the streams are planted in several times, up to `MOST_ROUNDS`, each a stream of its
    own: a few anomalies say little.
    """
    room = int((where & ~np.isnan(streams.values)).sum())
    rounds = min(MOST_ROUNDS, -(-enough // room)) if room and enough else 1
    row = np.tile(np.arange(len(streams)), rounds)
    several, stride = streams.take(row), int(streams.stream.max(initial=0)) + 1
    copies = replace(several, stream=several.stream + stride * np.repeat(np.arange(rounds), len(streams)))
    streams, where = copies, where[row]
    random = np.random.default_rng(seed)
    usable = ~np.isnan(streams.values)
    typical = typical_values(streams)
    kind = np.zeros(len(streams), dtype=np.int64)
    free = usable & where & (typical > 0)
    drawn = random.random(len(streams))
    kind[free & (drawn < SHARE / 2)] = SPIKE
    # Few values are typical or more: they are drawn more often, so that about as many drops as spikes are planted.
    high = free & (streams.values >= typical)
    chance = SHARE / 2 * free.sum() / max(1, high.sum())
    kind[high & (drawn >= SHARE / 2) & (drawn < SHARE / 2 + min(0.25, chance))] = DROP
    values = streams.values.copy()
    up, down = kind == SPIKE, kind == DROP
    values[up] += random.uniform(*SPIKES, int(up.sum())) * typical[up]
    values[down] *= random.uniform(*DROPS, int(down.sum()))
    whole = np.isin(streams.family, list(whole_numbers)) & (kind != 0)
    values[whole] = np.round(values[whole])
    return Planted(streams.with_values(values), kind, usable, row)


def typical_values(streams: Streams) -> Floats:
    """The median of the values over zero of each row's stream (n,), NaN where there is none."""
    typical = np.full(len(streams), np.nan)
    over = np.flatnonzero(streams.values > 0)
    order = over[np.lexsort((streams.values[over], streams.stream[over]))]
    names, first, count = np.unique(streams.stream[order], return_index=True, return_counts=True)
    values = streams.values[order]
    middle = (values[first + (count - 1) // 2] + values[first + count // 2]) / 2
    if len(names):
        place = np.minimum(np.searchsorted(names, streams.stream), len(names) - 1)
        there = names[place] == streams.stream
        typical[there] = middle[place[there]]
    return typical
