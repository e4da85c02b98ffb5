"""Wallets that do the same again with one token: three buys, three sells, one route twice."""

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Integers
from ticketintel_pipelines.learning.rings.flags import Definition, Found, equal_lists
from ticketintel_pipelines.learning.rings.paths import NO_ROW, Transfers, pair_key

TIMES = 3


def repeated_trades(transfers: Transfers, window: int) -> list[Found]:
    """Sales by which a wallet buys, or sells, a token for the third time in `window` microseconds, with the two before.

    Source: hildobby, "NFT Wash Trading on Ethereum", Dune 2022 (there: three purchases, at any time).
    """
    sales = np.flatnonzero(transfers.sale)
    found = []
    for definition, wallet in ((Definition.THREE_BUYS, transfers.taker), (Definition.THREE_SELLS, transfers.giver)):
        proof = _runs(pair_key(transfers.token[sales], wallet[sales]), sales, TIMES)
        proof = proof[transfers.at[proof[:, -1]] - transfers.at[proof[:, 0]] <= window]
        found.append(equal_lists(definition, transfers.at[proof[:, -1]], proof))
    return found


def repeated_routes(transfers: Transfers, came: Integers, window: int, longest: int) -> Found:
    """Transfers of a token from one wallet to another that went the same way within `window` microseconds before, and had come
    back to the giver in between in up to `longest` hops, counted from one to the other; one of the two at least was paid.
    """
    rows = np.flatnonzero((transfers.giver >= 0) & (transfers.taker >= 0) & (transfers.giver != transfers.taker))
    # Numbered anew in between: three numbers in one would leave 63 bits in a large market.
    _, held = np.unique(pair_key(transfers.token[rows], transfers.giver[rows]), return_inverse=True)
    proof = _runs(pair_key(held, transfers.taker[rows]), rows, 2)
    first, second = proof[:, 0], proof[:, 1]
    chosen: Flags = transfers.at[second] - transfers.at[first] <= window
    chosen &= (transfers.price[first] > 0) | (transfers.price[second] > 0)
    proof = proof[chosen]
    # Two copies of a token sold to the same buyer have not come back; in a crowd tokens come back by chance, and later.
    back, met = proof[:, 1], np.zeros(len(proof), dtype=np.bool_)
    for _ in range(longest):
        back = np.where(back >= 0, came[back], NO_ROW)
        met |= back == proof[:, 0]
    return equal_lists(Definition.REPEATED_ROUTE, transfers.at[proof[met, 1]], proof[met])


def _runs(key: Integers, rows: Integers, times: int) -> Integers:
    """For each row that is at least the `times`-th of its key, the last `times` rows of it up to there, (k, times)."""
    order = np.argsort(key, kind="stable")
    key, rows = key[order], rows[order]
    last = np.flatnonzero(key[times - 1 :] == key[: len(key) - times + 1]) + times - 1 if len(key) >= times else rows[:0]
    return np.column_stack([rows[last - back] for back in range(times - 1, -1, -1)])
