"""Where the money of wallets comes from and goes to: common first funders and common exits, exchanges and their like apart.

Wallets that share a first funder look like one hand, until one looks at who funds: most newcomers' first ether comes from the
hot wallet of an exchange. Such hubs are told by how many wallets they fund, or are paid by; how many are too many is read off
the data (`hub_size`).
"""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Integers
from ticketintel_pipelines.learning.rings.flags import Definition, Found, flagged, spans
from ticketintel_pipelines.learning.rings.paths import NOBODY, Transfers, pair_key

LEAST_HUB = 10
MOST_HUB = 200
CLEAR_GAP = 1.5
USUAL_HUB = 25
"""Where the data show no gap. Of the donors to a public round (Gitcoin GG22), 13 addresses funded 38 to 171 wallets each and
the others 22 at most; without those, the share of donors with a funder in common falls from 68 % to 18 %."""


@dataclass(frozen=True)
class Money:
    """m movements of value above 0 in order of time: `giver`, `taker` are wallets (m,), `at` microseconds (m,)."""

    giver: Integers
    taker: Integers
    at: Integers

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Links:
    """Who first paid whom, by wallet: `first` (w,) is the row of the first movement to it, `NOBODY` where there is none."""

    first: Integers
    funder: Integers
    funded_at: Integers


def first_funders(money: Money, wallets: int) -> Links:
    """The first movement to each of `wallets` wallets from another one."""
    rows = np.flatnonzero((money.giver != money.taker) & (money.giver >= 0) & (money.taker >= 0))[::-1]
    first = np.full(wallets, NOBODY, dtype=np.int64)
    first[money.taker[rows]] = rows
    known = first != NOBODY
    funder, at = np.full(wallets, NOBODY, dtype=np.int64), np.zeros(wallets, dtype=np.int64)
    funder[known], at[known] = money.giver[first[known]], money.at[first[known]]
    return Links(first, funder, at)


def funded_wallets(links: Links) -> Integers:
    """How many wallets each wallet was the first to fund, (w,)."""
    return np.bincount(links.funder[links.funder != NOBODY], minlength=len(links.funder)).astype(np.int64)


def hub_size(funded: Integers) -> int:
    """Above how many funded wallets a funder is a hub, from the numbers of wallets that funders funded.

    Between people who fund a handful of wallets and exchanges that fund all comers there is a gap: the widest one, as a ratio,
    between `LEAST_HUB` and `MOST_HUB`, if it is at least `CLEAR_GAP`; else `USUAL_HUB`.
    """
    sizes = np.unique(funded[funded >= LEAST_HUB])
    below = np.concatenate([[LEAST_HUB], sizes[:-1]]) if len(sizes) else sizes
    ratio = np.where(below <= MOST_HUB, sizes / np.maximum(below, 1), 0.0)
    if not len(ratio) or ratio.max() < CLEAR_GAP:
        return USUAL_HUB
    return int(below[ratio.argmax()])


class Crowded:
    """How many different wallets stood behind each wallet at an instant: those it first funded, or those that paid it."""

    def __init__(self, centre: Integers, at: Integers) -> None:
        self._instants = np.unique(at)
        self._keys = np.sort(self._key(centre, at))

    def _key(self, centre: Integers, at: Integers) -> Integers:
        return centre * (len(self._instants) + 1) + np.searchsorted(self._instants, at, side="right")

    def count(self, centre: Integers, at: Integers) -> Integers:
        """The wallets up to and including the instants, (k,)."""
        first = np.searchsorted(self._keys, centre * (len(self._instants) + 1), side="left")
        return np.searchsorted(self._keys, self._key(centre, at), side="right") - first


def funded_by(links: Links) -> Crowded:
    known = links.funder != NOBODY
    return Crowded(links.funder[known], links.funded_at[known])


def paid_by(money: Money) -> Crowded:
    """Distinct payers of each wallet, by their first payment."""
    _, first = np.unique(pair_key(money.taker, money.giver), return_index=True)
    return Crowded(money.taker[first], money.at[first])


def common_funders(transfers: Transfers, money: Money, links: Links, hub: int, hubs: Flags) -> Found:
    """Sales between wallets that one wallet had first funded, which is no hub, or of which one had first funded the other.

    `hubs` (w,) marks wallets that are known as hubs anyway; others are from more than `hub` wallets funded on.
    """
    rows = np.flatnonzero(transfers.sale & (transfers.giver != transfers.taker))
    giver, taker, at = transfers.giver[rows], transfers.taker[rows], transfers.at[rows]
    funders = [np.where(links.funded_at[side] <= at, links.funder[side], NOBODY) for side in (giver, taker)]
    same = (funders[0] == funders[1]) & (funders[0] != NOBODY)
    source = np.where(same, funders[0], np.where(funders[1] == giver, giver, np.where(funders[0] == taker, taker, NOBODY)))
    chosen = np.flatnonzero(source != NOBODY)
    small = ~hubs[source[chosen]] & (funded_by(links).count(source[chosen], at[chosen]) <= hub)
    chosen = chosen[small]
    rows, same, source = rows[chosen], same[chosen], source[chosen]
    proofs = np.column_stack([links.first[giver[chosen]], links.first[taker[chosen]]])
    # Where one funded the other, only the other's funding tells.
    tells = np.column_stack([same | (source == taker[chosen]), same | (source == giver[chosen])])
    money_bounds = np.concatenate([[0], np.cumsum(tells.sum(axis=1))]).astype(np.int64)
    return flagged(Definition.COMMON_FUNDER, transfers.at[rows], np.arange(len(rows) + 1), rows, (money_bounds, proofs[tells]))


def common_exits(transfers: Transfers, money: Money, window: int, hub: int, hubs: Flags) -> Found:
    """Sales after which, within `window` microseconds, seller and buyer both pay one wallet, which is no hub, or the seller
    pays the buyer.

    The flag is of the moment of the payment that completes it.
    """
    rows = np.flatnonzero(transfers.sale & (transfers.giver != transfers.taker))
    crowd = paid_by(money)
    payments = np.flatnonzero((money.giver >= 0) & (money.taker >= 0) & (money.giver != money.taker))
    payments = payments[~hubs[money.taker[payments]]]
    payments = payments[crowd.count(money.taker[payments], money.at[payments]) <= hub]
    payments = payments[np.argsort(money.giver[payments], kind="stable")]
    seller = _paid_after(transfers, money, rows, transfers.giver[rows], payments, window)
    buyer = _paid_after(transfers, money, rows, transfers.taker[rows], payments, window)
    back = money.taker[seller[1]] == transfers.taker[seller[0]]
    shared = _shared(money, seller, buyer)
    sale = np.concatenate([seller[0][back], shared[0]])
    first = np.concatenate([seller[1][back], shared[1]])
    second = np.concatenate([seller[1][back], shared[2]])
    at = money.at[np.maximum(first, second)]
    order = np.lexsort((first, second, at, sale))
    sale, first, second, at = sale[order], first[order], second[order], at[order]
    # The earliest of what shows it is enough.
    leading = np.append(True, sale[1:] != sale[:-1])[: len(sale)]
    sale, first, second, at = sale[leading], first[leading], second[leading], at[leading]
    both = np.column_stack([np.minimum(first, second), np.maximum(first, second)])
    tells = np.column_stack([np.ones(len(sale), bool), first != second])
    bounds = np.concatenate([[0], np.cumsum(tells.sum(axis=1))]).astype(np.int64)
    return flagged(Definition.COMMON_EXIT, at, np.arange(len(sale) + 1), sale, (bounds, both[tells]))


def _paid_after(
    transfers: Transfers, money: Money, rows: Integers, wallet: Integers, payments: Integers, window: int
) -> tuple[Integers, Integers]:
    """Pairs of a sale and a payment that `wallet` (of each of `rows`) made in the time after it."""
    instants = np.unique(money.at[payments])
    width = len(instants) + 1
    key = money.giver[payments] * width + np.searchsorted(instants, money.at[payments])
    at = transfers.at[rows]
    start = np.searchsorted(key, wallet * width + np.searchsorted(instants, at, side="right"))
    end = np.searchsorted(key, wallet * width + np.searchsorted(instants, at + window, side="right"))
    lengths = np.maximum(end - start, 0)
    return np.repeat(rows, lengths), payments[spans(start, lengths)]


def _shared(
    money: Money, seller: tuple[Integers, Integers], buyer: tuple[Integers, Integers]
) -> tuple[Integers, Integers, Integers]:
    """Sales with a payment of each side to the same wallet: the earliest of each side."""
    sale = np.concatenate([seller[0], buyer[0]])
    paid = np.concatenate([seller[1], buyer[1]])
    side = np.repeat([0, 1], [len(seller[0]), len(buyer[0])])
    key = pair_key(sale, money.taker[paid])
    order = np.lexsort((paid, side, key))
    key, side, sale, paid = key[order], side[order], sale[order], paid[order]
    earliest = np.append(True, (key[1:] != key[:-1]) | (side[1:] != side[:-1]))[: len(key)]
    key, side, sale, paid = key[earliest], side[earliest], sale[earliest], paid[earliest]
    met = np.flatnonzero(key[1:] == key[:-1])
    return sale[met], paid[met], paid[met + 1]
