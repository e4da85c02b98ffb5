"""Tokens that pass from hand to hand: resales on the platform's market and on Seaport, and gifts."""

import numpy as np

from ticketintel_pipelines.ticketing.simulator.arrays import (
    concatenate,
    draw_without_replacement,
    row_count,
    select,
)
from ticketintel_pipelines.ticketing.simulator.clock import HOUR, SECOND, Day, seconds
from ticketintel_pipelines.ticketing.simulator.market import ACCOUNT_AGE
from ticketintel_pipelines.ticketing.simulator.people import FIRST_DISHONEST, Role
from ticketintel_pipelines.ticketing.simulator.world import (
    NEVER,
    NO_TOKEN,
    Crowd,
    Label,
    Market,
    Moves,
    Orders,
    Place,
    Status,
    Trades,
    World,
    make_rows,
)

LEAST_WINDOW = 600 * SECOND
"""A token that could be traded only for so short a time today is left alone."""


class Floor:
    """The tokens that can be passed on today, and when. `busy` tokens already have a place in today's plans."""

    def __init__(self, world: World, day: Day) -> None:
        tokens, trade = world.tokens, world.parameters.trade
        self.low_us = np.maximum(tokens.since_us + seconds(trade.hold_s), day.opens_us)
        last = world.events.starts_us - seconds(trade.last_trade_s)
        self.high_us = np.minimum(last[tokens.event], day.closes_us)
        self.busy = tokens.reserved | (self.high_us - self.low_us < LEAST_WINDOW)

        self._idle = tokens.due_us == NEVER

    @property
    def idle(self) -> np.ndarray:
        """Tokens of which neither today's plans nor their owners' own have disposed."""
        return ~self.busy & self._idle

    def take(self, tokens: np.ndarray) -> None:
        self.busy[tokens] = True


def usual_mark_up(world: World, tokens: np.ndarray) -> np.ndarray:
    """Mean log mark-up of honest sellers: more for popular events that are nearly sold out; shape (n,)."""
    trade, events = world.parameters.trade, world.events
    event = world.tokens.event[tokens]
    demand = events.sold[event] / events.capacity[event] * np.minimum(np.log1p(events.popularity[event]), 2.0)
    return trade.mark_up_base + trade.mark_up_demand * demand


def resale_price(rng: np.random.Generator, world: World, tokens: np.ndarray) -> np.ndarray:
    """What honest sellers ask, cents, shape (n,)."""
    mark_up = usual_mark_up(world, tokens) + rng.normal(0, world.parameters.trade.mark_up_spread, len(tokens))
    return _round_price(world, world.tokens.face_cents[tokens] * np.exp(mark_up))


def _round_price(world: World, cents: np.ndarray) -> np.ndarray:
    return np.clip(np.round(cents / 50) * 50, 100, world.parameters.trade.price_most_usd * 100).astype(np.int64)


def due_trades(rng: np.random.Generator, world: World, day: Day, crowd: Crowd, floor: Floor) -> Trades:
    """The tokens whose owners bought them to pass them on, and whose time has come."""
    tokens = world.tokens
    start = np.maximum(tokens.due_us, floor.low_us)
    index = np.flatnonzero((tokens.due_us < day.closes_us) & ~floor.busy & (start < floor.high_us))
    rows = len(index)
    latest = np.minimum(floor.high_us[index], start[index] + 3 * HOUR)
    at = start[index] + ((latest - start[index]) * rng.random(rows)).astype(np.int64)
    factor = rng.uniform(*world.parameters.trade.scalper_mark_up, rows)
    label = tokens.due_label[index]
    thief = (label == Label.STOLEN_CARD) | (label == Label.ACCOUNT_TAKEOVER)
    factor[thief] = rng.uniform(*world.parameters.campaigns.takeover_discount, rows)[thief]
    market = tokens.due_market[index]
    cents = np.where(market == Market.GIFT, 0, _round_price(world, tokens.face_cents[index] * factor))
    floor.take(index)
    tokens.due_us[index] = NEVER
    trades = Trades(index, at, market, cents, tokens.owner[index], np.full(rows, NO_TOKEN), label)
    drops = np.flatnonzero(world.actors.role == Role.DROP_WALLET)
    if len(drops):
        to_drop = (market == Market.GIFT) & thief
        trades.taker[to_drop] = drops[rng.integers(0, len(drops), rows)][to_drop]
    return find_takers(rng, world, crowd, trades)


def honest_trades(
    rng: np.random.Generator, world: World, day: Day, crowd: Crowd, floor: Floor, wanted: tuple[int, int, int]
) -> Trades:
    """Resales on the platform, sales on Seaport and gifts by honest owners: about as many of each as wanted."""
    tokens, actors = world.tokens, world.actors
    owner_role = actors.role[tokens.owner]
    popular = 0.5 + np.minimum(world.events.popularity[tokens.event], 6.0)
    bulk = np.where(tokens.order_quantity >= 3, world.parameters.trade.bulk_resale_weight, 1.0)
    weight = popular * bulk * (floor.idle & (owner_role < FIRST_DISHONEST))
    index = draw_without_replacement(rng, weight, sum(wanted))
    rng.shuffle(index)
    rows = len(index)
    bounds = np.cumsum(wanted) * (rows / max(1, sum(wanted)))
    market = np.array([Market.RESALE, Market.SEAPORT, Market.GIFT], dtype=np.int64)[
        np.minimum(np.searchsorted(bounds, np.arange(rows) + 0.5), 2)
    ]
    # Whoever has no account cannot sell on the platform's market.
    outsider = ~actors.account[tokens.owner[index]]
    market[outsider & (market == Market.RESALE)] = Market.SEAPORT
    at = world.rhythm.draw(rng, day, floor.low_us[index], floor.high_us[index], rows)
    cents = np.where(market == Market.GIFT, 0, resale_price(rng, world, index))
    floor.take(index)
    trades = Trades(index, at, market, cents, tokens.owner[index], np.full(rows, NO_TOKEN), np.full(rows, int(Label.HONEST)))
    return find_takers(rng, world, crowd, trades)


def find_takers(rng: np.random.Generator, world: World, crowd: Crowd, trades: Trades) -> Trades:
    """Draws a taker for every trade that has none; trades that find none are dropped."""
    actors = world.actors
    rows = row_count(trades)
    open_rows = np.flatnonzero(trades.taker == NO_TOKEN)
    trades.taker[open_rows] = crowd.draw_other(rng, trades.at_us[open_rows] - ACCOUNT_AGE, trades.giver[open_rows])
    collectors = np.flatnonzero(actors.role == Role.COLLECTOR)
    outside = np.zeros(rows, dtype=bool)
    outside[open_rows] = rng.random(len(open_rows)) < world.parameters.trade.collector_share
    outside &= trades.market != Market.RESALE
    stranger = collectors[rng.integers(0, len(collectors), rows)]
    trades.taker = np.where(outside, stranger, trades.taker)
    return select(trades, (trades.taker != trades.giver) & (trades.taker != NO_TOKEN))


def resale_orders(rng: np.random.Generator, world: World, day: Day, trades: Trades) -> Orders:
    """The platform's orders behind the trades of its resale market, and attempts of others that came to nothing."""
    trade = world.parameters.trade
    rows = row_count(trades)
    tokens = world.tokens
    orders: Orders = make_rows(
        Orders,
        rows,
        placed_us=trades.at_us,
        user=trades.taker,
        event=tokens.event[trades.token],
        quantity=1,
        unit_cents=trades.cents,
        tier=tokens.tier[trades.token],
        status=Status.PAID,
        failed_attempts=(rng.random(rows) < trade.retried_share).astype(np.int64),
        market=Market.RESALE,
        token=trades.token,
        seller=trades.giver,
        label=trades.label,
        place=Place.HOME,
        due_us=NEVER,
        due_market=Market.SEAPORT,
    )
    vain = select(orders, rng.random(rows) < trade.failed_share + trade.cancelled_share)
    if row_count(vain):
        # The same account first gave up on the ticket or failed to pay, and came back for it.
        count = row_count(vain)
        vain.placed_us = np.maximum(day.opens_us, vain.placed_us - seconds(rng.uniform(30, 110, count)))
        fails = rng.random(count) * (trade.failed_share + trade.cancelled_share) < trade.failed_share
        vain.status = np.where(fails, Status.FAILED, Status.CANCELLED)
        vain.failed_attempts = fails.astype(np.int64)
        vain.label = np.full(count, int(Label.HONEST))
    return concatenate([orders, vain])


def resale_moves(orders: Orders, blocks: np.ndarray, first_transaction: int) -> Moves:
    """The moves of paid resale orders, delivered in `blocks` (one per order)."""
    paid = np.flatnonzero(orders.status == Status.PAID)
    return Moves(
        block=blocks[paid],
        transaction=first_transaction + paid,
        token=orders.token[paid],
        giver=orders.seller[paid],
        taker=orders.user[paid],
        market=orders.market[paid],
        cents=orders.unit_cents[paid],
        label=orders.label[paid],
    )


def direct_moves(day: Day, trades: Trades, first_transaction: int) -> Moves:
    """The moves of trades without an order: each is a transaction of its own."""
    return Moves(
        block=day.block_after(trades.at_us),
        transaction=first_transaction + np.arange(row_count(trades)),
        token=trades.token,
        giver=trades.giver,
        taker=trades.taker,
        market=trades.market,
        cents=trades.cents,
        label=trades.label,
    )
