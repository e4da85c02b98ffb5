"""Ten recommendations for each of 50,000 users out of 2,000 events, and how good they are where people have tastes.

A made-up market: events have a popularity, users one of ten groups of events that they like, and each bought six events by
mean before the purchase that is to be foreseen; a tenth of the users bought none. Settings and weights are learned on another,
smaller draw of such a market, and compared with the baselines on a third. The lists come from the whole blend (content,
neighbours, ALS, popularity). They must be those of sorting all scores of each user, and for 200 users those of adding up the
signals one by one.
"""

import json
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ticketintel_pipelines.learning.recommending.assessing import ITEM_KNN, MODEL, RECENT, compare, judge
from ticketintel_pipelines.learning.recommending.factors import factorise
from ticketintel_pipelines.learning.recommending.judging import recall
from ticketintel_pipelines.learning.recommending.ranking import hide_bought, pieces
from ticketintel_pipelines.learning.recommending.recommender import Prepared, learn_recommender
from ticketintel_pipelines.learning.recommending.rules import find_rules
from ticketintel_pipelines_tests.recommending_world import taste_world

USERS, EVENTS, EACH, COUNT = 50_000, 2_000, 6.0, 10
LEARNED_USERS, JUDGED_USERS = 5_000, 5_000
REPEATS = 3
CHECKED = 200
SEED = 20_260_101
T = TypeVar("T")


def timed(run: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = run()
    return result, time.perf_counter() - began


def sorted_in_full(prepared: Prepared, rows: np.ndarray) -> np.ndarray:
    """The same lists by sorting all scores of each user."""
    bought = prepared.known.bought()[:, prepared.known.candidates]
    found = []
    for piece in pieces(rows, bought.shape[1]):
        scores = prepared.scores(piece)
        hide_bought(scores, bought[piece])
        found.append(np.argsort(-scores, axis=1, kind="stable")[:, :COUNT])
    return np.concatenate(found)


def main() -> None:
    learned, learn_seconds = timed(
        lambda: learn_recommender([taste_world(LEARNED_USERS, EVENTS // 4, EACH, SEED, taste=2.0, newest=0.1)], SEED)
    )
    judged_on = taste_world(JUDGED_USERS, EVENTS // 4, EACH, SEED + 1, taste=2.0, newest=0.1)
    judged = judge(learned, [judged_on])
    found = compare(judged, judged_on.rows, lambda lists: f"{lists:,} lists")
    print(f"{JUDGED_USERS:,} users and {EVENTS // 4:,} events, weights learned on another draw in {learn_seconds:.0f} s")
    for one in found:
        print(
            f"  {one.figure:<10}{one.model.value:.3f} against {one.other.value:.3f} of {one.baseline}: "
            f"{one.apart.value:+.3f} ({one.apart.low:+.3f} to {one.apart.high:+.3f})"
        )

    world = taste_world(USERS, EVENTS, EACH, SEED + 2, taste=2.0, newest=0.1)
    rows = np.arange(USERS)
    prepared, prepare_seconds = timed(lambda: learned.prepare(world.known))
    ours: list[float] = []
    full: list[float] = []
    for _ in range(REPEATS):
        (lists, _), seconds = timed(lambda: prepared.top(rows, COUNT))
        ours.append(seconds)
        by_sorting, seconds = timed(lambda: sorted_in_full(prepared, rows))
        full.append(seconds)
    np.testing.assert_array_equal(lists, by_sorting)
    plain_rows = np.random.default_rng(SEED).choice(USERS, CHECKED, replace=False)
    _check_against_plain(prepared, plain_rows, lists[plain_rows])
    large = float(recall(lists[world.rows], world.relevant).mean())
    rules, rules_seconds = timed(lambda: find_rules(world.known.bought(), world.known.candidates))
    settings = learned.settings
    factors = [
        factorise(world.known.bought(), settings.factors, settings.regularization, settings.confidence, settings.rounds, SEED)
        for _ in range(2)
    ]
    equal = all(one.tobytes() == other.tobytes() for one, other in zip(*factors, strict=True))
    seconds = float(np.median(ours))
    print(f"{USERS:,} users × {EVENTS:,} events, {len(world.known.user):,} purchases")
    print(f"  neighbours, factors and content of what is known  {prepare_seconds:6.1f} s")
    print(f"  top {COUNT} of everybody                              {seconds:6.1f} s (sorted in full: {np.median(full):.1f} s)")
    print(f"  Recall@10 {large:.3f}")
    print(f"  {len(rules):,} rules                                      {rules_seconds:6.1f} s")
    print(f"  two fits of the factors are equal byte for byte: {equal}")
    print(
        json.dumps(
            {
                "seconds_top10_50k": round(seconds, 2),
                "seconds_prepare_50k": round(prepare_seconds, 2),
                "seconds_rules_50k": round(rules_seconds, 2),
                "times_faster_than_sorting": round(float(np.median(full)) / seconds, 2),
                "recall_at_10": round(float(judged.recall[MODEL].mean()), 4),
                "ndcg_at_10": round(float(judged.ndcg[MODEL].mean()), 4),
                "recall_at_10_popularity": round(float(judged.recall[RECENT].mean()), 4),
                "ndcg_at_10_popularity": round(float(judged.ndcg[RECENT].mean()), 4),
                "recall_at_10_item_knn": round(float(judged.recall[ITEM_KNN].mean()), 4),
                "ndcg_at_10_item_knn": round(float(judged.ndcg[ITEM_KNN].mean()), 4),
                "recall_at_10_50k": round(large, 4),
                "beats_stronger_baseline": found[0].beats,
                "fits_byte_equal": equal,
                "rules": len(rules),
                "users": USERS,
                "events": EVENTS,
            }
        )
    )


def _check_against_plain(prepared: Prepared, rows: np.ndarray, lists: np.ndarray) -> None:
    """Each signal by itself, weighed and added up in 64 bits, gives the same best candidates but for rounding."""
    total = np.zeros((len(rows), len(prepared.known.candidates)))
    for place, signal in enumerate(prepared.signals):
        total += signal.of(rows).astype(np.float64) * prepared.weights[rows, place, None]
    total[prepared.known.bought()[rows][:, prepared.known.candidates].toarray() > 0] = -np.inf
    best = -np.sort(-total, axis=1)[:, : lists.shape[1]]
    np.testing.assert_allclose(np.take_along_axis(total, lists, axis=1), best, rtol=1e-4, atol=1e-4)


if __name__ == "__main__":
    main()
