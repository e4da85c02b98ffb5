"""The folds night by night and as a backfill: states in the product's store, keys already numbers, as the lake has them."""

import json
import shutil
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

from ticketintel_pipelines.features.carried import CarriedStates
from ticketintel_pipelines.features.folds import DAY, stored_states
from ticketintel_pipelines.features.rows import SEEN, Rows
from ticketintel_pipelines.features.store import StateStore
from ticketintel_pipelines.stages.feature import STATES_CARRIED
from ticketintel_pipelines_tests.benchmarks.features_folds import FOLDS, THREADS, answer, features_of
from ticketintel_pipelines_tests.benchmarks.features_world import START, World

FIRST_DAY = date(2023, 1, 1)
NIGHTS = 17
MEAN_NIGHTS = 64
WARM_UP = 5


@dataclass
class History:
    """A world's transactions, folded piece by piece in order."""

    world: World
    folder: Path
    day: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of each piece, from its file to the features' one and the states committed."""
    processor_seconds: list[float] = field(default_factory=list)
    engine: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    _carried: CarriedStates | None = None
    _after: date | None = None

    def __post_init__(self) -> None:
        self.store = StateStore(self.folder / "states")
        self.engine.execute(f"SET threads = {THREADS}")

    def fold_days(self, days: int, *, last: bool = True) -> int:
        """Fold the next days as one piece; returns its rows. States are carried on to the next piece if it is not the last."""
        source = self.folder / "piece.parquet"
        numbers = [self.world.numbers_of_day(day) for day in range(self.day, self.day + days)]
        together = {name: np.concatenate([of_day[name] for of_day in numbers]) for name in numbers[0]}
        del numbers
        pq.write_table(pa.table(together), source)
        rows = len(together[SEEN])
        del together
        started, used = time.perf_counter(), time.process_time()
        self._fold_piece(source, days, last=last)
        self.seconds.append(time.perf_counter() - started)
        self.processor_seconds.append(time.process_time() - used)
        return rows

    @property
    def written_mb(self) -> float:
        """Size of the states that the last night wrote, without merges."""
        written: int = json.loads((self.store.path / "segments.json").read_text())["segments"][-1]["bytes"]
        return written / 1e6

    def _fold_piece(self, source: Path, days: int, *, last: bool) -> None:
        table = pq.read_table(source)
        rows = Rows.from_arrow(table, table.column_names)
        del table
        if self._carried is None:
            self._after = self.store.checkpoint_before(FIRST_DAY + timedelta(days=self.day))
            self._carried = CarriedStates(self.store.reader(self._after))
        self.day += days
        for fold, learned in answer(FOLDS, rows, START + self.day * DAY, self._carried.read):
            self._carried.keep(fold.name, learned)
        pq.write_table(features_of(self.engine, rows), self.folder / "features.parquet", compression="zstd")
        if last or len(self._carried) >= STATES_CARRIED:
            states = stored_states(FOLDS, self._carried.states())
            self.store.commit(FIRST_DAY + timedelta(days=self.day - 1), states, self._after)
            self._carried = None


@dataclass(frozen=True)
class Nights:
    """What nights from some day of a history on took, in seconds.

    Some are measured in turn with those of the other days: of these the median wall time and the median of the processor's
    time. The mean of the processor's time is of the nights that led there, with all the merging of older states.
    `written_mb` are the states that the last night wrote: those of the keys that it touched. Of these, prices of an event grow
    until it has been on sale as long as events are in this world.
    """

    day: int
    seconds: float
    processor: float
    processor_with_merges: float
    written_mb: float


def nights(world: World, folder: Path, milestones: tuple[int, ...]) -> Iterator[Nights]:
    """Single nights from each milestone on, in turn, after a history that was itself folded night by night."""
    history = History(world, folder)
    reached: dict[int, History] = {}
    for milestone in milestones:
        while history.day < milestone - 1:
            history.fold_days(1)
        copy = folder / str(milestone)
        shutil.copytree(history.store.path, copy / history.store.path.name)
        reached[milestone] = History(world, copy, history.day)
    for _ in range(NIGHTS):
        for at in reached.values():
            at.fold_days(1)
    for milestone, at in reached.items():
        # The first night reads files that are nowhere in memory yet, and the very first ones load what is compiled.
        before = history.processor_seconds[max(WARM_UP, milestone - 1 - MEAN_NIGHTS) : milestone - 1]
        measured = (statistics.median(figures[1:]) for figures in (at.seconds, at.processor_seconds))
        yield Nights(milestone, *measured, statistics.mean(before), at.written_mb)


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
    rows, longest = 0, 0.0
    until = time.monotonic() + 60 * minutes
    while history.day < world.days:
        started = time.monotonic()
        # The time that is left decides beforehand whether this is the last one, whose states are committed.
        last = history.day + piece_days >= world.days or started + 2 * longest > until
        piece = history.fold_days(min(piece_days, world.days - history.day), last=last)
        rows += piece
        rates.append(piece / history.seconds[-1])
        longest = max(longest, time.monotonic() - started)
        if last:
            break
    megabytes = sum(path.stat().st_size for path in folder.glob("states/*")) / 1e6
    return Backfill(rows, history.day, sum(history.seconds), rates[0], rates[-1], megabytes)
