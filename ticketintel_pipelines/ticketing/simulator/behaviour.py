"""Dishonest actors at the primary sale: the day's campaigns, scalpers, bots and stolen cards.

Rings and take-overs, which move tokens that already exist, are in `collusion`.
"""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.ticketing.simulator.arrays import concatenate
from ticketintel_pipelines.ticketing.simulator.clock import HOUR, SECOND, Day, seconds
from ticketintel_pipelines.ticketing.simulator.market import sale_window, unit_price
from ticketintel_pipelines.ticketing.simulator.people import NOBODY, GroupWanted, Role
from ticketintel_pipelines.ticketing.simulator.world import (
    NO_TOKEN,
    Label,
    Market,
    Orders,
    Place,
    Status,
    World,
    make_rows,
    no_rows,
)

PREPARATION = 600 * SECOND
"""From the youngest account of a group to its first order."""
ROLE_OF = {
    Label.SCALPING: Role.SCALPER,
    Label.BOT: Role.BOT,
    Label.WASH_TRADE: Role.WASH_TRADER,
    Label.STOLEN_CARD: Role.CARD_THIEF,
    Label.ACCOUNT_TAKEOVER: Role.DROP_WALLET,
}


@dataclass
class Campaign:
    """One undertaking of one group: about `size` transactions. `members` are positions of actors."""

    label: Label
    size: float
    members: np.ndarray
    wanted: GroupWanted | None


def first_budget(world_transactions: float, least: tuple[float, ...], full_start: float) -> np.ndarray:
    """What dishonest actors may spend on day one besides their daily share, by label, in transactions."""
    return np.array(least) * min(1.0, world_transactions / full_start)


def plan(world: World, day: Day, rng: np.random.Generator) -> list[Campaign]:
    """The campaigns of the day; those that need new accounts say so in `wanted`."""
    campaigns = world.parameters.campaigns
    world.carry += np.array(campaigns.share) * world.transactions_per_day
    planned: list[Campaign] = []
    for label in list(Label)[1:]:
        least, typical = campaigns.least[label], campaigns.typical[label]
        while world.carry[label] >= least:
            size = float(np.clip(typical * np.exp(rng.normal(0, campaigns.size_spread)), least, world.carry[label]))
            world.carry[label] -= size
            planned.append(_campaign(world, rng, label, size))
    return planned


def _campaign(world: World, rng: np.random.Generator, label: Label, size: float) -> Campaign:
    campaigns = world.parameters.campaigns
    role = ROLE_OF[label]
    known = world.groups.get(int(role), [])
    reuse = {Label.SCALPING: campaigns.scalper_reuse, Label.BOT: campaigns.bot_reuse}.get(label, 0.0)
    if known and rng.random() < reuse:
        return Campaign(label, size, known[int(rng.integers(0, len(known)))], None)
    accounts, wallets = 1, 0
    if label is Label.SCALPING:
        accounts = int(np.clip(np.ceil(size / (1 + campaigns.scalper_resale) / campaigns.tickets_per_scalper), 2, 5))
    elif label is Label.BOT:
        accounts = int(np.clip(round(size / (1 + campaigns.bot_resale) / campaigns.bot_order_most), 2, 8))
    elif label is Label.WASH_TRADE:
        members = int(np.clip(2 + rng.integers(0, 1 + int(size / 3)), 2, 6))
        accounts = int(rng.integers(1, members + 1))
        wallets = members - accounts
    elif label is Label.ACCOUNT_TAKEOVER:
        accounts, wallets = 0, 1
    ring = NOBODY
    if accounts + wallets > 1:
        ring = world.rings_founded
        world.rings_founded += 1
    return Campaign(label, size, np.zeros(0, dtype=np.int64), GroupWanted(role, accounts, wallets, ring))


def primary_campaigns(world: World, day: Day, rng: np.random.Generator, planned: list[Campaign]) -> Orders:
    """The orders of scalpers, bots and card thieves."""
    parts: list[Orders] = [no_rows(Orders)]
    for campaign in planned:
        if campaign.label in (Label.SCALPING, Label.BOT, Label.STOLEN_CARD) and len(campaign.members):
            orders = _orders_of(world, day, rng, campaign)
            if orders is None:
                # No sale suited today; the group tries again.
                world.carry[campaign.label] += campaign.size
            else:
                parts.append(orders)
    return concatenate(parts)


def _target(world: World, day: Day, rng: np.random.Generator, ready_us: int, label: Label) -> tuple[int, int] | None:
    """The event a group goes for and when it starts, microseconds."""
    low, high = sale_window(world, day)
    low = np.maximum(low, ready_us)
    stock = world.events.capacity - world.events.sold
    suited = (stock > 0) & (high - low > HOUR)
    if not suited.any():
        return None
    weight = world.events.popularity * np.minimum(stock, 2_000) * suited
    opening = suited & (world.events.on_sale_us >= ready_us) & (world.events.on_sale_us >= day.opens_us)
    if opening.any():
        # Goods that sell out are bought in the first minutes; stolen cards are used at any time.
        campaigns = world.parameters.campaigns
        thief = label is Label.STOLEN_CARD
        factor = campaigns.thief_opening_preference if thief else campaigns.opening_preference
        weight = np.where(opening, weight * factor, weight)
    event = int(rng.choice(len(weight), p=weight / weight.sum()))
    if label is Label.STOLEN_CARD:
        return event, int(world.rhythm.draw(rng, day, low[event], high[event] - HOUR // 2, 1)[0])
    return event, int(low[event])


def _orders_of(world: World, day: Day, rng: np.random.Generator, campaign: Campaign) -> Orders | None:
    parameters, members = world.parameters.campaigns, campaign.members
    ready = int(world.actors.created_us[members].max()) + PREPARATION
    target = _target(world, day, rng, ready, campaign.label)
    if target is None:
        return None
    event, start = target
    if campaign.label is Label.SCALPING:
        quantity = _portions(campaign.size / (1 + parameters.scalper_resale), parameters.order_most)
        placed = start + np.sort(seconds(rng.exponential(parameters.scalper_rush_mean_s, len(quantity)) + 2.0))
        delay = parameters.scalper_delay_h * np.exp(rng.normal(0, parameters.scalper_delay_spread))
    elif campaign.label is Label.BOT:
        quantity = _portions(campaign.size / (1 + parameters.bot_resale), parameters.bot_order_most)
        interval = rng.uniform(*parameters.bot_interval_s)
        jitter = rng.normal(0, parameters.bot_jitter_s, len(quantity))
        placed = start + seconds(rng.uniform(*parameters.bot_start_s) + interval * np.arange(len(quantity)) + np.abs(jitter))
        delay = parameters.bot_delay_h
    else:
        quantity = _portions(campaign.size / (1 + parameters.thief_resale), int(rng.integers(1, 5)))
        placed = start + np.cumsum(seconds(rng.uniform(*parameters.thief_interval_s, len(quantity))))
        delay = rng.uniform(*parameters.thief_delay_h)
    rows = len(quantity)
    placed = np.minimum(placed, day.closes_us)
    tier = rng.choice(len(parameters.tier_shares), rows, p=parameters.tier_shares).astype(np.int8)
    _, unit = unit_price(world.parameters.trade, world.events.face_cents[np.full(rows, event)], tier)
    thief = campaign.label is Label.STOLEN_CARD
    low, high = parameters.thief_attempts
    orders: Orders = make_rows(
        Orders,
        rows,
        placed_us=placed,
        user=members[np.arange(rows) % len(members)],
        event=event,
        quantity=quantity,
        unit_cents=unit,
        tier=tier,
        status=Status.PAID,
        failed_attempts=rng.integers(low, high + 1, rows) if thief else (rng.random(rows) < 0.03).astype(np.int64),
        market=Market.PRIMARY,
        token=NO_TOKEN,
        seller=NO_TOKEN,
        label=int(campaign.label),
        place=Place.HOME,
        due_us=int(delay * HOUR),
        due_market=rng.choice([Market.RESALE, Market.SEAPORT], rows),
    )
    if thief:
        # Cards that never worked: an order that failed for good before the one that went through.
        vain = make_rows(Orders, rows, **vars(orders))
        vain.placed_us = orders.placed_us - 45 * SECOND
        vain.status = np.full(rows, int(Status.FAILED))
        orders = concatenate([vain, orders])
    return orders


def _portions(total: float, most: int) -> np.ndarray:
    """About `total` tickets as orders of at most `most`; at least one."""
    tickets = max(1, round(total))
    full, rest = divmod(tickets, most)
    return np.array([most] * full + ([rest] if rest else []), dtype=np.int64)


def remember_groups(world: World, planned: list[Campaign]) -> None:
    """Keeps the new scalper and bot groups for later campaigns."""
    for campaign in planned:
        if campaign.wanted is not None and campaign.label in (Label.SCALPING, Label.BOT) and len(campaign.members):
            world.groups.setdefault(int(ROLE_OF[campaign.label]), []).append(campaign.members)
