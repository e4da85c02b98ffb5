"""The folds on Apache Spark, for histories that one machine cannot hold. Needs the extra `spark` and Java 17.

Rows are shuffled by key and sorted by time within each partition; `spark_partition` then runs the compiled kernels over them,
the very functions that one machine runs. Folds with the same keys share a shuffle. A table is a frame of whole-number columns,
null where missing, with `seen` and a column `row` that numbers its rows in their order. States are a frame of `fold`, `key`,
`words`; a key without any has no row there.

The graph is not here: its measures are iterative and look at the whole graph in every step, which one machine does in memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.features.folds import Fold, states_before
from ticketintel_pipelines.features.kernels import gather
from ticketintel_pipelines.features.rows import EVERYTHING, MISSING, SEEN, Integers, Rows, nullable
from ticketintel_pipelines.features.spark_partition import ENTRY, QUESTION, ROW, STATE, fold_batches, integers_of, named
from ticketintel_pipelines.features.states import ReadStates, States

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

STATES = "fold string, key long, words array<long>"


def run_fold_on_spark(
    fold: Fold, tables: "Mapping[str, DataFrame]", horizon: int, states: "DataFrame | None" = None
) -> "tuple[DataFrame, DataFrame]":
    """Answer every asking row that has a key, and learn all entries, as `run_fold` does.

    Args:
        tables: the rows by table. All entries are new: none of them is in the states yet.
        horizon: microseconds since 1970; no row that comes later is seen before it.
        states: those that earlier rows led to, of this fold and perhaps of others; None where history begins. Those of a store
            as `states_before` reads them for these rows.

    Returns:
        the answers by `row`, null where there is none; rows without a key are not in it. And the states of all the fold's keys,
        those that no entry was for as they were. The session caches both when they are first computed.
    """
    return _run_together([fold], tables, horizon, states)


def run_folds_on_spark(
    folds: Sequence[Fold], tables: "Mapping[str, DataFrame]", horizon: int, states: "DataFrame | None" = None
) -> "tuple[dict[str, DataFrame], DataFrame]":
    """Run folds; the answers of one are columns of its table for those that need them.

    Returns:
        the tables with the answers appended in the order of the folds, and the states of all the folds.

    Raises:
        ValueError: there is no fold, or one needs a column that is neither in its table nor answered by another.
    """
    answered: dict[str, list[DataFrame]] = {name: [] for name in tables}
    left, learned = list(folds), None
    while left or learned is None:
        known = {name: {*frame.columns}.union(*(more.columns for more in answered[name])) for name, frame in tables.items()}
        ready = [fold for fold in left if all(columns <= known[table] for table, columns in columns_of(fold).items())]
        if not ready:
            raise ValueError(f"no table has the columns for the folds {[fold.name for fold in left]}")
        left = [fold for fold in left if fold not in ready]
        for together in _with_same_keys(ready):
            needed: dict[str, set[str]] = {}
            for fold in together:
                for table, columns in columns_of(fold).items():
                    needed.setdefault(table, set()).update(columns)
            rows = {name: _joined(tables[name], answered[name], columns) for name, columns in needed.items()}
            answers, states_of_these = _run_together(together, rows, horizon, states)
            answered[together[0].asked_by].append(answers)
            learned = states_of_these if learned is None else learned.unionByName(states_of_these)
    done = {}
    for name, frame in tables.items():
        told = [answer for fold in folds if fold.asked_by == name for answer in fold.answers]
        done[name] = _joined(frame, answered[name], set(told)).select(*frame.columns, *told)
    return done, learned


def read_rows(session: "SparkSession", folder: str, columns: Iterable[str]) -> "DataFrame":
    """Columns of a table of the lake, `<folder>/day=…/part….parquet`, numbered in order of day, part and place in the file.

    Args:
        folder: a path or URL that all executors can read.
    """
    from pyspark.sql import functions as F

    rows = session.read.parquet(folder)
    day = F.datediff(F.to_date("day"), F.lit("1970-01-01")).cast("long")
    part = F.regexp_extract("_metadata.file_name", r"(\d+)\.parquet$", 1).cast("long")
    # 16 bits of days, 12 of parts, 35 of rows.
    number = day * F.lit(1 << 47) + part * F.lit(1 << 35) + F.col("_metadata.row_index")
    return rows.select(number.alias(ROW), *dict.fromkeys((SEEN, *columns)))


def fold_all_on_spark(
    session: "SparkSession", folds: Sequence[Fold], tables: Mapping[str, Rows], horizon: int, read_states: ReadStates
) -> tuple[dict[str, Integers], dict[str, States]]:
    """Run a family's folds over rows that are at hand and bring everything back: all answers by column, the states by fold.

    As with `run_fold` the states are those of the keys that learned something. What the session holds in its cache is dropped.
    """
    frames = {name: frame_of(session, rows) for name, rows in tables.items()}
    held = pa.concat_tables(_table_of(fold.name, states_before(fold, tables, read_states)) for fold in folds)
    asked, learned = run_folds_on_spark(folds, frames, horizon, session.createDataFrame(held, STATES) if len(held) else None)
    answers: dict[str, Integers] = {}
    for name in dict.fromkeys(fold.asked_by for fold in folds):
        names = [answer for fold in folds if fold.asked_by == name for answer in fold.answers]
        table = asked[name].select(ROW, *names).toArrow().sort_by(ROW)
        answers |= {answer: integers_of(table[answer]) for answer in names}
    collected = learned.toArrow()
    session.catalog.clearCache()
    return answers, {
        fold.name: _states_of(collected, fold.name, np.sort(tables[fold.of].grouped_by(fold.by).keys)) for fold in folds
    }


def frame_of(session: "SparkSession", rows: Rows) -> "DataFrame":
    """Rows as a frame, numbered from 0."""
    columns = {name: nullable(values) for name, values in rows.columns.items()}
    return session.createDataFrame(pa.table({ROW: pa.array(np.arange(len(rows))), **columns}))


def columns_of(fold: Fold) -> dict[str, set[str]]:
    """The columns that a fold looks at, by table."""
    needed = {fold.of: {SEEN, fold.by, *fold.values} - {EVERYTHING}}
    asked = {SEEN, fold.asked_key, fold.asked_value or SEEN} - {EVERYTHING}
    return needed | {fold.asked_by: needed.get(fold.asked_by, set()) | asked}


def _with_same_keys(folds: Iterable[Fold]) -> list[list[Fold]]:
    together: dict[tuple[str, str, str, str], list[Fold]] = {}
    for fold in folds:
        together.setdefault((fold.of, fold.by, fold.asked_by, fold.asked_key), []).append(fold)
    return list(together.values())


def _joined(frame: "DataFrame", answers: "list[DataFrame]", columns: set[str]) -> "DataFrame":
    """A table with those answers that hold one of some columns; the others are not worth their shuffle."""
    for more in answers:
        if columns & {*more.columns}:
            frame = frame.join(more, ROW, "left")
    return frame


def _run_together(
    folds: Sequence[Fold], tables: "Mapping[str, DataFrame]", horizon: int, states: "DataFrame | None"
) -> "tuple[DataFrame, DataFrame]":
    """Answers and states of folds with the same keys."""
    from pyspark.sql import functions as F

    shuffled = _observations(folds, tables, states).repartition("key").sortWithinPartitions("key", SEEN, ROW)
    names = [ROW, *(answer for fold in folds for answer in fold.answers)]
    schema = f"{', '.join(f'{name} long' for name in names)}, {STATES}"
    # Both results come from here, and must not go through the shuffle twice.
    made = shuffled.mapInArrow(lambda batches: fold_batches(folds, horizon, batches), schema).persist()
    return made.where(F.col(ROW).isNotNull()).select(*names), made.where(F.col("key").isNotNull()).select(
        "fold", "key", "words"
    )


def _observations(folds: Sequence[Fold], tables: "Mapping[str, DataFrame]", states: "DataFrame | None") -> "DataFrame":
    """What goes through the shuffle: entries, questions, and the states, which sort before both."""
    from pyspark.sql import functions as F

    fold = folds[0]
    values = sorted({value for fold in folds for value in fold.values})
    own = sorted({fold.asked_value for fold in folds if fold.asked_value})

    def whole(name: str) -> "Column":
        return (F.lit(0) if name == EVERYTHING else F.col(name)).cast("long")

    def side(table: str, by: str, number: int) -> "DataFrame":
        columns = {"key": whole(by), SEEN: whole(SEEN), ROW: whole(ROW), "side": F.lit(number).cast("byte")}
        for kind, names in ((ENTRY, values), (QUESTION, own)):
            columns |= {named(kind, name): whole(name) if number & kind else F.lit(None).cast("long") for name in names}
        rows = tables[table].select(*(column.alias(name) for name, column in columns.items()))
        return rows.where(F.col("key").isNotNull())

    if (fold.of, fold.by) == (fold.asked_by, fold.asked_key):
        rows = side(fold.of, fold.by, ENTRY | QUESTION)
    else:
        rows = side(fold.of, fold.by, ENTRY).unionByName(side(fold.asked_by, fold.asked_key, QUESTION))
    if states is None:
        return rows
    place = F.array_position(F.lit([fold.name for fold in folds]), F.col("fold")) - 1
    held = states.select(
        "key", "words", F.lit(int(MISSING)).alias(SEEN), place.alias(ROW), F.lit(STATE).cast("byte").alias("side")
    )
    return rows.unionByName(held.where(F.col(ROW) >= 0), allowMissingColumns=True)


def _table_of(fold: str, states: States) -> pa.Table:
    some = np.flatnonzero(states.lengths)
    bounds, words = gather(states.starts, states.words, states.lengths, some)
    lists = pa.ListArray.from_arrays(bounds.astype(np.int32), words)
    return pa.table({"fold": pa.array([fold] * len(some), pa.string()), "key": states.keys[some], "words": lists})


def _states_of(collected: pa.Table, fold: str, keys: Integers) -> States:
    """The states of some keys out of a table of states."""
    own = collected.filter(pc.equal(collected["fold"], fold)).sort_by("key")
    own_keys = integers_of(own["key"])
    places = np.searchsorted(own_keys, keys)
    found = np.append(own_keys, MISSING)[places] == keys
    chosen = own["words"].take(pa.array(places[found]))
    lengths = np.zeros(len(keys), np.int64)
    lengths[found] = pc.list_value_length(chosen).to_numpy()
    return States.in_a_row(keys, lengths, integers_of(pc.list_flatten(chosen)))
