"""A market with planted rings and with honest people who look like them, as arrays, from a few hundred transfers to millions.

Rings of two to six wallets pass one to three tokens round, in order or as it comes, at a steady price or an ever higher one,
now and then without a price; most of them were funded from one place, or cash out to one. Honest are: trade in which a few deal
much and most little; popular tokens that one crowd trades for months, so that they come back and some buy them three times;
sales back after more than the window, and within it; refunds, paid and unpaid; families who lend tokens to each other and share
a funder; listings in escrow; and wallets funded by exchanges, most of all.
"""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import DAY, Flags, Integers
from ticketintel_pipelines.learning.rings.flags import Definition
from ticketintel_pipelines.learning.rings.funding import Money
from ticketintel_pipelines.learning.rings.paths import CUSTODY, NOBODY, Transfers
from ticketintel_pipelines.learning.rings.verdict import Judged

DAYS = 120
HOUR = DAY // 24
WINDOW = 30 * DAY


@dataclass(frozen=True)
class RingWorld:
    """`ring` (n,) is the number of the ring that made a transfer, -1 for an honest one. Wallets from `wallets` on only move
    money; `hubs` are the exchanges among them.
    """

    transfers: Transfers
    ring: Integers
    money: Money
    wallets: int
    addresses: int
    hubs: Integers


class _Rows:
    """Rows as they are made, out of order."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self.tokens = 0

    def new_tokens(self, count: int) -> np.ndarray:
        self.tokens += count
        return np.arange(self.tokens - count, self.tokens)

    def add(self, token: object, giver: object, taker: object, at: object, price: object, ring: object = -1) -> None:
        columns = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (token, giver, taker, at, price, ring)))
        self.parts.append(np.column_stack([column.reshape(-1) for column in columns]))


def ring_world(
    transfers: int,
    wallets: int,
    seed: int,
    crowd: tuple[int, int] = (30, 300),
    laps: tuple[float, float] | None = None,
) -> RingWorld:
    """About `transfers` transfers among `wallets` wallets; equal arguments give equal worlds.

    A popular token has a `crowd` of so many people. `laps` is how often a ring's tokens go round: by itself, from once to four
    times, and at least one and a half where the ring has neither funder nor exit in common.
    """
    random = np.random.default_rng(seed)
    rows = _Rows()
    families = _families(random, wallets)
    dishonest = random.permutation(wallets)[: wallets // 12]
    _trade(random, rows, round(transfers * 0.78), wallets)
    _popular(random, rows, round(transfers * 0.12), wallets, crowd)
    _returns(random, rows, round(transfers * 0.05), wallets)
    _lending(random, rows, round(transfers * 0.01), families)
    members = _rings(random, rows, round(transfers * 0.02), dishonest, laps)
    table = np.concatenate(rows.parts)
    table = table[(table[:, 3] >= 0) & (table[:, 3] < DAYS * DAY)]
    table = table[np.argsort(table[:, 3], kind="stable")]
    token, giver, taker, at = table[:, :4].astype(np.int64).T
    moved = Transfers(token, giver, taker, at, table[:, 4])
    money, addresses, hubs = _money(random, wallets, families, members)
    return RingWorld(moved, table[:, 5].astype(np.int64), money, wallets, addresses, hubs)


def _people(random: np.random.Generator, count: int, wallets: int) -> np.ndarray:
    """Wallets, of which a few deal much: the busiest has some 0.3 % of the market where there are 500,000."""
    return (random.power(0.45, count) * wallets).astype(np.int64)


def _chains(random: np.random.Generator, rows: _Rows, hops: np.ndarray, owner: np.ndarray, gap_days: float) -> None:
    """Tokens that are minted and sold on `hops` times to the next of `owner`, at prices that move with the market."""
    token = np.repeat(rows.new_tokens(len(hops)), hops)
    first = np.append(True, token[1:] != token[:-1])
    begin = np.repeat(random.uniform(-20, DAYS, len(hops)), hops)
    waits = np.where(first, 0.0, random.exponential(gap_days, len(token)) + 0.02)
    passed = np.cumsum(waits)
    at = ((begin + passed - np.repeat(passed[first], hops)) * DAY).astype(np.int64)
    worth = np.repeat(np.exp(random.normal(-2.5, 1.0, len(hops))), hops)
    price = worth * np.exp(random.normal(0.1, 0.3, len(token)))
    price[~first & (random.random(len(token)) < 0.15)] = 0.0
    giver = np.where(first, NOBODY, np.append(NOBODY, owner[:-1]))
    same = giver == owner
    token, giver, owner, at, price = (column[~same] for column in (token, giver, owner, at, price))
    # Some are left with the market's contract until somebody buys them, or until they are taken back.
    listed = (giver != NOBODY) & (price > 0) & (random.random(len(token)) < 0.1)
    waited = (random.uniform(0.01, 0.5, len(token)) * HOUR).astype(np.int64)
    rows.add(token[listed], giver[listed], CUSTODY, at[listed] - waited[listed], 0.0)
    rows.add(token, np.where(listed, CUSTODY, giver), owner, at, price)


def _trade(random: np.random.Generator, rows: _Rows, count: int, wallets: int) -> None:
    hops = random.geometric(0.35, round(count * 0.35))
    _chains(random, rows, hops, _people(random, int(hops.sum()), wallets), 14.0)
    listed = _people(random, count // 50, wallets)
    begin = random.uniform(0, DAYS, len(listed)) * DAY
    token = rows.new_tokens(len(listed))
    rows.add(token, NOBODY, listed, begin, 0.05)
    rows.add(token, listed, CUSTODY, begin + DAY, 0.0)
    rows.add(token, CUSTODY, listed, begin + 3 * DAY, 0.0)


def _popular(random: np.random.Generator, rows: _Rows, count: int, wallets: int, people: tuple[int, int]) -> None:
    """Tokens that a crowd of their own trades all the time."""
    hops = np.maximum(20, random.exponential(120, max(1, count // 120)).astype(np.int64))
    crowd = random.integers(*people, len(hops))
    first = random.integers(0, wallets, len(hops))
    member = (random.power(0.7, int(hops.sum())) * np.repeat(crowd, hops)).astype(np.int64)
    owner = (np.repeat(first, hops) + member * 7919) % wallets
    _chains(random, rows, hops, owner, 0.7)


def _returns(random: np.random.Generator, rows: _Rows, count: int, wallets: int) -> None:
    """Sales of which the token comes back: late, sooner at another price, or as a refund."""
    pairs = count // 3
    token = rows.new_tokens(pairs)
    one, other = random.permutation(wallets)[: 2 * (wallets // 2)].reshape(2, -1)[:, random.integers(0, wallets // 2, pairs)]
    begin = random.uniform(0, DAYS, pairs) * DAY
    price = np.exp(random.normal(-2.5, 1.0, pairs))
    late = random.random(pairs) < 0.4
    refund = ~late & (random.random(pairs) < 0.5)
    days = np.where(late, random.uniform(30.5, 70, pairs), random.uniform(0.1, 20, pairs))
    # A refund goes back at the price paid, or comes back as it is, with the money on another way.
    back = np.where(refund, price * (random.random(pairs) < 0.5), price * np.exp(random.normal(0.0, 0.25, pairs)))
    rows.add(token, NOBODY, one, begin - DAY, price)
    rows.add(token, one, other, begin, price)
    rows.add(token, other, one, begin + days * DAY, back)


def _families(random: np.random.Generator, wallets: int) -> np.ndarray:
    """Wallets of three in a family, (k, 3)."""
    members = random.permutation(wallets)[: 3 * (wallets // 30)]
    return members.reshape(-1, 3)


def _lending(random: np.random.Generator, rows: _Rows, count: int, families: np.ndarray) -> None:
    """Tokens that go round in a family for nothing; one in fifty is sold on within it, once."""
    lent = max(1, count // 5)
    family = families[random.integers(0, len(families), lent)]
    token = rows.new_tokens(lent)
    begin = random.uniform(0, DAYS, lent) * DAY
    rows.add(token, NOBODY, family[:, 0], begin, 0.08)
    way = (0, 1, 0, 2, 0)
    for hop in range(4):
        sold = (hop == 0) & (random.random(lent) < 0.02)
        rows.add(token, family[:, way[hop]], family[:, way[hop + 1]], begin + (hop + 1) * 2 * DAY, np.where(sold, 0.08, 0.0))


@dataclass
class _Members:
    """Wallets of each ring, and whether they share a funder and an exit."""

    wallets: list[np.ndarray]
    funder: list[bool]
    exit: list[bool]
    ends: list[float]


def _rings(
    random: np.random.Generator,
    rows: _Rows,
    count: int,
    dishonest: np.ndarray,
    laps: tuple[float, float] | None,
) -> _Members:
    rings = _Members([], [], [], [])
    made, taken = 0, 0
    while made < count:
        size = int(random.integers(2, 7))
        wallets = dishonest[np.arange(taken, taken + size) % len(dishonest)]
        taken += size
        shares_funder, shares_exit = random.random() < 0.65, random.random() < 0.5
        # Whoever hides where the money comes from needs more rounds for the same show of trade.
        rounds = random.uniform(*(laps or ((1.0, 4.0) if shares_funder or shares_exit else (1.5, 4.0))))
        clock = random.uniform(1, DAYS - 20) * DAY
        for token in rows.new_tokens(int(random.integers(1, 4))):
            clock, hops = _round(random, rows, token, wallets, rounds, clock, len(rings.wallets))
            made += hops
        rings.wallets.append(wallets)
        rings.funder.append(shares_funder)
        rings.exit.append(shares_exit)
        rings.ends.append(clock)
    return rings


def _round(
    random: np.random.Generator, rows: _Rows, token: int, wallets: np.ndarray, laps: float, clock: float, ring: int
) -> tuple[float, int]:
    """One token's way through a ring that bought it honestly; gives when it ended and how many hops it had."""
    size = len(wallets)
    hops = int(np.ceil(size * laps))
    straight = size == 2 or random.random() < 0.85
    place = np.arange(hops + 1) % size
    if not straight:
        place = np.cumsum(np.append(0, random.integers(1, size, hops))) % size
    pumped = random.random() < 0.3
    drift = random.uniform(0.03, 0.2) if pumped else 0.0
    price = np.exp(random.normal(-2.0, 1.0) + np.cumsum(random.normal(drift, 0.02, hops)))
    waits = random.exponential(random.uniform(0.02, 1.0), hops) + 0.005
    at = clock + np.cumsum(waits) * DAY
    owner = int(random.integers(0, 1_000_000)) % max(int(wallets.max()), 1)
    rows.add(token, NOBODY, owner, clock - 2 * DAY, price[0])
    rows.add(token, owner, wallets[0], clock - 0.01 * DAY, price[0])
    rows.add(token, wallets[place[:-1]], wallets[place[1:]], at, np.where(random.random(hops) < 0.05, 0.0, price), ring)
    return float(at[-1]), hops


def _money(random: np.random.Generator, wallets: int, families: np.ndarray, rings: _Members) -> tuple[Money, int, np.ndarray]:
    """First fundings and exits. Exchanges fund two wallets of three; some services some dozens each, friends one or two."""
    exchanges = wallets + np.arange(8)
    services = int(exchanges[-1]) + 1 + np.arange(max(3, wallets // 5_000))
    fresh = int(services[-1]) + 1
    draw = random.random(wallets)
    funder = exchanges[(random.power(2.0, wallets) * len(exchanges)).astype(np.int64)]
    funder = np.where(draw < 0.04, services[random.integers(0, len(services), wallets)], funder)
    alone = draw > 0.7
    funder[alone] = fresh + random.integers(0, max(1, int(alone.sum()) * 2), int(alone.sum()))
    fresh += 2 * int(alone.sum()) + 1
    kin = families[random.random(len(families)) < 0.6]
    funder[kin] = (fresh + np.arange(len(kin)))[:, None]
    fresh += len(kin)
    payers, payees, times = [funder], [np.arange(wallets)], [random.uniform(-60, -30, wallets) * DAY]
    sells = np.flatnonzero(random.random(wallets) < 0.4)
    # Honest sellers cash out at an exchange, through an address of their own there, or to somebody.
    own = fresh + np.arange(len(sells))
    fresh += len(sells)
    payers.append(sells)
    payees.append(np.where(random.random(len(sells)) < 0.5, exchanges[random.integers(0, 8, len(sells))], own))
    times.append(random.uniform(0, DAYS, len(sells)) * DAY)
    for number, members in enumerate(rings.wallets):
        if rings.funder[number]:
            source = int(members[0]) if random.random() < 0.3 else fresh
            others = members[members != source]
            payers.append(np.full(len(others), source))
            payees.append(others)
            times.append(np.full(len(others), -70.0 * DAY))
            fresh += 1
        if rings.exit[number]:
            payers.append(members)
            payees.append(np.full(len(members), fresh))
            times.append(rings.ends[number] + random.uniform(0.01, 2, len(members)) * DAY)
            fresh += 1
    giver, taker = np.concatenate(payers), np.concatenate(payees)
    at = np.concatenate(times).astype(np.int64)
    order = np.argsort(at, kind="stable")
    return Money(giver[order].astype(np.int64), taker[order].astype(np.int64), at[order]), fresh, exchanges


def named(world: RingWorld, judged: Judged, definition: Definition) -> Flags:
    """Which transfers the flags of a definition name, (n,)."""
    found = np.zeros(len(world.transfers), dtype=np.bool_)
    found[judged.flags.proof[(judged.flags.definition == definition)[judged.flags.owner]]] = True
    return found
