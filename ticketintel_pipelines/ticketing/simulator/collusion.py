"""Wash-trading rings that pass tokens round among themselves, and attackers who take over accounts."""

import numpy as np

from ticketintel_pipelines.ticketing.simulator.arrays import concatenate, draw_without_replacement
from ticketintel_pipelines.ticketing.simulator.behaviour import Campaign
from ticketintel_pipelines.ticketing.simulator.clock import HOUR, SECOND, Day, seconds
from ticketintel_pipelines.ticketing.simulator.market import ACCOUNT_AGE, sale_window, unit_price
from ticketintel_pipelines.ticketing.simulator.people import FIRST_DISHONEST
from ticketintel_pipelines.ticketing.simulator.resale import Floor, find_takers, resale_price
from ticketintel_pipelines.ticketing.simulator.world import (
    NO_TOKEN,
    Crowd,
    Intrusions,
    Label,
    Market,
    Orders,
    Place,
    Ring,
    Status,
    Trades,
    World,
    make_rows,
    no_rows,
)

PAUSE = 600 * SECOND
"""An account is at least so old before somebody takes it over, and a ring before its first purchase or hop."""


def ring_trades(world: World, day: Day, rng: np.random.Generator, planned: list[Campaign], floor: Floor) -> Trades:
    """The trades of all rings today: new ones first buy a token from an honest owner, which is an honest sale."""
    parts: list[Trades] = [no_rows(Trades)]
    active = [(ring, day.opens_us + int(rng.integers(0, 8 * HOUR))) for ring in world.rings]
    for campaign in planned:
        if campaign.label is Label.WASH_TRADE and len(campaign.members) > 1:
            founded = _found_ring(world, day, rng, campaign, floor)
            if founded is None:
                world.carry[Label.WASH_TRADE] += campaign.size
                continue
            ring, purchases = founded
            parts.append(purchases)
            active.append((ring, int(purchases.at_us.max()) + PAUSE))
    running = []
    for ring, start_us in active:
        parts.append(_hops(world, day, rng, ring, start_us))
        if ring.hops_left > 0 and ring.days_left > 0:
            running.append(ring)
        else:
            world.tokens.reserved[ring.tokens] = False
    world.rings = running
    return concatenate(parts)


def _found_ring(
    world: World, day: Day, rng: np.random.Generator, campaign: Campaign, floor: Floor
) -> tuple[Ring, Trades] | None:
    parameters = world.parameters.campaigns
    tokens = world.tokens
    ready = int(world.actors.created_us[campaign.members].max()) + PAUSE
    last_start = world.events.starts_us[tokens.event]
    suited = floor.idle & (np.maximum(floor.low_us, ready) + 8 * HOUR < day.closes_us) & (last_start > day.end_us)
    suited &= world.actors.role[tokens.owner] < FIRST_DISHONEST
    index = draw_without_replacement(
        rng, suited.astype(np.float64), 1 if campaign.size < parameters.second_token_from_hops else 2
    )
    if len(index) == 0:
        return None
    rows = len(index)
    low = np.maximum(floor.low_us[index], ready)
    at = low + (rng.random(rows) * 2 * HOUR).astype(np.int64)
    cents = resale_price(rng, world, index)
    floor.take(index)
    tokens.reserved[index] = True
    first = campaign.members[:1]
    purchases = Trades(
        token=index,
        at_us=at,
        market=np.full(rows, int(Market.SEAPORT)),
        cents=cents,
        giver=tokens.owner[index],
        taker=np.repeat(first, rows),
        label=np.full(rows, int(Label.HONEST)),
    )
    days = 1 if campaign.size < parameters.ring_days_least_hops else int(rng.integers(1, parameters.ring_days_most + 1))
    ring = Ring(campaign.members, index, np.zeros(rows, dtype=np.int64), cents, round(campaign.size), days)
    return ring, purchases


def _hops(world: World, day: Day, rng: np.random.Generator, ring: Ring, start_us: int) -> Trades:
    """Passes the ring's tokens from wallet to wallet, one after another, each a little later than the last."""
    parameters = world.parameters.campaigns
    wanted = -(-ring.hops_left // ring.days_left)
    ring.days_left -= 1
    rows: list[tuple[int, int, int, int, int, int]] = []
    clock = start_us
    last = np.minimum(
        world.events.starts_us[world.tokens.event[ring.tokens]] - seconds(world.parameters.trade.last_trade_s),
        day.closes_us,
    )
    for hop in range(wanted):
        place = hop % len(ring.tokens)
        clock += int(rng.uniform(*parameters.ring_hop_s) * SECOND)
        if clock >= last[place]:
            break
        giver = int(ring.holder[place])
        taker = (giver + 1) % len(ring.wallets)
        price = int(ring.cents[place] * np.exp(rng.normal(0, parameters.ring_price_spread)))
        # Now and then a token goes back without a pretended sale.
        market = Market.GIFT if rng.random() < parameters.ring_gift_share else Market.SEAPORT
        asked = 0 if market is Market.GIFT else price
        wallets = int(ring.wallets[giver]), int(ring.wallets[taker])
        rows.append((int(ring.tokens[place]), clock, int(market), asked, *wallets))
        ring.holder[place] = taker
        ring.cents[place] = price
        ring.hops_left -= 1
    token, at, markets, cents, given, taken = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    return Trades(token, at, markets, cents, given, taken, np.full(len(rows), int(Label.WASH_TRADE)))


def takeover_orders(
    world: World, day: Day, rng: np.random.Generator, crowd: Crowd, planned: list[Campaign]
) -> tuple[Orders, Intrusions]:
    """Attackers who order with the victim's stored card; the tickets then leave for a wallet of theirs."""
    count = 0
    for campaign in planned:
        if campaign.label is Label.ACCOUNT_TAKEOVER and campaign.size > 2 and rng.random() < 0.5:
            campaign.size = 0.0
            count += 1
    low, high = sale_window(world, day)
    low = np.maximum(low, day.start_us + 6 * HOUR)
    stock = world.events.capacity - world.events.sold
    suited = (stock > 3) & (high - low > 2 * HOUR)
    if count == 0 or not suited.any():
        return no_rows(Orders), no_rows(Intrusions)
    weight = world.events.popularity * suited
    event = rng.choice(len(weight), count, p=weight / weight.sum())
    placed = world.rhythm.draw(rng, day, low[event], high[event], count)
    lead = seconds(rng.uniform(*world.parameters.campaigns.takeover_lead_s, count))
    victim = crowd.draw(rng, placed - lead - 2 * ACCOUNT_AGE)
    tier = np.full(count, 1, dtype=np.int8)
    _, unit = unit_price(world.parameters.trade, world.events.face_cents[event], tier)
    orders = make_rows(
        Orders,
        count,
        placed_us=placed,
        user=victim,
        event=event,
        quantity=rng.integers(1, 3, count),
        unit_cents=unit,
        tier=tier,
        status=Status.PAID,
        failed_attempts=0,
        market=Market.PRIMARY,
        token=NO_TOKEN,
        seller=NO_TOKEN,
        label=Label.ACCOUNT_TAKEOVER,
        place=Place.ATTACKER,
        due_us=HOUR,
        due_market=Market.GIFT,
    )
    return orders, Intrusions(victim, placed - lead, placed)


def takeover_trades(
    world: World, day: Day, rng: np.random.Generator, crowd: Crowd, planned: list[Campaign], floor: Floor
) -> tuple[Trades, Intrusions]:
    """Attackers who sell a victim's ticket below its value, or first send it to a wallet of theirs."""
    attacks = [c for c in planned if c.label is Label.ACCOUNT_TAKEOVER and c.size > 0 and len(c.members)]
    tokens, actors = world.tokens, world.actors
    owner = tokens.owner
    lead_most = seconds(world.parameters.campaigns.takeover_lead_s[1])
    low = np.maximum(floor.low_us, actors.created_us[owner] + lead_most + PAUSE)
    suited = floor.idle & actors.account[owner] & (actors.role[owner] < FIRST_DISHONEST)
    suited &= floor.high_us - low > 4 * HOUR
    index = draw_without_replacement(rng, suited * (1.0 + world.events.popularity[tokens.event]), len(attacks))
    for campaign in attacks[len(index) :]:
        world.carry[Label.ACCOUNT_TAKEOVER] += campaign.size
    rows = len(index)
    if rows == 0:
        return no_rows(Trades), no_rows(Intrusions)
    rng.shuffle(index)
    at = world.rhythm.draw(rng, day, low[index], floor.high_us[index] - 3 * HOUR, rows)
    floor.take(index)
    cents = (tokens.face_cents[index] * rng.uniform(*world.parameters.campaigns.takeover_discount, rows)).astype(np.int64)
    via_drop = rng.random(rows) < world.parameters.campaigns.takeover_via_drop
    drop = np.array([int(campaign.members[-1]) for campaign in attacks[:rows]])
    label = np.full(rows, int(Label.ACCOUNT_TAKEOVER))
    market = np.where(rng.random(rows) < 0.5, Market.RESALE, Market.SEAPORT)
    nobody = np.full(rows, NO_TOKEN)
    first = Trades(
        token=index,
        at_us=at,
        market=np.where(via_drop, Market.GIFT, market),
        cents=np.where(via_drop, 0, cents),
        giver=owner[index],
        taker=np.where(via_drop, drop, nobody),
        label=label,
    )
    second = Trades(
        token=index[via_drop],
        at_us=(at + (0.5 + 2 * rng.random(rows)) * HOUR).astype(np.int64)[via_drop],
        market=np.full(int(via_drop.sum()), int(Market.SEAPORT)),
        cents=cents[via_drop],
        giver=drop[via_drop],
        taker=nobody[via_drop],
        label=label[via_drop],
    )
    lead = seconds(rng.uniform(*world.parameters.campaigns.takeover_lead_s, rows))
    # The failed sign-ins before the break-in lie on the same day, too.
    entered = np.maximum(at - lead, day.start_us + PAUSE // 2)
    intrusions = Intrusions(owner[index].copy(), entered, at + 60 * SECOND)
    return find_takers(rng, world, crowd, concatenate([first, second])), intrusions
