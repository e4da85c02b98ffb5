"""Value moved between wallets: who first funds whom, who tops up, and where the proceeds of sales go.

Most newcomers' first ether comes from an exchange. Some come with money from a wallet of their own or of a friend, families
fund one another, and groups under one hand have a funder or a cash-out in common unless they take care. Whether a group does is
drawn once for it, and nothing else of the world depends on what is drawn here.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.ticketing.simulator.arrays import concatenate, row_count, select
from ticketintel_pipelines.ticketing.simulator.clock import BLOCK, HOUR, OPENING, Day, Purpose, generator
from ticketintel_pipelines.ticketing.simulator.people import NOBODY, Role
from ticketintel_pipelines.ticketing.simulator.texts import timestamps
from ticketintel_pipelines.ticketing.simulator.world import NO_TOKEN, Label, Market, Moves, World

WEI_PER_ETHER = 10**18
ADDRESS_BYTES = 20
MOVEMENT = "0"
"""Each of these transactions moves value once."""


@dataclass
class Payments:
    """One row per movement of value: at about `at_us`, from address to address (n, 20), `wei` (n,) below 2**64."""

    at_us: np.ndarray
    payer: np.ndarray
    payee: np.ndarray
    wei: np.ndarray


@dataclass(frozen=True)
class Handling:
    """How a group under one hand handles its money. Addresses are (20,), None where the members have nothing in common."""

    funder: np.ndarray | None
    exit: np.ndarray | None


def value_transfers_table(world: World, day: Day, first_actor: int, moves: Moves) -> pa.Table:
    """The value moved today: `first_actor` is the position of the day's first new wallet, `moves` are the day's tokens."""
    rng = day.generator(Purpose.FUNDING)
    hubs = _addresses(world.seed, 0, world.parameters.funding.exchanges)
    groups: dict[int, Handling] = {}
    payments = concatenate(
        [
            _first_fundings(world, day, rng, first_actor, hubs, groups),
            _top_ups(world, day, rng, first_actor, hubs),
            _proceeds(world, day, rng, moves, hubs, groups),
        ]
    )
    block = np.minimum(day.block_after(payments.at_us), day.first_block + (day.end_us - day.start_us) // BLOCK - 1)
    order = np.argsort(block, kind="stable")
    payments, block = select(payments, order), block[order]
    rows = row_count(payments)
    return pa.table(
        {
            "block_number": pa.array(block.astype(np.int64)),
            "block_timestamp": timestamps(day.block_time(block)),
            "transaction_hash": bytes_to_hex(rng.integers(0, 256, (rows, 32), dtype=np.uint8)),
            "movement_id": pa.array([MOVEMENT] * rows, pa.string()),
            "token_address": pa.nulls(rows, pa.string()),
            "from_address": bytes_to_hex(payments.payer),
            "to_address": bytes_to_hex(payments.payee),
            "value_wei": pa.array(payments.wei).cast(pa.string()),
        }
    )


def _addresses(seed: int, number: int, count: int) -> np.ndarray:
    """Addresses outside the world that are the same every day, (count, 20)."""
    return generator(seed, number, Purpose.OUTSIDE_WALLETS).integers(0, 256, (count, ADDRESS_BYTES), dtype=np.uint8)


def _handling(world: World, ring: int, known: dict[int, Handling]) -> Handling:
    """The same for a group on every day that asks."""
    if ring not in known:
        parameters = world.parameters.funding
        rng = generator(world.seed, ring, Purpose.GROUP_FUNDING)
        funder, exits = rng.integers(0, 256, (2, ADDRESS_BYTES), dtype=np.uint8)
        shares_funder, shares_exit = rng.random(2) < (parameters.group_funder, parameters.group_exit)
        known[ring] = Handling(funder if shares_funder else None, exits if shares_exit else None)
    return known[ring]


def _first_fundings(
    world: World, day: Day, rng: np.random.Generator, first_actor: int, hubs: np.ndarray, groups: dict[int, Handling]
) -> Payments:
    actors, parameters = world.actors, world.parameters.funding
    index = np.arange(first_actor, row_count(actors))
    index = index[actors.role[index] != Role.VISITOR]
    rows = len(index)
    lead = np.minimum(actors.created_us[index] - day.start_us, parameters.lead_h * HOUR)
    # Wallets without an account have been there since the day began.
    before = rng.random(rows)
    at = np.where(actors.account[index], actors.created_us[index] - before * lead, day.start_us + before * OPENING)
    payer = hubs[rng.choice(len(hubs), rows, p=_shares(len(hubs)))]
    draw = rng.random(rows)
    services = _addresses(world.seed, 1, parameters.services)
    served = draw < parameters.service_share
    payer[served] = services[rng.integers(0, len(services), rows)][served]
    private = draw > 1 - parameters.private_share
    payer[private] = rng.integers(0, 256, (rows, ADDRESS_BYTES), dtype=np.uint8)[private]
    # A family's account stands next to that of whoever shares the home.
    kin = (actors.role[index] == Role.FAMILY) & (index > first_actor) & (rng.random(rows) < parameters.family_share)
    payer[kin] = actors.wallet[index[kin] - 1]
    for place in np.flatnonzero(actors.ring[index] != NOBODY):
        funder = _handling(world, int(actors.ring[index[place]]), groups).funder
        if funder is not None:
            payer[place] = funder
    return Payments(at.astype(np.int64), payer, actors.wallet[index], _amounts(world, rng, rows))


def _top_ups(world: World, day: Day, rng: np.random.Generator, first_actor: int, hubs: np.ndarray) -> Payments:
    """Wallets of earlier days that buy more ether."""
    rows = round(world.parameters.funding.top_ups * world.daily_events) if first_actor else 0
    index = rng.integers(0, max(first_actor, 1), rows)
    index = index[world.actors.role[index] != Role.VISITOR]
    at = day.start_us + rng.random(len(index)) * (day.end_us - day.start_us)
    payer = hubs[rng.choice(len(hubs), len(index), p=_shares(len(hubs)))]
    return Payments(at.astype(np.int64), payer, world.actors.wallet[index], _amounts(world, rng, len(index)))


def _proceeds(
    world: World, day: Day, rng: np.random.Generator, moves: Moves, hubs: np.ndarray, groups: dict[int, Handling]
) -> Payments:
    """What sellers on the open market do with the day's proceeds: most keep them, some cash out."""
    parameters, actors = world.parameters.funding, world.actors
    sold = np.flatnonzero((moves.market == Market.SEAPORT) & (moves.giver != NO_TOKEN))
    seller, place = np.unique(moves.giver[sold], return_inverse=True)
    cents = np.bincount(place, moves.cents[sold], len(seller))
    last = np.zeros(len(seller), dtype=np.int64)
    np.maximum.at(last, place, day.block_time(moves.block[sold]))
    washed = np.bincount(place, moves.label[sold] == Label.WASH_TRADE, len(seller)) > 0
    cashes = rng.random(len(seller)) < parameters.cash_out
    payee = hubs[rng.choice(len(hubs), len(seller), p=_shares(len(hubs)))]
    # An address that the exchange keeps for this customer alone.
    deposit = rng.random(len(seller)) < parameters.deposit_share
    payee[deposit] = actors.wallet[seller[deposit]] ^ np.uint8(0xA5)
    for one in np.flatnonzero(actors.ring[seller] != NOBODY):
        exits = _handling(world, int(actors.ring[seller[one]]), groups).exit
        if exits is not None:
            payee[one] = exits
            cashes[one] |= bool(washed[one])
    at = last + (rng.uniform(*parameters.cash_out_h, len(seller)) * HOUR).astype(np.int64)
    cashes &= at < day.end_us - BLOCK
    wei = (cents * (WEI_PER_ETHER / (100 * world.parameters.trade.eth_usd)) * parameters.cash_out_share).astype(np.uint64)
    cashes &= wei > 0
    return Payments(at[cashes], actors.wallet[seller[cashes]], payee[cashes], wei[cashes])


def _shares(hubs: int) -> np.ndarray:
    """How the exchanges share the market: the second has half as many customers as the first, the third a third."""
    weight = 1 / np.arange(1, hubs + 1)
    return weight / weight.sum()


def _amounts(world: World, rng: np.random.Generator, rows: int) -> np.ndarray:
    parameters = world.parameters.funding
    ether = parameters.ether_median * np.exp(rng.normal(0, parameters.ether_spread, rows))
    return (np.minimum(ether, parameters.ether_most) * WEI_PER_ETHER).astype(np.uint64)
