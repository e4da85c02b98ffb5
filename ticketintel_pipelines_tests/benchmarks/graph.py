"""The centrality of wallets in a graph of five million transfers, beside plain scipy.

Transfers are seeded and skewed: a few wallets give and receive most, every wallet receives, half of them never give. In each
round, in turn: `centrality`; PageRank as it is usually written with scipy (number the ends by sorting, add up repeated pairs in
a sparse matrix, walk). Both begin with the keys, end with a score for each, and walk until a step changes as little. Scores are
compared between the two, and bit by bit with those of the transfers in another order.

scikit-network is no peer: where wallets never give, it favours them (its version 0.33.5), and its scores are not PageRank's.
"""

import json
import statistics
import time
from pathlib import Path

import numpy as np
from scipy import sparse

from ticketintel_pipelines.features.graph import DAMPING, MOST_STEPS, TOLERANCE, centrality
from ticketintel_pipelines.features.rows import Integers

TRANSFERS = 5_000_000
WALLETS = 500_000
ROUNDS = 5
SEED = 7

Scored = tuple[Integers, np.ndarray]


def transfers_of(transfers: int, wallets: int, seed: int) -> tuple[Integers, Integers]:
    """Givers and receivers. Their shares fall off by a power law each, so that the first wallet has about 2 % of the giving."""
    random = np.random.default_rng(seed)
    keys = np.unique(random.integers(0, 2**63, wallets + wallets // 100))
    keys = random.permutation(keys)[:wallets]
    giver = (random.power(0.3, transfers) * (wallets // 2)).astype(np.int64)
    receiver = (random.power(0.5, transfers) * wallets).astype(np.int64)
    receiver[:wallets] = random.permutation(wallets)
    # Whoever gives most is not who receives most.
    return keys[giver], keys[::-1][receiver]


def ours(giver: Integers, receiver: Integers) -> Scored:
    found = centrality(giver, receiver)
    return found.key, found.score


def matrix_of(giver: Integers, receiver: Integers) -> tuple[Integers, sparse.csr_array]:
    """The keys, and from each to each the number of transfers, as it is usually written."""
    passed = giver != receiver
    giver, receiver = giver[passed], receiver[passed]
    keys, places = np.unique(np.concatenate([giver, receiver]), return_inverse=True)
    ends = (places[: len(giver)], places[len(giver) :])
    return keys, sparse.coo_array((np.ones(len(giver)), ends), shape=(len(keys), len(keys))).tocsr()


def plain_scipy(giver: Integers, receiver: Integers) -> Scored:
    keys, weights = matrix_of(giver, receiver)
    count = len(keys)
    given = weights.sum(axis=1)
    silent = given == 0
    steps = (sparse.diags_array(1 / np.where(silent, 1, given)) @ weights).T
    score = np.full(count, 1 / count)
    for _ in range(MOST_STEPS):
        before = score
        score = DAMPING * (steps @ before + before[silent].sum() / count) + (1 - DAMPING) / count
        if np.abs(score - before).sum() < TOLERANCE:
            break
    return keys, score * count


def check_same(one: Scored, other: Scored) -> None:
    """The same keys, and of each the same score but for what the tolerance leaves."""
    assert np.array_equal(one[0], other[0])
    assert np.allclose(one[1], other[1], rtol=1e-6, atol=1e-6), float(np.abs(one[1] - other[1]).max())


def peak_megabytes() -> float:
    """Peak memory of this process."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    giver, receiver = transfers_of(TRANSFERS, WALLETS, SEED)
    # What the first use of the libraries takes once is none of the graph's.
    ours(giver[:1000], receiver[:1000])
    before = peak_megabytes()
    found = ours(giver, receiver)
    peak = peak_megabytes()
    assert len(found[0]) == WALLETS

    check_same(found, plain_scipy(giver, receiver))
    order = np.random.default_rng(SEED).permutation(TRANSFERS)
    shuffled = ours(giver[order], receiver[order])
    assert all(one.tobytes() == other.tobytes() for one, other in zip(found, shuffled, strict=True))
    seconds: dict[str, list[float]] = {"centrality": [], "plain scipy": []}
    for _ in range(ROUNDS):
        for work, took in zip((ours, plain_scipy), seconds.values(), strict=True):
            started = time.perf_counter()
            work(giver, receiver)
            took.append(time.perf_counter() - started)

    print(f"{TRANSFERS:,} transfers, {WALLETS:,} wallets, median of {ROUNDS} rounds")
    print(f"{'':<16}{'seconds':>10}")
    for name, took in seconds.items():
        print(f"{name:<16}{statistics.median(took):>10.2f}")
    print(f"memory: {peak:,.0f} MB at its peak, {before:,.0f} MB before the first call")
    figures = {
        "seconds": round(statistics.median(seconds["centrality"]), 2),
        "transfers": TRANSFERS,
        "wallets": WALLETS,
        "peak_mb": round(peak),
        "speedup_vs_scipy": round(statistics.median(plain / own for own, plain in zip(*seconds.values(), strict=True)), 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
