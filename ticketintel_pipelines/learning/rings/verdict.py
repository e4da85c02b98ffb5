"""The verdict: a flag is judged by what else is said of its transfers, and flags of wash trades that share one are one case."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import DAY, Flags, Floats, Integers
from ticketintel_pipelines.learning.rings.flags import Definition, Found, grouped, in_order, joined, taken_lists
from ticketintel_pipelines.learning.rings.groups import Snapshots, snapshots
from ticketintel_pipelines.learning.rings.paths import Transfers, pair_key
from ticketintel_pipelines.learning.rings.settings import Settings

ONE_SIDED = (Definition.THREE_BUYS, Definition.THREE_SELLS)
"""What a wallet does by itself, with whomever: it speaks for a case and is no part of it."""


@dataclass(frozen=True)
class Judged:
    """Flags with their score at the end of their day, (f,). For each case of wash trades to which a day added something there
    is one more flag, `COMBINED`, with all transfers of the case: together those are what the verdict calls wash trades.
    """

    transfers: Transfers
    """Of which the flags name rows; what a custodian gave is given by whoever left it there."""
    flags: Found
    score: Floats
    is_wash: Flags


def judged(transfers: Transfers, found: Found, settings: Settings) -> Judged:
    """Judge each flag at the end of its day by the flags of the window up to there that name one of its transfers, too."""
    if not len(found):
        return Judged(transfers, found, np.zeros(0), np.zeros(0, dtype=np.bool_))
    telling = np.flatnonzero(~_crowds(transfers, found, settings.crowd))
    told = found.take(telling)
    group = _linked(told.owner, told.proof, len(told))
    score = np.zeros(len(found))
    combined, scores = [], []
    for part in snapshots(group, told.at // DAY, np.arange(len(told)), settings.window_days):
        of_flag = _scores(told, part, settings)
        today = told.at[part.row] // DAY == part.day[part.snapshot]
        score[telling[part.row[today]]] = of_flag[today]
        cases, of_case = _cases(told, part, of_flag, today, settings.threshold)
        combined.append(cases)
        scores.append(of_case)
    together = joined([found, *combined])
    everything = np.concatenate([score, *scores])
    order = in_order(together)
    return Judged(transfers, together.take(order), everything[order], everything[order] >= settings.threshold)


def _crowds(transfers: Transfers, found: Found, most: int) -> Flags:
    """Which flags are of components of more than `most` wallets: those are a market, and prove nothing of its people."""
    wallet = np.column_stack([transfers.giver[found.proof], transfers.taker[found.proof]]).reshape(-1)
    _, first = np.unique(pair_key(np.repeat(found.owner, 2), wallet), return_index=True)
    wallets = np.bincount(np.repeat(found.owner, 2)[first], minlength=len(found))
    crowds: Flags = (found.definition == Definition.STRONG_COMPONENT) & (wallets > most)
    return crowds


def _linked(flag: Integers, row: Integers, flags: int) -> Integers:
    """The component of each flag in the graph of flags and the rows that they name."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, node = np.unique(row, return_inverse=True)
    size = flags + int(node.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(flag), dtype=np.int8), (flag, flags + node)), shape=(size, size)).tocsr()
    label: Integers = connected_components(graph, directed=False)[1][:flags].astype(np.int64)
    return label


def _scores(found: Found, part: Snapshots, settings: Settings) -> Floats:
    """The score of each flag of the snapshots, by the definitions that hold of one of its transfers."""
    ends, row = taken_lists(found.bounds, found.proof, part.row)
    entry = np.repeat(np.arange(len(part.row)), np.diff(ends))
    _, node = np.unique(pair_key(part.snapshot[entry], row), return_inverse=True)
    definition = found.definition[part.row]
    # A return at the price paid is also what a refund looks like; only a longer way there and back is without risk.
    refund = (definition == Definition.ZERO_RISK) & (np.diff(ends) == 2)
    doubt = np.ones(len(part.row))
    for kind in sorted({kind for kind, _ in settings.weights.values()}):
        strongest = np.zeros(len(part.row))
        for one, (of_kind, weight) in settings.weights.items():
            if of_kind == kind:
                names = (definition == one) & ~refund
                named = np.bincount(node[names[entry]], minlength=int(node.max()) + 1) > 0
                holds = np.bincount(entry, named[node], len(part.row)) > 0
                strongest = np.maximum(strongest, weight * holds)
        doubt *= 1 - strongest
    # Rounded, so that a score at the threshold is at the threshold.
    scores: Floats = np.round(1 - doubt, 6)
    return scores


def _cases(found: Found, part: Snapshots, score: Floats, today: Flags, threshold: float) -> tuple[Found, Floats]:
    """One flag for each case of the snapshots that a flag of the day belongs to, with all that its flags name."""
    # Three buys speak for a case, but the first of them may be from an honest owner.
    wash = np.flatnonzero((score >= threshold) & ~np.isin(found.definition[part.row], ONE_SIDED))
    row, snapshot = part.row[wash], part.snapshot[wash]
    ends, proof = taken_lists(found.bounds, found.proof, row)
    entry = np.repeat(np.arange(len(row)), np.diff(ends))
    case = _linked(entry, pair_key(snapshot[entry], proof), len(row))
    added = np.unique(case[today[wash]])
    kept = np.isin(case, added)
    flag, row = np.searchsorted(added, case[kept]), row[kept]
    bounds, proof = _united(flag, found.bounds, found.proof, row, len(added))
    money_bounds, money = _united(flag, found.money_bounds, found.money, row, len(added))
    at, highest = np.zeros(len(added), dtype=np.int64), np.zeros(len(added))
    np.maximum.at(at, flag, found.at[row])
    np.maximum.at(highest, flag, score[wash][kept])
    return Found(np.full(len(added), int(Definition.COMBINED)), at, bounds, proof, money_bounds, money), highest


def _united(flag: Integers, bounds: Integers, values: Integers, row: Integers, flags: int) -> tuple[Integers, Integers]:
    """For each new flag the different values of all its rows' lists, in order."""
    ends, listed = taken_lists(bounds, values, row)
    owner = np.repeat(flag, np.diff(ends))
    _, first = np.unique(pair_key(owner, listed), return_index=True)
    _, _, united = grouped(owner[first], listed[first])
    counts = np.bincount(owner[first], minlength=flags) if len(first) else np.zeros(flags, dtype=np.int64)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), united
