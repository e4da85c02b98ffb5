"""Accounts and wallets: who signs up when, where they live, what they share with others, and which role they play."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ticketintel_pipelines.ticketing.simulator.arrays import concatenate
from ticketintel_pipelines.ticketing.simulator.clock import DAY, HOUR, SECOND, Day, Purpose, Rhythm
from ticketintel_pipelines.ticketing.simulator.parameters import Campaigns, Parameters
from ticketintel_pipelines.ticketing.simulator.places import AGENT_SHARES, AGENTS, BOT_AGENTS, CITIES
from ticketintel_pipelines.ticketing.simulator.texts import IPV6

HOME_NETWORK = (100 << 24) | (64 << 16)
"""100.64.0.0/10, shared address space: homes, one slice of 2**17 addresses per city."""
HOME_SLICE_BITS = 17
OFFICE_NETWORK = (198 << 24) | (18 << 16)
"""198.18.0.0/16, benchmark addresses: offices."""
RENTED_NETWORK = (198 << 24) | (19 << 16)
"""198.19.0.0/16: rented machines and proxies."""
NOBODY = -1


class Role(IntEnum):
    """What an actor is in truth. Those before SCALPER are honest; families, offices and travellers look otherwise."""

    FAN = 0
    FAMILY = 1
    OFFICE = 2
    TRAVELLER = 3
    COLLECTOR = 4
    VISITOR = 5
    SCALPER = 6
    BOT = 7
    WASH_TRADER = 8
    CARD_THIEF = 9
    DROP_WALLET = 10


HONEST_BUYERS = (Role.FAN, Role.FAMILY, Role.OFFICE, Role.TRAVELLER)
FIRST_DISHONEST = Role.SCALPER


@dataclass
class Actors:
    """One row per wallet: accounts in the order of their opening, and wallets without an account between them.

    Times in microseconds, coordinates in degrees, `address` and `office` as address codes (see `texts.addresses`),
    `device` and `instrument` as 48-bit numbers, `city` and `agent` as positions in `places`.
    """

    created_us: np.ndarray
    account: np.ndarray
    day: np.ndarray
    serial: np.ndarray
    wallet: np.ndarray
    role: np.ndarray
    ring: np.ndarray
    city: np.ndarray
    card_city: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    address: np.ndarray
    office: np.ndarray
    device: np.ndarray
    agent: np.ndarray
    instrument: np.ndarray
    activity: np.ndarray


@dataclass(frozen=True)
class GroupWanted:
    """Actors that a campaign needs today: `accounts` consecutive sign-ups and `wallets` without an account."""

    role: Role
    accounts: int
    wallets: int
    ring: int


def home_address(rng: np.random.Generator, city: np.ndarray, ipv6_share: float) -> np.ndarray:
    """An address code of each city's slice, shape (n,)."""
    rows = len(city)
    code = HOME_NETWORK + (city.astype(np.int64) << HOME_SLICE_BITS) + rng.integers(0, 1 << HOME_SLICE_BITS, rows)
    return np.where(rng.random(rows) < ipv6_share, code + IPV6, code)


def sign_up(
    day: Day,
    parameters: Parameters,
    rhythm: Rhythm,
    daily_events: int,
    groups: list[GroupWanted],
    first_actor: int,
) -> tuple[Actors, list[np.ndarray]]:
    """The day's new actors, and for each wanted group the positions of its members in the whole world."""
    rng = day.generator(Purpose.SIGN_UPS)
    volume, crowd = parameters.volume, parameters.crowd
    rate = volume.sign_ups + volume.opening_sign_ups * 0.5**day.index
    wanted = sum(group.accounts for group in groups)
    accounts = max(4, round(rate * daily_events)) + wanted
    created = np.sort(_opening_times(rng, day, rhythm, accounts))
    actors = _crowd(rng, parameters, day, created)
    members = _place_groups(rng, parameters, day, actors, groups)
    outside = max(2, round(crowd.collectors_per_record * daily_events * (5 if day.index == 0 else 1)))
    wallets = outside + sum(group.wallets for group in groups)
    strangers = _crowd(rng, parameters, day, np.full(wallets, day.start_us))
    strangers.account[:] = False
    strangers.role[:] = Role.COLLECTOR
    strangers.serial[:] = NOBODY
    taken = outside
    for number, group in enumerate(groups):
        own = np.arange(taken, taken + group.wallets)
        strangers.role[own] = group.role
        strangers.ring[own] = group.ring
        members[number] = np.concatenate([members[number], accounts + own])
        taken += group.wallets
    return concatenate([actors, strangers]), [first_actor + positions for positions in members]


def _opening_times(rng: np.random.Generator, day: Day, rhythm: Rhythm, rows: int) -> np.ndarray:
    if day.index > 0:
        return rhythm.draw(rng, day, day.start_us, day.end_us - SECOND, rows)
    # The opening rush: some accounts exist within minutes, so that somebody can buy from the first sale on.
    delays = np.minimum(rng.exponential(2.5 * HOUR, rows), DAY - SECOND * (1 + 3_600 * rng.random(rows)))
    early = max(2, rows // 12)
    delays[:early] = 10 * SECOND + rng.random(early) * 600 * SECOND
    return day.start_us + delays.astype(np.int64)


def _crowd(rng: np.random.Generator, parameters: Parameters, day: Day, created: np.ndarray) -> Actors:
    crowd = parameters.crowd
    rows = len(created)
    weights = np.array([city.weight for city in CITIES])
    city = rng.choice(len(CITIES), rows, p=weights / weights.sum()).astype(np.int16)
    draw = rng.random(rows)
    bounds = np.cumsum([crowd.visitor_share, crowd.family_share, crowd.office_share, crowd.traveller_share])
    role = np.full(rows, Role.FAN, dtype=np.int8)
    for kind, low, high in zip(
        (Role.VISITOR, Role.FAMILY, Role.OFFICE, Role.TRAVELLER), (0.0, *bounds[:-1]), bounds, strict=True
    ):
        role[(draw >= low) & (draw < high)] = kind
    address = home_address(rng, city, crowd.ipv6_share)
    # A family member lives at the address of the account before: brothers, parents, flatmates.
    shares_home = np.flatnonzero(role == Role.FAMILY)
    shares_home = shares_home[shares_home > 0]
    source = np.arange(rows)
    source[shares_home] -= 1
    source = source[source]
    address, city = address[source], city[source]
    offices = max(1, round(rows * crowd.office_share / crowd.office_size))
    office = OFFICE_NETWORK + (day.index * 64 + rng.integers(0, offices, rows)) % (1 << 16)
    abroad = rng.random(rows) < crowd.abroad_card_share
    return Actors(
        created_us=created,
        account=np.ones(rows, dtype=bool),
        day=np.full(rows, day.index, dtype=np.int32),
        serial=np.arange(rows, dtype=np.int32),
        wallet=rng.integers(0, 256, (rows, 20), dtype=np.uint8),
        role=role,
        ring=np.full(rows, NOBODY, dtype=np.int32),
        city=city,
        card_city=np.where(abroad, rng.integers(0, len(CITIES), rows), city).astype(np.int16),
        latitude=np.array([place.latitude for place in CITIES])[city] + rng.normal(0, 0.08, rows),
        longitude=np.array([place.longitude for place in CITIES])[city] + rng.normal(0, 0.12, rows),
        address=address,
        office=np.where(role == Role.OFFICE, office, 0),
        device=rng.integers(0, 1 << 48, rows, dtype=np.int64),
        agent=rng.choice(len(AGENTS), rows, p=AGENT_SHARES).astype(np.int8),
        instrument=rng.integers(0, 1 << 48, rows, dtype=np.int64),
        activity=np.exp(rng.normal(0, crowd.activity_spread, rows)),
    )


def _place_groups(
    rng: np.random.Generator, parameters: Parameters, day: Day, actors: Actors, groups: list[GroupWanted]
) -> list[np.ndarray]:
    """Gives runs of consecutive sign-ups to the groups, with the traces that their members share."""
    free = np.ones(len(actors.created_us), dtype=bool)
    # Members must exist early enough to act today.
    latest = day.start_us + (2 * HOUR if day.index == 0 else 12 * HOUR)
    usable = max(int(np.searchsorted(actors.created_us, latest)), 2)
    members: list[np.ndarray] = []
    for group in groups:
        positions = _free_run(rng, free[:usable], group.accounts)
        free[positions] = False
        members.append(positions)
        actors.role[positions] = group.role
        actors.ring[positions] = group.ring
        actors.office[positions] = 0
        if len(positions) == 0:
            continue
        _share_traces(rng, parameters.campaigns, actors, positions, group.role)
    return members


def _free_run(rng: np.random.Generator, free: np.ndarray, size: int) -> np.ndarray:
    """About `size` free positions close to each other (all there are if fewer)."""
    available = np.flatnonzero(free)
    if size == 0 or len(available) == 0:
        return available[:0]
    first = int(rng.integers(0, max(1, len(available) - size + 1)))
    return available[first : first + size]


def _share_traces(rng: np.random.Generator, campaigns: Campaigns, actors: Actors, positions: np.ndarray, role: Role) -> None:
    rows = len(positions)
    if role is Role.BOT:
        actors.address[positions] = RENTED_NETWORK + rng.integers(0, 1 << 8) * 256 + rng.integers(0, 4, rows)
        actors.agent[positions] = BOT_AGENTS[int(rng.integers(0, len(BOT_AGENTS)))]
        actors.device[positions] = actors.device[positions[rng.integers(0, max(1, rows // 3), rows)]]
    elif role is Role.SCALPER:
        # Some operators sit in one flat, the others have learnt to use several connections.
        if rng.random() < campaigns.scalpers_share_home:
            actors.address[positions] = actors.address[positions[0]]
        actors.device[positions] = actors.device[positions[rng.integers(0, max(1, rows // 2), rows)]]
        actors.instrument[positions] = actors.instrument[positions[rng.integers(0, max(1, rows // 2), rows)]]
    elif role is Role.CARD_THIEF:
        actors.address[positions] = RENTED_NETWORK + rng.integers(0, 1 << 12, rows)
        actors.card_city[positions] = (actors.city[positions] + rng.integers(1, len(CITIES), rows)) % len(CITIES)
    elif role is Role.WASH_TRADER and rng.random() < campaigns.rings_share_home:
        actors.address[positions] = actors.address[positions[0]]
