"""Tokens that come back to a wallet that gave them away: self-trades, return trips, closed cycles, and trips without risk."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Integers
from ticketintel_pipelines.learning.rings.flags import Definition, Found, flagged
from ticketintel_pipelines.learning.rings.paths import NO_ROW, Transfers


@dataclass(frozen=True)
class Trips:
    """c closed trips. `hops` (c,) is their length and `ways` (c, longest) their rows from the last back to the first, filled up
    with `NO_ROW`.
    """

    hops: Integers
    ways: Integers

    @property
    def closing(self) -> Integers:
        """The row by which each trip closes."""
        return self.ways[:, 0]


def closed_trips(transfers: Transfers, came: Integers, window: int, longest: int) -> Trips:
    """For each transfer the shortest way back from it, of up to `longest` hops, that its taker gave the token away on.

    The first hop is at most `window` microseconds before the last. A trip on which nothing was paid is none: what is given and
    given back was not traded. A trip of one hop is a self-trade.
    """
    target = np.flatnonzero((transfers.giver >= 0) & (transfers.taker >= 0))
    at, taker = transfers.at, transfers.taker
    current = target
    way = target[:, None]
    hops, ways = [], []
    for length in range(1, longest + 1):
        closes = transfers.giver[current] == taker[target]
        hops.append(np.full(int(closes.sum()), length))
        ways.append(np.pad(way[closes], ((0, 0), (0, longest - length)), constant_values=NO_ROW))
        before = came[current]
        goes_on = ~closes & (before != NO_ROW)
        goes_on[goes_on] = at[target[goes_on]] - at[before[goes_on]] <= window
        target, current = target[goes_on], before[goes_on]
        way = np.column_stack([way[goes_on], current])
    found = Trips(np.concatenate(hops).astype(np.int64), np.concatenate(ways).astype(np.int64))
    paid = ((transfers.price[found.ways] > 0) & (found.ways != NO_ROW)).any(axis=1)
    return _taken(found, paid)


def trip_flags(transfers: Transfers, trips: Trips) -> list[Found]:
    """Self-trades (one hop), return trips (two) and closed cycles (more), each with the whole way as its proof."""
    return [
        _flags(transfers, trips, Definition.SELF_TRADE, trips.hops == 1),
        _flags(transfers, trips, Definition.RETURN_TRIP, trips.hops == 2),
        _flags(transfers, trips, Definition.CLOSED_CYCLE, trips.hops > 2),
    ]


def riskless(transfers: Transfers, trips: Trips, tolerance: float) -> Found:
    """Trips after which everybody has what they had: all hops were paid, at prices that differ by at most `tolerance` of the
    highest.

    Whoever is on the trip bought for the price of one hop and sold for that of the next, so nobody won or lost more than that.
    Source: La Morgia and others, "A Game of NFTs", ICDCS 2023 (there: but for the fees, nothing).
    """
    there = trips.ways != NO_ROW
    price = transfers.price[trips.ways]
    highest = np.where(there, price, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(there, price, np.inf).min(axis=1, initial=np.inf)
    chosen = (trips.hops > 1) & (lowest > 0) & (highest - lowest <= tolerance * highest)
    return _flags(transfers, trips, Definition.ZERO_RISK, chosen)


def _flags(transfers: Transfers, trips: Trips, definition: Definition, chosen: Flags) -> Found:
    part = _taken(trips, chosen)
    # Rows of the matrix run from the last hop to the first; a proof runs the other way.
    backwards = part.ways[:, ::-1]
    bounds = np.concatenate([[0], np.cumsum(part.hops)])
    return flagged(definition, transfers.at[part.closing], bounds, backwards[backwards != NO_ROW])


def _taken(trips: Trips, chosen: Flags) -> Trips:
    return Trips(trips.hops[chosen], trips.ways[chosen])
