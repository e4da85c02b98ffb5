"""The folds beside pandas and Postgres, and what they cost night by night and over two years.

    python -m ticketintel_pipelines_tests.benchmarks.features [--quick] [--only PART ...] [--backfill-minutes 15]

Two sets of rows: the handbook's transactions with its 14 features (where ../shared/data has them), and simulated ticket
transactions of many wallets. Each side reads the same Parquet file, in which keys are texts, and writes its features to
Parquet; the files are compared row by row before a figure is shown. Every run is a process of its own: its time begins when the
libraries are loaded and (ours) the kernels compiled; its memory is the peak above what it had then, with the input in it.

The pandas of `speedup_vs_pandas` goes about windows as the handbook does, key by key, and does the rest vectorised; the second
one, pandas' own grouped windows over the whole frame, is shown beside it. Both figures are the worse one of the two sets.

The nights and the backfill run on the product's store of states; the nights' history has the same daily volume throughout.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ticketintel_pipelines_tests import handbook
from ticketintel_pipelines_tests.benchmarks.features_world import World

HANDBOOK = Path(__file__).parents[3] / "shared" / "data" / "fraud_handbook" / handbook.TRANSACTIONS

OURS, PANDAS, VECTORISED = "folds", "pandas", "vectorised pandas"
ROUNDS = {OURS: 3, PANDAS: 1, VECTORISED: 1}

PARTS = ("handbook", "wallets", "postgres", "nights", "backfill")

WORLD = World(transactions=10_000_000, days=365, wallets=100_000, events=2_000)
QUICK_WORLD = World(transactions=200_000, days=365, wallets=2_000, events=500)
POSTGRES_WORLD = World(transactions=500_000, days=365, wallets=5_000, events=500)
QUICK_POSTGRES_WORLD = World(transactions=50_000, days=365, wallets=500, events=100)

MILESTONES = (30, 180, 730)
NIGHTS_WORLD = World(transactions=740 * 8_500, days=740, wallets=100_000, events=2_000)
QUICK_NIGHTS_WORLD = World(transactions=740 * 1_000, days=740, wallets=12_000, events=500)

YEARS_TRANSACTIONS = 146_000_000
YEARS_WORLD = World(transactions=YEARS_TRANSACTIONS, days=730, wallets=1_000_000, events=20_000)
BACKFILL_PIECE_DAYS = 5
"""A million rows, the default of the setting `TICKETINTEL_CHUNK_ROWS`."""


@dataclass(frozen=True)
class Measured:
    """One run: seconds, peak megabytes above those before it, and those."""

    rows: int
    seconds: float
    peak_mb: float
    before_mb: float


def jobs() -> dict[str, dict[str, Callable[[Path, Path], int]]]:
    from ticketintel_pipelines_tests.benchmarks import features_folds, features_peers

    return {
        "handbook": {
            OURS: features_folds.handbook_job,
            PANDAS: features_peers.pandas_handbook,
            VECTORISED: features_peers.pandas_handbook_vectorised,
        },
        "wallets": {
            OURS: features_folds.wallets_job,
            PANDAS: features_peers.pandas_wallets,
            VECTORISED: features_peers.pandas_wallets_vectorised,
        },
    }


def run_alone(rows: str, side: str, source: Path, small: Path, target: Path) -> Measured:
    """A job in a process of its own; `small` is some of the rows, with which it warms up."""
    task = json.dumps({"rows": rows, "side": side, "source": str(source), "small": str(small), "target": str(target)})
    done = subprocess.run([sys.executable, "-m", __spec__.name, "--task", task], check=True, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(done.stdout))


def run_task(task: dict[str, str]) -> None:
    """The work of that process."""
    job = jobs()[task["rows"]][task["side"]]
    target = Path(task["target"])
    job(Path(task["small"]), target)
    before = memory("VmRSS")
    # From here on the peak is that of the job.
    Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    rows = job(Path(task["source"]), target)
    seconds = time.perf_counter() - started
    peak = memory("VmHWM")
    print(json.dumps({"rows": rows, "seconds": seconds, "peak_mb": peak - before, "before_mb": before}))


def memory(kind: str) -> float:
    """Memory of this process in MB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 1024


def check_same(ours: Path, theirs: Path) -> None:
    """Every feature of every row: whole numbers equal, quotients to the last digits that addition in another order changes."""
    import numpy as np
    import pyarrow.parquet as pq

    for name in pq.read_schema(ours).names:
        left, right = (pq.read_table(path, columns=[name])[name].to_numpy().astype(float) for path in (ours, theirs))
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9, equal_nan=True, err_msg=name)


def compare(rows: str, source: Path, small: Path, folder: Path) -> dict[str, float]:
    """Both sides in turn over one file; prints a table, returns the ratios."""
    runs: dict[str, list[Measured]] = {side: [] for side in ROUNDS}
    for number in range(max(ROUNDS.values())):
        for side, rounds in ROUNDS.items():
            if number < rounds:
                runs[side].append(run_alone(rows, side, source, small, folder / f"{rows}_{side}.parquet"))
    for side in (PANDAS, VECTORISED):
        check_same(folder / f"{rows}_{OURS}.parquet", folder / f"{rows}_{side}.parquet")
    seconds = {side: statistics.median(run.seconds for run in runs[side]) for side in runs}
    peak = {side: statistics.median(run.peak_mb for run in runs[side]) for side in runs}
    count = runs[OURS][0].rows
    print(f"{rows}: {count:,} rows, the same features from all (runs: {', '.join(f'{s} {n}' for s, n in ROUNDS.items())})")
    print(f"{'':<20}{'seconds':>10}{'rows/s':>12}{'peak MB':>10}{'before MB':>11}")
    for side in runs:
        before = runs[side][0].before_mb
        print(
            f"{side:<20}{seconds[side]:>10.2f}{count / seconds[side]:>12,.0f}{peak[side]:>10,.0f}{before:>11,.0f}", flush=True
        )
    return {
        f"speedup_{rows}": round(seconds[PANDAS] / seconds[OURS], 1),
        f"speedup_{rows}_vectorised": round(seconds[VECTORISED] / seconds[OURS], 1),
        f"memory_{rows}": round(peak[OURS] / peak[PANDAS], 2),
        f"memory_{rows}_vectorised": round(peak[OURS] / peak[VECTORISED], 2),
    }


def first_rows(source: Path, count: int, target: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_batches([next(pq.ParquetFile(source).iter_batches(count))]), target)
    return target


def beside_postgres(world: World, folder: Path) -> dict[str, float]:
    """Postgres' window functions on fewer rows, and ours on the same."""
    import numpy as np
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    from ticketintel_pipelines_tests.benchmarks.features_postgres import postgres_seconds

    source = world.write(folder / "postgres.parquet")
    ours = run_alone("wallets", OURS, source, source, folder / "ours.parquet")
    seconds = postgres_seconds(source, folder / "postgres.csv", folder / "server")
    found, expected = csv.read_csv(folder / "postgres.csv"), pq.read_table(folder / "ours.parquet")
    for name in found.column_names:
        left, right = (table[name].to_numpy().astype(float) for table in (expected, found))
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9, equal_nan=True, err_msg=name)
    print(f"Postgres: {ours.rows:,} rows in {seconds:.1f} s, {ours.rows / seconds:,.0f} rows/s, without the median, in tables;")
    print(f"  folds {ours.seconds:.1f} s, {ours.rows / ours.seconds:,.0f} rows/s, with it, from Parquet to Parquet", flush=True)
    return {"speedup_vs_postgres": round(seconds / ours.seconds, 1)}


def night_by_night(world: World, folder: Path) -> dict[str, float]:
    """Single nights after a short and after long histories."""
    from ticketintel_pipelines_tests.benchmarks.features_nights import NIGHTS, nights

    folder.mkdir()
    first, *later = nights(world, folder, MILESTONES)
    print(
        f"nights of {world.daily:,} transactions, median of {NIGHTS} from each day on; with merges: mean of the nights before:"
    )
    print(f"{'':<10}{'wall, ms':>10}{'processor, ms':>15}{'with merges, ms':>17}{'states written, MB':>20}")
    for at in (first, *later):
        wall, processor, merging = (1000 * seconds for seconds in (at.seconds, at.processor, at.processor_with_merges))
        print(f"day {at.day:<6}{wall:>10,.0f}{processor:>15,.0f}{merging:>17,.0f}{at.written_mb:>20.1f}", flush=True)
    figures: dict[str, float] = {}
    for before, at in (*((first, at) for at in later), later):
        name = f"night_{at.day}_vs_{before.day}"
        figures[name] = round(at.seconds / before.seconds, 2)
        figures[f"{name}_processor"] = round(at.processor / before.processor, 2)
        figures[f"{name}_processor_with_merges"] = round(at.processor_with_merges / before.processor_with_merges, 2)
    return figures


def backfill_alone(world: World, folder: Path, minutes: float) -> dict[str, float]:
    """The backfill in a process of its own."""
    folder.mkdir()
    task = json.dumps({"backfill": vars(world), "folder": str(folder), "minutes": minutes})
    done = subprocess.run([sys.executable, "-m", __spec__.name, "--task", task], check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)
    hours = YEARS_TRANSACTIONS / found["rows_per_second"] / 3600
    print(
        f"backfill: {found['rows']:,} transactions of {found['days']} days in {found['seconds']:.0f} s,"
        f" {found['rows_per_second']:,.0f} rows/s (first piece {found['first']:,.0f}, last piece {found['last']:,.0f}),"
        f" peak {found['peak_mb']:,.0f} MB, states {found['store_mb']:,.0f} MB;"
        f" at this pace {YEARS_TRANSACTIONS:,} take {hours:.1f} hours, at the last piece's"
        f" {YEARS_TRANSACTIONS / found['last'] / 3600:.1f}",
        flush=True,
    )
    return {
        "backfill_rows": found["rows"],
        "backfill_rows_per_second": round(found["rows_per_second"]),
        "backfill_peak_mb": round(found["peak_mb"]),
        "backfill_hours_146m": round(hours, 2),
    }


def run_backfill(task: dict[str, Any]) -> None:
    """The work of that process."""
    from ticketintel_pipelines_tests.benchmarks.features_nights import backfill

    done = backfill(World(**task["backfill"]), Path(task["folder"]), task["minutes"], BACKFILL_PIECE_DAYS)
    figures = {"first": done.rows_per_second_first, "last": done.rows_per_second_last, "peak_mb": memory("VmHWM")}
    print(json.dumps(vars(done) | {"rows_per_second": done.rows_per_second} | figures))


def main() -> None:
    parser = argparse.ArgumentParser(description="The folds beside pandas and Postgres.")
    parser.add_argument("--quick", action="store_true", help="less of everything: whether it runs, not how fast")
    parser.add_argument("--backfill-minutes", type=float, help="how long to backfill at most, 3 unless told")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="leave out the other parts")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        task = json.loads(options.task)
        run_backfill(task) if "backfill" in task else run_task(task)
        return
    minutes = options.backfill_minutes or (0.3 if options.quick else 3.0)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A server in it runs as a user of its own.
        folder.chmod(0o755)
        if "handbook" in options.only and not HANDBOOK.exists():
            print("no handbook rows: ../shared/data is not distributed with the project")
        elif "handbook" in options.only:
            figures |= compare("handbook", HANDBOOK, first_rows(HANDBOOK, 2_000, folder / "small.parquet"), folder)
        if "wallets" in options.only:
            source = (QUICK_WORLD if options.quick else WORLD).write(folder / "wallets.parquet")
            figures |= compare("wallets", source, first_rows(source, 2_000, folder / "small.parquet"), folder)
        if "postgres" in options.only:
            figures |= beside_postgres(QUICK_POSTGRES_WORLD if options.quick else POSTGRES_WORLD, folder)
        if "nights" in options.only:
            figures |= night_by_night(QUICK_NIGHTS_WORLD if options.quick else NIGHTS_WORLD, folder / "nights")
        if "backfill" in options.only:
            figures |= backfill_alone(YEARS_WORLD, folder / "backfill", minutes)
    sets = [rows for rows in ("handbook", "wallets") if f"speedup_{rows}" in figures]
    if sets:
        # What holds on every set.
        figures["speedup_vs_pandas"] = min(figures[f"speedup_{rows}"] for rows in sets)
        figures["memory_vs_pandas"] = max(figures[f"memory_{rows}"] for rows in sets)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
