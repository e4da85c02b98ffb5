"""Which dishonest moves leave no trace: what no detection by behaviour can find.

A move is hidden if all that can be seen of it by the end of its day lies within what honest people do. A trace is something
that the simulator draws otherwise for dishonest actors: an order larger than any honest one, from an attacker's machine, of a
bot or with cards tried one after another; an account that was broken into on that day; one that shares home, device or card
with others of its group; a price further than `UNUSUAL` sigmas from what honest sellers ask; a ticket passed on sooner than
anybody honest does. A trace stays with the ticket, and with the buyer whose order showed it. A ticket that was once passed on
within a ring shows the ring from its next hop on.

Honest people leave a few of these traces, too (one price in twenty), and timing within honest bounds does not count as one: the
share of hidden moves is a bound on what can be found, and not what a good model will find.
"""

import numpy as np

from ticketintel_pipelines.ticketing.simulator.arrays import running_total
from ticketintel_pipelines.ticketing.simulator.clock import Day, seconds
from ticketintel_pipelines.ticketing.simulator.people import NOBODY, Actors, Role
from ticketintel_pipelines.ticketing.simulator.resale import usual_mark_up
from ticketintel_pipelines.ticketing.simulator.world import Intrusions, Label, Market, Moves, Orders, Place, World

UNUSUAL = 2.0
"""Sigmas of the honest log mark-up."""


def hidden_moves(world: World, day: Day, orders: Orders, intrusions: Intrusions, moves: Moves) -> np.ndarray:
    """Which of the day's moves, in chain order, are dishonest and leave no trace; shape (n,). Traces are kept in `world`."""
    dishonest = moves.label != Label.HONEST
    hidden = np.zeros(len(dishonest), dtype=bool)
    # Each token's moves one after another; chain order within.
    index = np.flatnonzero(dishonest)
    index = index[np.argsort(moves.token[index], kind="stable")]
    own = _own_traces(world, day, orders, intrusions, moves)[index]
    token = moves.token[index]
    telling = own | (moves.label[index] == Label.WASH_TRADE)
    before = running_total(telling.astype(np.int64), token) - telling
    hidden[index] = ~(own | world.tokens.traced[token] | (before > 0))
    world.tokens.traced[token[telling]] = True
    return hidden


def _own_traces(world: World, day: Day, orders: Orders, intrusions: Intrusions, moves: Moves) -> np.ndarray:
    """Which moves show by themselves, or by who makes them, that they are dishonest; shape (n,)."""
    trade, actors = world.parameters.trade, world.actors
    primary = moves.market == Market.PRIMARY
    who = np.where(primary, moves.taker, moves.giver)
    order = np.where(primary, moves.transaction, 0)
    telling = primary & (orders.quantity[order] > max(trade.quantity_values))
    telling |= primary & (orders.place[order] == Place.ATTACKER)
    telling |= primary & np.isin(actors.role[who], (Role.BOT, Role.CARD_THIEF))
    telling &= moves.label != Label.HONEST
    world.traced_actors.update(who[telling & (actors.role[who] >= Role.SCALPER)].tolist())
    telling |= np.isin(who, np.fromiter(world.traced_actors, np.int64, len(world.traced_actors)))
    telling |= sharing_accounts(actors)[who]
    telling |= ~primary & np.isin(moves.giver, intrusions.user)
    sold = (moves.market == Market.RESALE) | (moves.market == Market.SEAPORT)
    mark_up = np.log(np.maximum(moves.cents, 1) / world.tokens.face_cents[moves.token])
    telling |= sold & (np.abs(mark_up - usual_mark_up(world, moves.token)) > UNUSUAL * trade.mark_up_spread)
    return telling | _hasty(day, moves, int(seconds(trade.hold_s)))


def sharing_accounts(actors: Actors) -> np.ndarray:
    """Accounts that have home, device or card in common with another one of their group; shape (n,)."""
    shares = np.zeros(len(actors.ring), dtype=bool)
    grouped = np.flatnonzero((actors.ring != NOBODY) & actors.account)
    for values in (actors.address, actors.device, actors.instrument):
        pairs = np.stack([actors.ring[grouped].astype(np.int64), values[grouped].astype(np.int64)], axis=1)
        _, place, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        shares[grouped] |= counts[place.reshape(-1)] > 1
    return shares


def _hasty(day: Day, moves: Moves, hold_us: int) -> np.ndarray:
    """Moves of a token that was moved before on the same day, less than `hold_us` earlier; shape (n,)."""
    order = np.argsort(moves.token, kind="stable")
    at, token = day.block_time(moves.block[order]), moves.token[order]
    hasty = np.zeros(len(order), dtype=bool)
    hasty[order[1:]] = (token[1:] == token[:-1]) & (at[1:] - at[:-1] < hold_us)
    return hasty
