"""Our side of the benchmark `features`: the folds over wallets, events and tickets, piece by piece, states carried along."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.features.carried import CarriedStates
from ticketintel_pipelines.features.folds import (
    DAY,
    HOUR,
    Distinct,
    Fold,
    Latest,
    Lifetime,
    Median,
    Trailing,
    run_fold,
)
from ticketintel_pipelines.features.keys import key_of
from ticketintel_pipelines.features.rows import SEEN, Rows, integers, nullable
from ticketintel_pipelines.features.states import ReadStates, States
from ticketintel_pipelines.lake.engine import fetch_table
from ticketintel_pipelines_tests import handbook

THREADS = 2
PIECE_ROWS, HANDBOOK_PIECE_ROWS = 500_000, 80_000
"""Larger pieces move fewer states and take more memory: each is held to a third of what pandas takes for the same rows."""
BATCH_ROWS = 1 << 18
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


def pieces(path: Path, time: str, columns: Sequence[str] | None, rows: int) -> Iterator[pa.Table]:
    """The rows of a file in order, so many or a little more at once, cut at midnights."""
    schema = pq.read_schema(path)
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    held: list[pa.RecordBatch] = []
    # Read ahead, all that was read would be kept until the end.
    file = pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False)
    for batch in file.iter_batches(min(BATCH_ROWS, rows // 2), columns=columns):
        held.append(batch)
        if sum(len(table) for table in held) < rows:
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
    piece_rows: int,
    rows_of: Callable[[pa.Table], Rows],
    features_of: Callable[[duckdb.DuckDBPyConnection, Rows], pa.Table],
) -> int:
    """From a file of transactions to one of features; returns the rows."""
    carried = CarriedStates()
    engine = duckdb.connect()
    engine.execute(f"SET threads = {THREADS}")
    writer: pq.ParquetWriter | None = None
    count = 0
    coming = pieces(source, time, columns, piece_rows)

    def next_rows() -> Rows | None:
        table = next(coming, None)
        return None if table is None else rows_of(table)

    def write(rows: Rows) -> None:
        nonlocal writer
        made = features_of(engine, rows)
        writer = writer or pq.ParquetWriter(target, made.schema, use_dictionary=False, use_byte_stream_split=True)
        writer.write_table(made)

    # One piece is read and one is written while another is folded; states are kept while the next fold goes on.
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as keeping, ThreadPoolExecutor(1) as writing:
        upcoming, written = reading.submit(next_rows), writing.submit(int)
        while (rows := upcoming.result()) is not None:
            upcoming = reading.submit(next_rows)
            horizon = (int(rows[SEEN][-1]) // DAY + 1) * DAY
            kept = [
                keeping.submit(carried.keep, fold.name, states) for fold, states in answer(folds, rows, horizon, carried.read)
            ]
            count += len(rows)
            written.result()
            written = writing.submit(write, rows)
            for each in kept:
                each.result()
            del rows, kept
        written.result()
    assert writer is not None
    writer.close()
    return count


def wallets_job(source: Path, target: Path) -> int:
    return fold_file(source, target, FOLDS, SEEN, None, PIECE_ROWS, rows_of, features_of)


def handbook_job(source: Path, target: Path) -> int:
    """The handbook's 14 features."""
    read, made = handbook.rows_of, handbook.features_of
    return fold_file(source, target, handbook.FOLDS, "TX_DATETIME", handbook.COLUMNS, HANDBOOK_PIECE_ROWS, read, made)
