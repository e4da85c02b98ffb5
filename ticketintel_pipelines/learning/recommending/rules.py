"""Association rules: who bought these items also bought that one. They explain a recommendation, and decide none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.examples import Integers
from ticketintel_pipelines.learning.recommending.known import Sparse

LEAST_BUYERS = 5
"""Fewer buyers of all the items of a rule are hearsay, and would name people."""
LEAST_SUPPORT = 0.001
LEAST_LIFT = 1.0
LONGEST = 3
"""Items of a rule: two that were bought and one beside them."""
ItemSets = dict[tuple[int, ...], float]


@dataclass(frozen=True)
class Rule:
    """Of all baskets the share `support` holds all the items; of those with `bought`, the share `confidence` holds `item`.

    `lift` is how many times likelier that is than among all baskets.
    """

    bought: tuple[int, ...]
    item: int
    support: float
    confidence: float
    lift: float


def frequent_sets(baskets: Sparse, least_support: float, longest: int = LONGEST, *, apriori: bool = False) -> ItemSets:
    """Sets of items (columns of n baskets) and the share of the baskets that hold all of them.

    FP-growth (Han, Pei and Yin, 2000) finds them; `apriori` finds the same ones by the older and slower search (Agrawal and
    Srikant, 1994).
    """
    import pandas as pd
    from mlxtend.frequent_patterns import apriori as by_apriori
    from mlxtend.frequent_patterns import fpgrowth

    if not baskets.shape[0]:
        return {}
    buyers = np.asarray((baskets > 0).sum(axis=0)).ravel()
    # Items that are too rare by themselves are in no frequent set.
    common = np.flatnonzero(buyers >= least_support * baskets.shape[0])
    if not len(common):
        return {}
    sparse: Any = pd.DataFrame.sparse
    frame = sparse.from_spmatrix((baskets[:, common] > 0).tocsr())
    search = by_apriori if apriori else fpgrowth
    found = search(frame, min_support=least_support, max_len=longest)
    sets = zip(found["itemsets"], found["support"], strict=True)
    return {tuple(sorted(common[list(items)].tolist())): float(share) for items, share in sets}


def find_rules(baskets: Sparse, candidates: Integers, least_buyers: int = LEAST_BUYERS) -> Sequence[Rule]:
    """Rules to candidates whose lift exceeds `LEAST_LIFT`, those of highest confidence first."""
    least = max(LEAST_SUPPORT, least_buyers / max(baskets.shape[0], 1))
    sets = frequent_sets(baskets, least)
    wanted = set(candidates.tolist())
    rules = []
    for items, support in sets.items():
        for item in items if len(items) > 1 else ():
            if item not in wanted:
                continue
            bought = tuple(one for one in items if one != item)
            confidence = support / sets[bought]
            lift = confidence / sets[(item,)]
            if lift > LEAST_LIFT:
                rules.append(Rule(bought, item, support, confidence, lift))
    return sorted(rules, key=lambda rule: (-rule.confidence, -rule.lift, rule.bought, rule.item))


def best_rules(rules: Sequence[Rule], bought: Sparse, rows: Integers, items: Integers) -> Integers:
    """For each pair of a user and an item the first of the rules to it whose items the user bought, by position, or −1 (p,)."""
    found = np.full(len(rows), -1)
    columns = bought.tocsc()
    order = np.argsort(items, kind="stable")
    starts = np.searchsorted(items[order], np.arange(bought.shape[1] + 1))
    for place, rule in enumerate(rules):
        pairs = order[starts[rule.item] : starts[rule.item + 1]]
        pairs = pairs[found[pairs] < 0]
        for one in rule.bought:
            owners = columns.indices[columns.indptr[one] : columns.indptr[one + 1]]
            pairs = pairs[np.isin(rows[pairs], owners)]
        found[pairs] = place
    return found
