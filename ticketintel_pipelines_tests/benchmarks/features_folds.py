"""Our side of the benchmark `features`: the folds over wallets, events and tickets, piece by piece, states carried along."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.features.folds import (
    DAY,
    HOUR,
    Distinct,
    Fold,
    Latest,
    Lifetime,
    Median,
    ReadStates,
    States,
    Trailing,
    run_fold,
)
from ticketintel_pipelines.features.kernels import gather
from ticketintel_pipelines.features.keys import key_of
from ticketintel_pipelines.features.rows import MISSING, SEEN, Integers, Rows, integers, nullable
from ticketintel_pipelines.lake.engine import fetch_table
from ticketintel_pipelines_tests import handbook

THREADS = 2
PIECE_ROWS = 500_000
BATCH_ROWS = 1 << 17
SPANS = {"1h": HOUR, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
TEXTS = ("wallet", "event")


def _fold(name: str, by: str, aggregate: object, values: tuple[str, ...] = (), asked_value: str | None = None) -> Fold:
    return Fold(name, "transactions", by, aggregate, "transactions", by, values, asked_value)  # type: ignore[arg-type]


FOLDS = (
    _fold("spent", "wallet", Trailing(SPANS), ("price_cents",)),
    _fold("age", "wallet", Lifetime()),
    _fold("events", "wallet", Distinct(), ("event",), "event"),
    _fold("price", "event", Median(), ("price_cents",)),
    _fold("got", "ticket", Latest()),
)

_SPANS = "".join(f"spent_{span} AS count_{span}, spent_{span}_price_cents AS cents_{span}, " for span in SPANS)
FORMULA = f"""
SELECT
    transaction_id,
    {_SPANS}
    (seen - age_first) / 8.64e10 AS wallet_age_days,
    events_distinct AS distinct_events,
    price_median_doubled / 2 AS median_cents,
    price_cents / (price_median_doubled / 2) AS price_deviation_ratio,
    (seen - got_1_seen) / 3.6e9 AS hours_since_got
FROM asked
"""


@dataclass
class Carried:
    """The states of folds between the pieces of one run, by fold in order of their keys."""

    held: dict[str, States] = field(default_factory=dict)

    def read(self, fold: str, keys: Integers) -> States:
        held = self.held.get(fold)
        if held is None or not len(held.keys):
            return States.empty(keys)
        places = np.minimum(np.searchsorted(held.keys, keys), len(held.keys) - 1)
        # A place behind the last one, where nothing is, stands for keys that have no state.
        places = np.where(held.keys[places] == keys, places, len(held.keys))
        lengths = np.append(np.diff(held.bounds), 0)
        return States(keys, *gather(held.bounds, held.words, lengths, places))

    def keep(self, fold: str, learned: States) -> None:
        held = self.held.get(fold, States.empty(np.empty(0, np.int64)))
        new = np.argsort(learned.keys)
        touched = np.searchsorted(held.keys, learned.keys[new])
        untouched = np.ones(len(held.keys) + 1, bool)
        untouched[touched[np.append(held.keys, MISSING)[touched] == learned.keys[new]]] = False
        old = np.flatnonzero(untouched[:-1])
        keys = np.concatenate([held.keys[old], learned.keys[new]])
        starts = np.concatenate([held.bounds[old], learned.bounds[new] + len(held.words)])
        lengths = np.concatenate([np.diff(held.bounds)[old], np.diff(learned.bounds)[new]])
        words = np.concatenate([held.words, learned.words])
        # Two sorted runs: a stable sort merges them.
        order = np.argsort(keys, kind="stable")
        self.held[fold] = States(keys[order], *gather(starts, words, lengths, order))


def answer(folds: tuple[Fold, ...], rows: Rows, horizon: int, read: ReadStates) -> Iterator[tuple[Fold, States]]:
    """Append the answers of the folds to the rows; yields each fold with its new states."""
    for fold in folds:
        folded = run_fold(fold, {"transactions": rows}, horizon, read, THREADS)
        rows.add(folded.answers)
        yield fold, folded.states


def features_of(engine: duckdb.DuckDBPyConnection, rows: Rows) -> pa.Table:
    named = {name for name in rows.columns if name in FORMULA}
    engine.register("asked", pa.table({name: nullable(rows[name]) for name in named}))
    return fetch_table(engine, FORMULA)


def rows_of(table: pa.Table) -> Rows:
    columns = {name: integers(table[name]) for name in (SEEN, "transaction_id", "ticket", "price_cents")}
    return Rows(columns | {name: key_of(table[name]) for name in TEXTS})


def pieces(path: Path, time: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a file in order, PIECE_ROWS or a little more at once, cut at midnights."""
    schema = pq.read_schema(path)
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    held: list[pa.RecordBatch] = []
    for batch in pq.ParquetFile(path, read_dictionary=texts).iter_batches(BATCH_ROWS, columns=columns):
        held.append(batch)
        if sum(len(table) for table in held) < PIECE_ROWS:
            continue
        together = pa.Table.from_batches(held)
        midnights = pc.floor_temporal(together[time], unit="day")
        cut = pc.index(midnights, midnights[-1]).as_py()
        if cut:
            yield together.slice(0, cut)
            held = together.slice(cut).to_batches()
    if held:
        yield pa.Table.from_batches(held)


def fold_file(
    source: Path,
    target: Path,
    folds: tuple[Fold, ...],
    time: str,
    columns: Sequence[str] | None,
    rows_of: Callable[[pa.Table], Rows],
    features_of: Callable[[duckdb.DuckDBPyConnection, Rows], pa.Table],
) -> int:
    """From a file of transactions to one of features; returns the rows."""
    carried = Carried()
    engine = duckdb.connect()
    engine.execute(f"SET threads = {THREADS}")
    writer: pq.ParquetWriter | None = None
    count = 0
    for table in pieces(source, time, columns):
        rows = rows_of(table)
        del table
        horizon = (int(rows[SEEN][-1]) // DAY + 1) * DAY
        for fold, states in answer(folds, rows, horizon, carried.read):
            carried.keep(fold.name, states)
        made = features_of(engine, rows)
        writer = writer or pq.ParquetWriter(target, made.schema, use_dictionary=False)
        writer.write_table(made)
        count += len(rows)
    assert writer is not None
    writer.close()
    return count


def wallets_job(source: Path, target: Path) -> int:
    return fold_file(source, target, FOLDS, SEEN, None, rows_of, features_of)


def handbook_job(source: Path, target: Path) -> int:
    """The handbook's 14 features."""
    return fold_file(source, target, handbook.FOLDS, "TX_DATETIME", handbook.COLUMNS, handbook.rows_of, handbook.features_of)
