"""Why an event is recommended, as JSON with words for the person who reads it."""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.learning.examples import Flags, Integers, Texts
from ticketintel_pipelines.learning.recommending.explaining import SOURCES, main_sources, nearest_bought
from ticketintel_pipelines.learning.recommending.known import Sparse
from ticketintel_pipelines.learning.recommending.recommender import Prepared
from ticketintel_pipelines.learning.recommending.rules import Rule, best_rules, find_rules
from ticketintel_pipelines.learning.recommending.signals import COLLABORATIVE, CONTENT
from ticketintel_pipelines.ticketing.models.recommender import HISTORY_DAYS
from ticketintel_pipelines.ticketing.models.recommender_facts import CATEGORY, CITY, PRICE, TIME, Snapshot

BY_POPULARITY, BY_RULE, BY_NEIGHBOUR, BY_ATTRIBUTES = range(4)
LIVES_THERE, BOUGHT_THERE, BOUGHT_KIND, LIKE_PRICE, LIKE_TIME = 1, 2, 4, 8, 16
"""What a recommendation has in common with a person, added up."""


def explain(snapshot: Snapshot, prepared: Prepared, rows: Integers, chosen: Integers) -> tuple[pa.Array, pa.Array]:
    """Source and reason of pairs (p,) of a user and a candidate, by position."""
    bought = prepared.known.bought()
    items = prepared.known.candidates[chosen]
    source, signal = main_sources(prepared, rows, chosen)
    collaborative = source == SOURCES.index(COLLABORATIVE)
    content = source == SOURCES.index(CONTENT)
    rules = find_rules(bought[prepared.known.has_history], prepared.known.candidates)
    # How it is explained, of which item, and by what: most pairs share their words with many others.
    kind = np.full(len(rows), BY_POPULARITY)
    by = np.zeros(len(rows), np.int64)
    pairs = np.flatnonzero(collaborative)
    rule = best_rules(rules, bought, rows[pairs], items[pairs])
    kind[pairs[rule >= 0]], by[pairs[rule >= 0]] = BY_RULE, rule[rule >= 0]
    pairs = pairs[rule < 0]
    near, _ = nearest_bought(prepared, rows[pairs], chosen[pairs])
    kind[pairs[near >= 0]], by[pairs[near >= 0]] = BY_NEIGHBOUR, near[near >= 0]
    pairs = np.flatnonzero(content)
    common = _in_common(snapshot, prepared, bought, rows[pairs], items[pairs], signal[pairs])
    kind[pairs[common > 0]], by[pairs[common > 0]] = BY_ATTRIBUTES, common[common > 0]
    code = (kind * (1 + by.max(initial=0)) + by) * prepared.known.items + items
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    texts = [_reason(snapshot, rules, int(kind[one]), int(by[one]), int(items[one])) for one in first]
    sources = pa.array(SOURCES).take(pa.array(source))
    return sources.cast(pa.string()), pa.array(texts, pa.string()).take(pa.array(which.ravel()))


def _in_common(
    snapshot: Snapshot, prepared: Prepared, bought: Sparse, rows: Integers, items: Integers, signal: Integers
) -> Integers:
    """The facts that hold of each pair (p,), added up; price and time only where they say most."""
    events = snapshot.events
    names = np.array([one.name for one in prepared.signals])[signal]
    lives = (snapshot.home[rows] == events[CITY][items]) & (snapshot.home[rows] != "")
    found: Integers = (
        LIVES_THERE * lives
        + BOUGHT_THERE * _bought_label(bought, events[CITY], rows, items)
        + BOUGHT_KIND * _bought_label(bought, events[CATEGORY], rows, items)
        + LIKE_PRICE * (names == PRICE)
        + LIKE_TIME * (names == TIME)
    )
    return found


def _bought_label(bought: Sparse, labels: Texts, rows: Integers, items: Integers) -> Flags:
    """Whether the user of each pair bought an item with the label of the pair's item (p,)."""
    values, code = np.unique(labels, return_inverse=True)
    has = bought @ (code[:, None] == np.arange(len(values))[None, :]).astype(np.float32)
    found: Flags = has[rows, code[items]] > 0
    return found


def _reason(snapshot: Snapshot, rules: Sequence[Rule], kind: int, by: int, item: int) -> str:
    events = snapshot.events
    if kind == BY_RULE:
        rule = rules[by]
        named = " and ".join(events["name"][one] for one in rule.bought)
        reason = {
            "kind": "rule",
            "bought": [str(events["event_id"][one]) for one in rule.bought],
            "support": round(rule.support, 5),
            "confidence": round(rule.confidence, 4),
            "lift": round(rule.lift, 2),
            "words": f"{rule.confidence:.0%} of those who bought {named} bought this, {rule.lift:.1f} times as many as of all",
        }
    elif kind == BY_NEIGHBOUR:
        reason = {
            "kind": "similar",
            "bought": [str(events["event_id"][by])],
            "words": f"who bought {events['name'][by]} often bought this",
        }
    elif kind == BY_ATTRIBUTES:
        reason = _shared(events[CITY][item], events[CATEGORY][item], by)
    else:
        count = int(snapshot.buyers[item])
        reason = {"kind": "popular", "buyers": count, "words": f"bought by {count} wallets in the last {HISTORY_DAYS} days"}
    return json.dumps(reason, ensure_ascii=False)


def _shared(city: str, category: str, common: int) -> dict[str, object]:
    shared: dict[str, str] = {}
    words = []
    if common & (LIVES_THERE | BOUGHT_THERE):
        shared["city"] = str(city)
        words.append(f"in {city}, where you are at home" if common & LIVES_THERE else f"in {city}, as events you bought")
    if common & BOUGHT_KIND:
        shared["category"] = str(category)
        words.append(f"of the category {category}, as events you bought")
    for flag, name in ((LIKE_PRICE, "price"), (LIKE_TIME, "time")):
        if common & flag:
            shared[name] = "similar"
            words.append(f"at a {name} like that of events you bought")
    return {"kind": "shared", "shared": shared, "words": ", ".join(words)}
