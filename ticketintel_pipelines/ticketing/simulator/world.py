"""What persists from day to day: actors, events, tokens and their owners, and campaigns that are still running."""

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any

import numpy as np

from ticketintel_pipelines.ticketing.simulator.clock import Day, Rhythm
from ticketintel_pipelines.ticketing.simulator.parameters import Parameters
from ticketintel_pipelines.ticketing.simulator.people import HONEST_BUYERS, Actors
from ticketintel_pipelines.ticketing.simulator.season import Events, Organisers


class Label(IntEnum):
    """The truth about one ticket transaction."""

    HONEST = 0
    SCALPING = 1
    BOT = 2
    WASH_TRADE = 3
    STOLEN_CARD = 4
    ACCOUNT_TAKEOVER = 5


class Market(IntEnum):
    """How a token moves. The first two go through an order of the platform."""

    PRIMARY = 0
    RESALE = 1
    SEAPORT = 2
    GIFT = 3


class Status(IntEnum):
    PAID = 0
    CANCELLED = 1
    FAILED = 2


class Place(IntEnum):
    """Where a user acts from."""

    HOME = 0
    AWAY = 1
    """Another city, the own device: a traveller."""
    ATTACKER = 2
    """A rented machine and an unknown device."""


NO_TOKEN = -1
NEVER = np.iinfo(np.int64).max


@dataclass
class Tokens:
    """One row per minted token, which is one ticket. Times in microseconds, money in cents.

    `order_quantity` is the size of the order that minted it. `due_us` is when its owner means to pass it on (NEVER
    otherwise), `due_market` and `due_label` how and why. `reserved` tokens belong to a running wash-trading ring. `traced`
    tokens were moved dishonestly in a way that can be seen.
    """

    event: np.ndarray
    serial: np.ndarray
    owner: np.ndarray
    since_us: np.ndarray
    minted_us: np.ndarray
    tier: np.ndarray
    face_cents: np.ndarray
    order_quantity: np.ndarray
    due_us: np.ndarray
    due_market: np.ndarray
    due_label: np.ndarray
    reserved: np.ndarray
    traced: np.ndarray
    day: np.ndarray
    ticket_serial: np.ndarray


@dataclass
class Orders:
    """One row per order. `token` and `seller` belong to resales (NO_TOKEN in primary sales)."""

    placed_us: np.ndarray
    user: np.ndarray
    event: np.ndarray
    quantity: np.ndarray
    unit_cents: np.ndarray
    tier: np.ndarray
    status: np.ndarray
    failed_attempts: np.ndarray
    market: np.ndarray
    token: np.ndarray
    seller: np.ndarray
    label: np.ndarray
    place: np.ndarray
    due_us: np.ndarray
    """For mints: how long after the mint the tokens are passed on, microseconds; NEVER if not meant to be."""
    due_market: np.ndarray


@dataclass
class Trades:
    """One row per passing-on of a minted token: at `at_us` its giver parts with it. `cents` is 0 for a gift."""

    token: np.ndarray
    at_us: np.ndarray
    market: np.ndarray
    cents: np.ndarray
    giver: np.ndarray
    taker: np.ndarray
    label: np.ndarray


@dataclass
class Moves:
    """One row per token that changes hands: in block `block`, in the day's transaction number `transaction`.

    Transactions of orders carry the order's position; the others are numbered after them.
    """

    block: np.ndarray
    transaction: np.ndarray
    token: np.ndarray
    giver: np.ndarray
    """NO_TOKEN for a mint."""
    taker: np.ndarray
    market: np.ndarray
    cents: np.ndarray
    label: np.ndarray


@dataclass
class Intrusions:
    """One row per account that an attacker signed in to, from `at_us` to `until_us`."""

    user: np.ndarray
    at_us: np.ndarray
    until_us: np.ndarray


@dataclass
class Ring:
    """A wash-trading ring: its wallets (positions of actors) pass its tokens round."""

    wallets: np.ndarray
    tokens: np.ndarray
    holder: np.ndarray
    """For each token the place in `wallets` of who holds it."""
    cents: np.ndarray
    hops_left: int
    days_left: int


@dataclass
class Chargebacks:
    """Chargebacks to come. `paid_day` and `paid_serial` name the payment."""

    received_us: np.ndarray
    paid_day: np.ndarray
    paid_serial: np.ndarray
    cents: np.ndarray
    reason: np.ndarray
    label: np.ndarray


@dataclass
class Reviews:
    """Verdicts of the fraud desk to come. `hash` (n, 32) and `log_index` name the ticket transaction.

    `kind` is the label that the reviewer names, HONEST where none is named; `label` is the truth.
    """

    decided_us: np.ndarray
    hash: np.ndarray
    log_index: np.ndarray
    is_fraud: np.ndarray
    kind: np.ndarray
    reviewer: np.ndarray
    label: np.ndarray


@dataclass
class Listings:
    """Addresses (n, 20) that watch lists are going to name; `number` is an address's place among a list's labels."""

    listed_us: np.ndarray
    wallet: np.ndarray
    list: np.ndarray
    number: np.ndarray


@dataclass
class World:
    """The state between two days."""

    seed: int
    daily_events: int
    parameters: Parameters
    rhythm: Rhythm
    organisers: Organisers
    actors: Actors
    events: Events
    tokens: Tokens
    chargebacks: Chargebacks
    reviews: Reviews
    cents_per_ether: float
    last_block_hash: np.ndarray
    carry: np.ndarray
    """By label: transactions that dishonest actors may still make."""
    groups: dict[int, list[np.ndarray]] = field(default_factory=dict)
    """By role: groups of accounts under one hand that may act again."""
    rings: list[Ring] = field(default_factory=list)
    rings_founded: int = 0
    traced_actors: set[int] = field(default_factory=set)
    """Dishonest buyers of whom an order showed what they are."""
    listings: Listings = field(default_factory=lambda: no_rows(Listings))

    @property
    def transactions_per_day(self) -> float:
        return self.parameters.volume.ticket_transactions * self.daily_events

    @property
    def primary_per_day(self) -> float:
        trade = self.parameters.trade
        return self.transactions_per_day * (1 - trade.platform_resale_share - trade.seaport_share - trade.gift_share)


class Crowd:
    """Honest accounts to draw from, each as often as it is active, and only once it exists."""

    def __init__(self, actors: Actors) -> None:
        self._members = np.flatnonzero(actors.account & np.isin(actors.role, HONEST_BUYERS))
        self._created = actors.created_us[self._members]
        self._weights = np.cumsum(actors.activity[self._members])
        self._city = actors.city

    def draw(self, rng: np.random.Generator, times_us: np.ndarray) -> np.ndarray:
        """For each time an account opened before it, shape (n,); there must be one."""
        eligible = np.searchsorted(self._created, times_us, side="left")
        if len(eligible) and eligible.min() == 0:
            raise ValueError("nobody has an account yet at the time of a purchase")
        target = rng.random(len(times_us)) * self._weights[eligible - 1]
        return self._members[np.minimum(np.searchsorted(self._weights, target, side="right"), eligible - 1)]

    def draw_near(self, rng: np.random.Generator, times_us: np.ndarray, cities: np.ndarray) -> np.ndarray:
        """As `draw`; of three drawn accounts the first that lives in the city is preferred."""
        drawn = np.stack([self.draw(rng, times_us) for _ in range(3)], axis=1)
        near = self._city[drawn] == cities[:, None]
        return drawn[np.arange(len(drawn)), near.argmax(axis=1)]

    def draw_other(self, rng: np.random.Generator, times_us: np.ndarray, than: np.ndarray) -> np.ndarray:
        """As `draw`, but another account than `than`; NO_TOKEN where none was found."""
        drawn = self.draw(rng, times_us)
        for _ in range(4):
            same = drawn == than
            if not same.any():
                return drawn
            drawn[same] = self.draw(rng, times_us[same])
        return np.where(drawn == than, NO_TOKEN, drawn)


def make_rows(kind: type[Any], rows: int, **columns: Any) -> Any:
    """A batch of `rows` rows; scalars are repeated."""
    return kind(**{name: np.full(rows, value) if np.ndim(value) == 0 else value for name, value in columns.items()})


def no_rows(kind: type[Any]) -> Any:
    """A batch without rows."""
    return kind(*(np.zeros(0, dtype=np.int64) for _ in fields(kind)))


def settle(world: World, day: Day, moves: Moves) -> None:
    """Writes the new owners; of several moves of a token the last one counts."""
    order = np.argsort(moves.block, kind="stable")
    tokens = moves.token[order]
    world.tokens.owner[tokens] = moves.taker[order]
    world.tokens.since_us[tokens] = day.block_time(moves.block[order])
