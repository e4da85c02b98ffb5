"""Primary sales: who orders what when, whether the order is paid, and the tokens that paid orders mint."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.ticketing.simulator.arrays import (
    concatenate,
    row_count,
    running_total,
    select,
)
from ticketintel_pipelines.ticketing.simulator.clock import SECOND, Day, Purpose, seconds
from ticketintel_pipelines.ticketing.simulator.parameters import Trade
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
    Tokens,
    World,
    make_rows,
)

ACCOUNT_AGE = 120 * SECOND
"""Nobody orders within so short a time of opening the account."""


def unit_price(trade: Trade, face_cents: np.ndarray, tier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Face value of the tier and what the primary shop asks for it, fee included; whole cents."""
    face = np.round(face_cents * np.array(trade.tier_factors)[tier]).astype(np.int64)
    return face, np.round(face * trade.fee_factor).astype(np.int64)


def sale_window(world: World, day: Day) -> tuple[np.ndarray, np.ndarray]:
    """From when to when today each event is sold, microseconds; empty where the first is not before the second."""
    last = world.events.starts_us - seconds(world.parameters.season.last_order_s)
    return np.maximum(world.events.on_sale_us, day.opens_us), np.minimum(last, day.closes_us)


def primary_orders(world: World, day: Day, crowd: Crowd, wanted: float, dishonest: Orders) -> Orders:
    """The primary orders of the day, those of dishonest actors among them; about `wanted` tickets are paid.

    Orders that find an event sold out are left out: the shop does not take them.
    """
    rng = day.generator(Purpose.PRIMARY)
    trade = world.parameters.trade
    wanted = max(0.0, wanted - dishonest.quantity[dishonest.status == Status.PAID].sum())
    event = _choose_events(rng, world, day, wanted)
    rows = len(event)
    placed = _order_times(rng, world, day, event)
    quantity = rng.choice(trade.quantity_values, rows, p=trade.quantity_shares)
    tier = rng.choice(len(trade.tier_shares), rows, p=trade.tier_shares).astype(np.int8)
    draw = rng.random(rows)
    failed, cancelled = draw < trade.failed_share, draw > 1 - trade.cancelled_share
    retried = (draw > 0.5) & (draw < 0.5 + trade.retried_share)
    _, unit = unit_price(trade, world.events.face_cents[event], tier)
    user = crowd.draw_near(rng, placed - ACCOUNT_AGE, world.events.city[event])
    honest = make_rows(
        Orders,
        rows,
        placed_us=placed,
        user=user,
        event=event,
        quantity=quantity,
        unit_cents=unit,
        tier=tier,
        status=np.where(failed, Status.FAILED, np.where(cancelled, Status.CANCELLED, Status.PAID)),
        failed_attempts=np.where(failed, rng.integers(1, 3, rows), retried.astype(np.int64)),
        market=Market.PRIMARY,
        token=NO_TOKEN,
        seller=NO_TOKEN,
        label=Label.HONEST,
        place=Place.HOME,
        due_us=NEVER,
        due_market=Market.SEAPORT,
    )
    paid = np.cumsum(np.where(honest.status == Status.PAID, quantity, 0))
    honest = select(honest, paid <= wanted)
    orders = concatenate([dishonest, honest])
    return select(orders, _within_stock(world, orders))


def _choose_events(rng: np.random.Generator, world: World, day: Day, wanted: float) -> np.ndarray:
    """The event of each order, drawn by demand; no event is expected to sell more than it has left."""
    season, trade, events = world.parameters.season, world.parameters.trade, world.events
    low, high = sale_window(world, day)
    stock = np.where(high - low > 60 * SECOND, events.capacity - events.sold, 0).astype(np.float64)
    if stock.sum() == 0 or wanted < 1:
        return np.zeros(0, dtype=np.int64)
    opens_today = events.on_sale_us >= day.start_us
    demand = events.popularity * events.capacity * np.where(opens_today, season.rush_weight, 1.0) * (stock > 0)
    expected = np.zeros(len(stock))
    for _ in range(6):
        room = stock - expected
        weight = demand * (room > 0)
        missing = min(wanted, stock.sum() * 0.95) - expected.sum()
        if weight.sum() == 0 or missing < 1:
            break
        expected = np.minimum(stock, expected + missing * weight / weight.sum())
    mean = float(np.dot(trade.quantity_values, trade.quantity_shares))
    paid_share = 1 - trade.failed_share - trade.cancelled_share
    # A little more than needed is drawn; the surplus is cut off in random order.
    rows = int(wanted / mean / paid_share * 1.15) + 4
    return rng.choice(len(stock), rows, p=expected / expected.sum())


def _order_times(rng: np.random.Generator, world: World, day: Day, event: np.ndarray) -> np.ndarray:
    season = world.parameters.season
    low, high = sale_window(world, day)
    rows = len(event)
    placed = world.rhythm.draw(rng, day, low[event], high[event], rows)
    popular = np.clip(world.events.popularity[event] / 2, 0.4, 1.6)
    rush = (world.events.on_sale_us[event] >= day.start_us) & (rng.random(rows) < season.rush_share * popular)
    rushed = low[event] + (rng.exponential(season.rush_mean_s, rows) * SECOND).astype(np.int64)
    return np.where(rush & (rushed < high[event]), rushed, placed)


def _within_stock(world: World, orders: Orders) -> np.ndarray:
    """Which orders find enough places, first come first served. The stock itself is not changed."""
    taken = np.where(orders.status == Status.PAID, orders.quantity, 0)
    order = np.lexsort((orders.placed_us, orders.label == Label.HONEST, orders.event))
    total = running_total(taken[order], orders.event[order])
    stock = (world.events.capacity - world.events.sold)[orders.event[order]]
    fits = np.zeros(len(order), dtype=bool)
    fits[order] = total <= stock
    return fits


@dataclass
class Answers:
    """One row per answer of the payment provider. `order` is the order's position; `at_us` in microseconds."""

    order: np.ndarray
    at_us: np.ndarray
    outcome: np.ndarray
    """0 captured, 1 failed, 2 refunded."""


CAPTURED, ANSWER_FAILED, REFUNDED = 0, 1, 2


def payment_answers(rng: np.random.Generator, trade: Trade, orders: Orders) -> tuple[Answers, np.ndarray]:
    """All answers, and for each order when its money was captured (0 where it was not)."""
    rows = row_count(orders)
    captured = orders.status == Status.PAID
    refunded = (orders.status == Status.CANCELLED) & (rng.random(rows) < trade.refunded_share)
    attempts = orders.failed_attempts * (orders.status != Status.CANCELLED) + captured + refunded
    order = np.repeat(np.arange(rows), attempts)
    first = np.ones(len(order), dtype=bool)
    first[1:] = order[1:] != order[:-1]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = first[1:]
    delay = np.where(first, rng.uniform(*trade.first_answer_s, len(order)), rng.uniform(*trade.next_answer_s, len(order)))
    at = orders.placed_us[order] + running_total(seconds(delay), order)
    outcome = np.where(last & captured[order], CAPTURED, np.where(refunded[order], REFUNDED, ANSWER_FAILED))
    paid_us = np.zeros(rows, dtype=np.int64)
    paid_us[order[outcome == CAPTURED]] = at[outcome == CAPTURED]
    return Answers(order, at, outcome), paid_us


def settlement_blocks(rng: np.random.Generator, trade: Trade, day: Day, paid_us: np.ndarray) -> np.ndarray:
    """The block in which each paid order is delivered."""
    return day.block_after(paid_us + seconds(rng.uniform(*trade.settle_s, len(paid_us))))


def mint(world: World, day: Day, orders: Orders, paid_us: np.ndarray) -> Moves:
    """Mints the tokens of the paid primary orders and adds them to the world; returns their moves.

    `orders` are the first of the day: a move's transaction number is the order's position in them.
    """
    rng = day.generator(Purpose.TICKETS)
    trade, campaigns = world.parameters.trade, world.parameters.campaigns
    paid = np.flatnonzero(orders.status == Status.PAID)
    blocks = settlement_blocks(rng, trade, day, paid_us[paid])
    sequence = np.lexsort((paid_us[paid], blocks))
    paid, blocks = paid[sequence], blocks[sequence]
    source = np.repeat(paid, orders.quantity[paid])
    block = np.repeat(blocks, orders.quantity[paid])
    rows = len(source)
    event = orders.event[source]
    # Serials count up in the order of minting, event by event.
    by_event = np.argsort(event, kind="stable")
    serial = np.empty(rows, dtype=np.int64)
    ones = np.ones(rows, dtype=np.int64)
    serial[by_event] = world.events.sold[event[by_event]] + running_total(ones, event[by_event])
    world.events.sold += np.bincount(event, minlength=len(world.events.sold))
    face, _ = unit_price(trade, world.events.face_cents[event], orders.tier[source])
    minted = day.block_time(block)
    label = orders.label[source]
    keep_share = np.ones(len(Label))
    keep_share[Label.SCALPING] = campaigns.scalper_resale
    keep_share[Label.BOT] = campaigns.bot_resale
    keep_share[Label.STOLEN_CARD] = campaigns.thief_resale
    delay = orders.due_us[source]
    means_to = (delay != NEVER) & (rng.random(rows) < keep_share[label])
    due = np.full(rows, NEVER)
    due[means_to] = minted[means_to] + (delay[means_to] * rng.uniform(0.5, 1.5, rows)[means_to]).astype(np.int64)
    first_token = row_count(world.tokens)
    fresh = make_rows(
        Tokens,
        rows,
        event=event,
        serial=serial,
        owner=orders.user[source],
        since_us=minted,
        minted_us=minted,
        tier=orders.tier[source],
        face_cents=face,
        order_quantity=orders.quantity[source],
        due_us=due,
        due_market=orders.due_market[source],
        due_label=label,
        reserved=False,
        traced=False,
        day=np.full(rows, day.index, dtype=np.int32),
        ticket_serial=np.arange(rows),
    )
    world.tokens = concatenate([world.tokens, fresh])
    return make_rows(
        Moves,
        rows,
        block=block,
        transaction=source,
        token=first_token + np.arange(rows),
        giver=NO_TOKEN,
        taker=orders.user[source],
        market=Market.PRIMARY,
        cents=orders.unit_cents[source],
        label=label,
    )
