"""Wash trading among five million transfers and 500,000 wallets: how long it takes, and what is found of planted rings.

The world is `ring_world`: rings of two to six wallets, and honest people who look like them. Every definition is applied, and
each one's precision and recall over transfers is printed beside the verdict's. The figures are the verdict's: the transfers of
its cases (`COMBINED`), against the transfers that rings made. The same is printed for the market without value transfers, and
for two smaller markets in which more goes wrong: popular tokens that only ten to sixty people trade, and rings that go round
once.
"""

import json
import statistics
import time

import numpy as np

from ticketintel_pipelines.learning.examples import Flags
from ticketintel_pipelines.learning.rings.flags import Definition
from ticketintel_pipelines.learning.rings.funding import first_funders, funded_wallets, hub_size
from ticketintel_pipelines.learning.rings.search import Funding, find_rings
from ticketintel_pipelines.learning.rings.settings import Settings
from ticketintel_pipelines.learning.rings.verdict import Judged
from ticketintel_pipelines_tests.ring_world import RingWorld, named, ring_world

TRANSFERS = 5_000_000
ASKED = 6_200_000
"""Of the world, which leaves out what would happen after its last day."""
WALLETS = 500_000
ROUNDS = 3
SEED = 7


def find(world: RingWorld, with_money: bool = True) -> Judged:
    """The work that is timed: hubs are found, too."""
    if not with_money:
        return find_rings(world.transfers, Settings())
    funded = funded_wallets(first_funders(world.money, world.addresses))
    hub = hub_size(funded[funded > 0])
    return find_rings(world.transfers, Settings(hub=hub), Funding(world.money, funded > hub))


def precision_recall(called: Flags, truth: Flags) -> tuple[float, float]:
    hits = int((called & truth).sum())
    return hits / max(int(called.sum()), 1), hits / int(truth.sum())


def main() -> None:
    small = ring_world(10_000, 2_000, SEED)
    find(small)
    world = ring_world(ASKED, WALLETS, SEED)
    truth = world.ring >= 0
    traders = len(np.union1d(world.transfers.giver, world.transfers.taker))
    assert abs(len(truth) / TRANSFERS - 1) < 0.01, len(truth)
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        judged = find(world)
        seconds.append(time.perf_counter() - started)

    print(f"{len(truth):,} transfers, {traders:,} wallets that trade, {int(truth.sum()):,} transfers of rings")
    print(f"{'':<18}{'flags':>10}{'transfers':>11}{'precision':>11}{'recall':>8}")
    for definition in Definition:
        chosen = judged.flags.definition == definition
        called = named(world, judged, definition)
        precision, recall = precision_recall(called, truth)
        print(f"{definition.name.lower():<18}{int(chosen.sum()):>10,}{int(called.sum()):>11,}{precision:>11.3f}{recall:>8.3f}")
    called = named(world, judged, Definition.COMBINED)
    precision, recall = precision_recall(called, truth)
    rings = np.unique(world.ring[truth])
    found = np.unique(world.ring[called & truth])
    without = precision_recall(named(world, find(world, with_money=False), Definition.COMBINED), truth)
    print(f"without value transfers: precision {without[0]:.3f}, recall {without[1]:.3f}")
    harder = {}
    for name, market in (
        ("small crowds", ring_world(ASKED // 15, WALLETS // 12, SEED, crowd=(10, 60))),
        ("one lap", ring_world(ASKED // 15, WALLETS // 12, SEED, laps=(1.0, 1.0))),
    ):
        harder[name] = precision_recall(named(market, find(market), Definition.COMBINED), market.ring >= 0)
        print(f"{name}: precision {harder[name][0]:.3f}, recall {harder[name][1]:.3f}")
    figures = {
        "seconds": round(statistics.median(seconds), 2),
        "recall": round(recall, 4),
        "precision": round(precision, 4),
        "rings_found": round(len(found) / len(rings), 4),
        "transfers": len(truth),
        "wallets": WALLETS,
        "wallets_that_trade": traders,
        "recall_without_funding": round(without[1], 4),
        "precision_without_funding": round(without[0], 4),
        "precision_small_crowds": round(harder["small crowds"][0], 4),
        "recall_one_lap": round(harder["one lap"][1], 4),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
