"""Groups among which a token goes round: strongly connected components of its movements in the last days, day by day."""

from typing import NamedTuple

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Integers
from ticketintel_pipelines.learning.rings.flags import Definition, Found, flagged, grouped, joined, spans
from ticketintel_pipelines.learning.rings.paths import Transfers, pair_key

MOST_ROWS = 4_000_000
"""Snapshots are worked through in parts of about so many rows."""


class Snapshots(NamedTuple):
    """Members of groups as seen at the end of some days: of `snapshot` number k the rows `row`, both (m,)."""

    snapshot: Integers
    row: Integers
    day: Integers
    """Day of each snapshot, (k,)."""


def snapshots(group: Integers, day: Integers, shown: Integers, days: int) -> list[Snapshots]:
    """For each row of `shown`: the rows of its group on its day and the `days` - 1 days before, once for each group and day.

    `group` and `day` are (n,); `shown` are places in them. They come in parts that fit into memory.
    """
    order = np.lexsort((day, group))
    first_day = int(day.min(initial=0)) - days
    key = pair_key(group, day - first_day)
    wanted = np.unique(key[shown])
    ordered = key[order]
    ends = np.searchsorted(ordered, wanted, side="right")
    # A group's key of an earlier day never reaches below its first one: days are counted from before all of them.
    starts = np.searchsorted(ordered, wanted - (days - 1), side="left")
    lengths = ends - starts
    at_end = day[order[ends - 1]]
    part = np.cumsum(lengths) // MOST_ROWS
    found = []
    for number in np.unique(part):
        chosen = np.flatnonzero(part == number)
        rows = order[spans(starts[chosen], lengths[chosen])]
        found.append(Snapshots(np.repeat(np.arange(len(chosen)), lengths[chosen]), rows, at_end[chosen]))
    return found


def strong_components(transfers: Transfers, days: int) -> Found:
    """Groups of wallets among which a token can go round, by its movements of the last `days` days.

    At the end of each day, of each token of which something came back on that day to a wallet that had given it away, the
    strongly connected components of two wallets or more to which the day added a movement, if a sale is among theirs.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = _of_returning_tokens(transfers)
    part = transfers.take(rows)
    none = np.zeros(0, dtype=np.int64)
    found = [flagged(Definition.STRONG_COMPONENT, none, np.zeros(1, dtype=np.int64), none)]
    for snapshot, row, at_end in snapshots(part.token, part.day, np.flatnonzero(_returns(part)), days):
        ends = np.concatenate([part.giver[row], part.taker[row]])
        _, node = np.unique(pair_key(np.tile(snapshot, 2), ends), return_inverse=True)
        giver, taker = node[: len(row)], node[len(row) :]
        size = int(node.max()) + 1
        graph = coo_array((np.ones(len(row), dtype=np.int8), (giver, taker)), shape=(size, size)).tocsr()
        _, label = connected_components(graph, directed=True, connection="strong")
        inside = (label[giver] == label[taker]) & (giver != taker)
        label, row, snapshot = label[giver[inside]].astype(np.int64), row[inside], snapshot[inside]
        today = part.day[row] == at_end[snapshot]
        paid = part.price[row] > 0
        counted = len(np.bincount(label)) if len(label) else 0
        chosen = (np.bincount(label, today, counted) > 0) & (np.bincount(label, paid, counted) > 0)
        kept = chosen[label] if counted else today
        order = np.argsort(row[kept], kind="stable")
        _, bounds, proof = grouped(label[kept][order], row[kept][order])
        last = proof[bounds[1:] - 1]
        found.append(flagged(Definition.STRONG_COMPONENT, part.at[last], bounds, rows[proof]))
    return joined(found)


def _of_returning_tokens(transfers: Transfers) -> Integers:
    """Rows between two wallets, of the tokens that came back to some wallet."""
    between = np.flatnonzero((transfers.giver >= 0) & (transfers.taker >= 0) & (transfers.giver != transfers.taker))
    part = transfers.take(between)
    return between[np.isin(part.token, np.unique(part.token[_returns(part)]))]


def _returns(part: Transfers) -> Flags:
    """Whether the taker had given the token away before, (n,)."""
    rows = len(part)
    key = pair_key(np.tile(part.token, 2), np.concatenate([part.giver, part.taker]))
    # The first place of a key is among the givers wherever one of them has it.
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    found: Flags = first[place[rows:]] < np.arange(rows)
    return found
