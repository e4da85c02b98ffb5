"""Folds on Apache Spark beside the same folds on one machine: from how many rows and cores on is a cluster the faster one?

Both read the same Parquet, run the same five folds over it and write the answers to Parquet; one machine with two threads,
Spark with two cores of the same machine, in turn. That the answers are equal is checked at every size. A line (fixed seconds,
and seconds a row) is fitted to each. What a cluster would need is extrapolated from it: Spark's seconds a row are divided by
the cores, as if nothing were lost by going over a network, so that the figures are the least that a cluster needs.
"""

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.features.folds import DAY, HOUR, Distinct, Fold, Latest, Lifetime, Median, Trailing, run_fold
from ticketintel_pipelines.features.rows import SEEN, Rows, nullable
from ticketintel_pipelines.features.spark import columns_of, read_rows, run_folds_on_spark
from ticketintel_pipelines.features.spark_session import local_session, why_not

SIZES = (250_000, 1_000_000, 4_000_000)
ROUNDS = 3
WARM_UPS = 2
CORES = 2
ROWS_A_WALLET, ROWS_AN_EVENT = 100, 2_000
DAYS = 100
FUTURES = (10_000_000, 146_000_000, 1_000_000_000)

TABLE = "transactions"
FOLDS = (
    Fold(
        "amounts",
        TABLE,
        "wallet",
        Trailing({"1h": HOUR, "7d": 7 * DAY, "30d": 30 * DAY}),
        TABLE,
        "wallet",
        ("amount",),
    ),
    Fold("life", TABLE, "wallet", Lifetime(), TABLE, "wallet", ("amount",)),
    Fold("last", TABLE, "wallet", Latest(2), TABLE, "wallet", ("event",)),
    Fold("events", TABLE, "wallet", Distinct(), TABLE, "wallet", ("event",), "event"),
    Fold("prices", TABLE, "event", Median(), TABLE, "event", ("amount",)),
)
COLUMNS = sorted(set().union(*(columns_of(fold)[TABLE] for fold in FOLDS)))


def write_world(folder: Path, rows: int) -> None:
    """Transactions by day, as the lake has them."""
    rng = np.random.default_rng(rows)
    seen = np.sort(rng.integers(0, DAYS * DAY // 1_000_000, rows)) * 1_000_000
    table = pa.table(
        {
            SEEN: seen,
            "wallet": rng.integers(1, 1 + rows // ROWS_A_WALLET, rows),
            "event": rng.integers(1, 1 + rows // ROWS_AN_EVENT, rows),
            "amount": rng.integers(1, 100_000, rows),
        }
    )
    edges = np.searchsorted(seen, np.arange(DAYS + 1) * DAY)
    for number in range(DAYS):
        part = folder / f"day={np.datetime64(number, 'D')}" / "part0.parquet"
        part.parent.mkdir(parents=True)
        pq.write_table(table.slice(edges[number], edges[number + 1] - edges[number]), part)


def on_one_machine(world: Path, target: Path) -> None:
    table = pa.concat_tables(pq.read_table(part, partitioning=None) for part in sorted(world.rglob("*.parquet")))
    tables = {TABLE: Rows.from_arrow(table, COLUMNS)}
    for fold in FOLDS:
        for name, values in run_fold(fold, tables, DAYS * DAY, threads=CORES).answers.items():
            table = table.append_column(name, nullable(values))
    pq.write_table(table, target)


def on_spark(session: Any, world: Path, target: Path) -> None:
    tables = {TABLE: read_rows(session, str(world), COLUMNS)}
    asked, _ = run_folds_on_spark(FOLDS, tables, DAYS * DAY)
    asked[TABLE].write.mode("overwrite").parquet(str(target))
    session.catalog.clearCache()


def assert_equal(single: Path, spark: Path) -> None:
    """Raises ValueError where an answer of any row differs."""
    expected, found = pq.read_table(single), pq.read_table(spark).sort_by("row")
    for name in expected.column_names:
        if not found[name].combine_chunks().equals(expected[name].combine_chunks()):
            raise ValueError(f"{name}: the answers differ")


def seconds_of(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def line(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Fixed seconds, and seconds a row, each size weighing the same however long it takes.

    Raises:
        ValueError: more rows took no longer, so that nothing follows.
    """
    weights = 1 / np.array(seconds)
    slope, fixed = np.polyfit(np.array(sizes, float), np.array(seconds), 1, w=weights)
    if slope <= 0:
        raise ValueError("more rows took no longer: the machine is too busy to measure, or the sizes are too small")
    return max(0.0, float(fixed)), float(slope)


def cores_needed(rows: int, single: tuple[float, float], spark: tuple[float, float]) -> float:
    """Cores with which Spark takes as long as one machine; infinite where its fixed cost alone takes longer."""
    left = single[0] + single[1] * rows - spark[0]
    return CORES * spark[1] * rows / left if left > 0 else float("inf")


def main(sizes: Sequence[int] = SIZES, rounds: int = ROUNDS) -> None:
    if (reason := why_not()) is not None:
        print(f"not measured: {reason}")
        print(json.dumps({"measured": False}))
        return
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        world = {size: home / f"world{size}" for size in sizes}
        for size in sizes:
            write_world(world[size], size)
        started = time.perf_counter()
        single: dict[int, list[float]] = {size: [] for size in sizes}
        spark: dict[int, list[float]] = {size: [] for size in sizes}
        with local_session(home / "scratch", CORES, {"spark.driver.memory": "4g"}) as session:
            start_seconds = time.perf_counter() - started
            one, other = home / "single.parquet", home / "spark.parquet"
            # Compiles, and starts the workers.
            on_one_machine(world[sizes[0]], one)
            for _ in range(WARM_UPS):
                on_spark(session, world[sizes[0]], other)
            for number in range(rounds):
                for size in sizes:
                    single[size].append(seconds_of(lambda size=size: on_one_machine(world[size], one)))
                    spark[size].append(seconds_of(lambda size=size: on_spark(session, world[size], other)))
                    if number == 0:
                        assert_equal(one, other)
                    shutil.rmtree(other)

    medians = {size: (statistics.median(single[size]), statistics.median(spark[size])) for size in sizes}
    print(f"{len(FOLDS)} folds, {CORES} cores, median of {rounds} rounds; answers equal. Starting Spark: {start_seconds:.1f} s")
    print(f"{'rows':>12}{'one machine s':>16}{'rows/s':>12}{'Spark s':>10}{'rows/s':>12}{'ratio':>8}")
    for size, (ours, theirs) in medians.items():
        print(f"{size:>12,}{ours:>16.2f}{size / ours:>12,.0f}{theirs:>10.2f}{size / theirs:>12,.0f}{theirs / ours:>8.1f}")
    lines = [line(sizes, [medians[size][side] for size in sizes]) for side in (0, 1)]
    for title, (fixed, slope) in zip(("one machine", "Spark"), lines, strict=True):
        print(f"{title:<12}{fixed:>8.2f} s fixed, {slope * 1e6:>7.3f} s a million rows")
    # With a session to be started, which a job on a cluster has to do as well.
    cluster = (lines[1][0] + start_seconds, lines[1][1])
    least_cores = CORES * lines[1][1] / lines[0][1]
    print(f"with {least_cores:.0f} cores or fewer Spark is never the faster one; to be as fast it takes, extrapolated:")
    needed = {rows: cores_needed(rows, lines[0], cluster) for rows in FUTURES}
    for rows, cores in needed.items():
        print(f"{rows:>16,} rows ({lines[0][0] + lines[0][1] * rows:,.0f} s on one machine): {cores:,.0f} cores")
    never_below = (cluster[0] - lines[0][0]) / lines[0][1]
    print(f"below {never_below:,.0f} rows one machine is done before Spark has started, whatever the cluster")
    figures = {
        "rows": sizes[-1],
        "spark_to_single": round(medians[sizes[-1]][1] / medians[sizes[-1]][0], 2),
        "fixed_seconds_spark": round(cluster[0], 2),
        "per_row_ratio": round(lines[1][1] / lines[0][1], 2),
        "least_rows": round(never_below),
        "least_cores": round(least_cores, 1),
        "cores_at": {str(rows): round(cores, 1) for rows, cores in needed.items() if np.isfinite(cores)},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main([int(size) for size in sys.argv[1:]], rounds=1)
    else:
        main()
