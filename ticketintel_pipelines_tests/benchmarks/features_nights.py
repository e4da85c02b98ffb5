"""The folds night by night and as a backfill: states in the product's store, keys already numbers, as the lake has them."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.features.folds import DAY, States
from ticketintel_pipelines.features.rows import SEEN, Rows
from ticketintel_pipelines.features.store import StateStore
from ticketintel_pipelines_tests.benchmarks.features_folds import FOLDS, THREADS, answer, features_of
from ticketintel_pipelines_tests.benchmarks.features_world import START, World

FIRST_DAY = date(2023, 1, 1)
NIGHTS = 7
MONTH = 30


@dataclass
class History:
    """A world's transactions, folded piece by piece in order."""

    world: World
    folder: Path
    day: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of each piece, from its file to the features' one and the states committed."""
    engine: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def __post_init__(self) -> None:
        self.store = StateStore(self.folder / "states.sqlite")
        self.engine.execute(f"SET threads = {THREADS}")

    def fold_days(self, days: int) -> int:
        """Fold the next days as one piece; returns its rows."""
        source = self.folder / "piece.parquet"
        numbers = [self.world.numbers_of_day(day) for day in range(self.day, self.day + days)]
        together = {name: np.concatenate([of_day[name] for of_day in numbers]) for name in numbers[0]}
        del numbers
        pq.write_table(pa.table(together), source)
        rows = len(together[SEEN])
        del together
        started = time.perf_counter()
        self._fold_piece(source, days)
        self.seconds.append(time.perf_counter() - started)
        return rows

    def _fold_piece(self, source: Path, days: int) -> None:
        table = pq.read_table(source)
        rows = Rows.from_arrow(table, table.column_names)
        del table
        checkpoint = self.store.checkpoint_before(FIRST_DAY + timedelta(days=self.day))
        self.day += days
        states: dict[str, States] = {}
        for fold, learned in answer(FOLDS, rows, START + self.day * DAY, self.store.reader(checkpoint)):
            states[fold.name] = learned
        pq.write_table(features_of(self.engine, rows), self.folder / "features.parquet", compression="zstd")
        self.store.commit(FIRST_DAY + timedelta(days=self.day - 1), states)


def nights(world: World, folder: Path, milestones: tuple[int, ...]) -> Iterator[tuple[int, float]]:
    """Median seconds of some single nights from each milestone on, after a history in months up to it."""
    history = History(world, folder)
    for milestone in milestones:
        while history.day < milestone - 1:
            history.fold_days(min(MONTH, milestone - 1 - history.day))
        for _ in range(NIGHTS):
            history.fold_days(1)
        yield milestone, statistics.median(history.seconds[-NIGHTS:])


@dataclass(frozen=True)
class Backfill:
    """As many pieces of a history as fit into some time."""

    rows: int
    days: int
    seconds: float
    rows_per_second_first: float
    rows_per_second_last: float
    store_mb: float

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds


def backfill(world: World, folder: Path, minutes: float, piece_days: int) -> Backfill:
    """Fold from the first day on in pieces until the time is up or the history ends."""
    history = History(world, folder)
    rates: list[float] = []
    rows = 0
    until = time.monotonic() + 60 * minutes
    while history.day < world.days:
        started = time.monotonic()
        piece = history.fold_days(min(piece_days, world.days - history.day))
        rows += piece
        rates.append(piece / history.seconds[-1])
        if time.monotonic() + (time.monotonic() - started) > until:
            break
    megabytes = sum(path.stat().st_size for path in folder.glob("states.sqlite*")) / 1e6
    return Backfill(rows, history.day, sum(history.seconds), rates[0], rates[-1], megabytes)
