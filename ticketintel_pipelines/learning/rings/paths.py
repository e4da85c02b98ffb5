"""How tokens pass from wallet to wallet: the transfers, and for each the one by which its giver got the token."""

from dataclasses import dataclass, replace

import numpy as np

from ticketintel_pipelines.learning.examples import DAY, Flags, Floats, Integers

NOBODY = -1
"""Nobody who trades: the address that tokens are minted from and burned to, an issuer, a wallet that is not known."""
CUSTODY = -2
"""Keeps tokens for their owners, as the contract of a marketplace does: what goes in and out again has not changed hands."""
NO_TOKEN = -1
NO_ROW = -1


@dataclass(frozen=True)
class Transfers:
    """n movements of tokens in the order in which they happened, also within an instant.

    `token`, `giver` and `taker` (n,) are numbers from 0 on, wallets also `NOBODY` or `CUSTODY`; `at` (n,) microseconds; `price`
    (n,) what was paid, 0 where nothing was.
    """

    token: Integers
    giver: Integers
    taker: Integers
    at: Integers
    price: Floats

    def __post_init__(self) -> None:
        """Raises ValueError where lengths differ or rows are out of order."""
        if len({len(column) for column in vars(self).values()}) > 1:
            raise ValueError("the columns of the transfers differ in their length")
        if bool((np.diff(self.at) < 0).any()):
            raise ValueError("the transfers are not in order of time")

    def __len__(self) -> int:
        return len(self.at)

    @property
    def sale(self) -> Flags:
        """Whether something was paid, by one wallet to another."""
        return (self.price > 0) & (self.giver >= 0) & (self.taker >= 0)

    @property
    def day(self) -> Integers:
        return self.at // DAY

    def take(self, rows: Integers | Flags) -> "Transfers":
        return Transfers(**{name: column[rows] for name, column in vars(self).items()})


def pair_key(first: Integers, second: Integers) -> Integers:
    """One number for each pair of numbers, `second` from `CUSTODY` on; equal for equal pairs, in their order."""
    width = int(second.max(initial=0)) + 3
    return first * width + (second + 2)


def came_by(transfers: Transfers) -> Integers:
    """For each transfer the last earlier one by which its giver received that token, `NO_ROW` where there is none; (n,).

    A token of which there is one goes from hand to hand, and this is the transfer before. Of a token with several copies, or
    where movements are missing from the record, it is the copy that its giver received last.
    """
    rows = len(transfers)
    if not rows:
        return np.zeros(0, dtype=np.int64)
    # Each transfer is a gift of its giver and then a receipt of its taker; sorting keeps that order within a key.
    ends = np.column_stack([transfers.giver, transfers.taker]).reshape(-1)
    keys = pair_key(np.repeat(transfers.token, 2), ends)
    order = np.argsort(keys, kind="stable")
    row, receipt, key = order // 2, order % 2 == 1, keys[order]
    place = np.arange(len(order))
    last = np.maximum.accumulate(np.where(receipt, place, NO_ROW))
    start = np.maximum.accumulate(np.where(np.append(True, key[1:] != key[:-1]), place, 0))
    known = ~receipt & (last >= start)
    found = np.full(rows, NO_ROW, dtype=np.int64)
    found[row[known]] = row[last[known]]
    found[transfers.giver < 0] = NO_ROW
    return found


def custodians(transfers: Transfers, least: int) -> Integers:
    """Wallets that keep tokens for others, in order: they received some unpaid from more than `least` wallets and gave some to
    more than `least`.
    """
    inwards = (transfers.giver >= 0) & (transfers.taker >= 0) & (transfers.price <= 0)
    outwards = (transfers.giver >= 0) & (transfers.taker >= 0)
    sources = _partners(transfers.taker[inwards], transfers.giver[inwards])
    receivers = _partners(transfers.giver[outwards], transfers.taker[outwards])
    return np.intersect1d(sources[0][sources[1] > least], receivers[0][receivers[1] > least])


def _partners(wallet: Integers, partner: Integers) -> tuple[Integers, Integers]:
    """The wallets, and with how many different partners each one dealt."""
    _, first = np.unique(pair_key(wallet, partner), return_index=True)
    found, counts = np.unique(wallet[first], return_counts=True)
    return found, counts


def through_custody(transfers: Transfers, longest: int) -> tuple[Transfers, Integers]:
    """The transfers between owners, and the rows that they were.

    What `CUSTODY` gives on comes from whoever left it there at most `longest` microseconds before, else from `NOBODY`; what
    comes back unpaid to whoever left it is no transfer.
    """
    kept = (transfers.giver == CUSTODY) | (transfers.taker == CUSTODY)
    if not kept.any():
        return transfers, np.arange(len(transfers))
    tokens = np.unique(transfers.token[kept])
    rows = np.flatnonzero(np.isin(transfers.token, tokens))
    part = transfers.take(rows)
    # The custodian stands as a wallet of its own, so that receipts and gifts of it can be matched.
    custodian = int(max(part.giver.max(), part.taker.max(), 0)) + 1
    owner = replace(
        part,
        giver=np.where(part.giver == CUSTODY, custodian, part.giver),
        taker=np.where(part.taker == CUSTODY, custodian, part.taker),
    )
    came = came_by(owner)
    giver = transfers.giver.copy()
    for place in np.flatnonzero(part.giver == CUSTODY):
        source = came[place]
        in_time = source != NO_ROW and part.at[place] - part.at[source] <= longest
        # Between two custodians it is still the first one's depositor who owns the token.
        giver[rows[place]] = giver[rows[source]] if in_time else NOBODY
    withdrawn = (transfers.giver == CUSTODY) & (giver == transfers.taker) & (transfers.price <= 0)
    remaining = np.flatnonzero((transfers.taker != CUSTODY) & ~withdrawn)
    return replace(transfers, giver=giver).take(remaining), remaining
