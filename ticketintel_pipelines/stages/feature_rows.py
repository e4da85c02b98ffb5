"""The rows of one piece of days of a feature family: read from the lake, answered by folds or the graph, made into features."""

import hashlib
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines.features.families import Family, Graph
from ticketintel_pipelines.features.folds import ReadStates, States, run_fold
from ticketintel_pipelines.features.rows import EVERYTHING, SEEN, Integers, Rows, nullable
from ticketintel_pipelines.lake.engine import fetch_table
from ticketintel_pipelines.lake.layout import DayRange, Lake

FEATURE_STAGE = "feature"
THREADS = 2


def read_table(lake: Lake, name: str, days: Iterable[date], columns: Iterable[str] | None = None) -> pa.Table | None:
    """The rows of some days of a table of the stage, in order; None where no day has any."""
    parts = lake.parts(FEATURE_STAGE, name, days)
    names = None if columns is None else list(columns)
    tables = [pq.read_table(part, columns=names, partitioning=None) for part in parts]
    return pa.concat_tables(tables) if tables else None


def rows_of(table: pa.Table | None, names: Iterable[str]) -> Rows:
    """Columns of a table as folds take them; without a table there are none."""
    wanted = {SEEN, *names} - {EVERYTHING}
    if table is None:
        return Rows({name: np.empty(0, np.int64) for name in wanted})
    return Rows.from_arrow(table, wanted)


@dataclass(frozen=True)
class Answered:
    """The asking rows with their answers, and by fold the states of the keys that learned something."""

    asked: pa.Table | None
    states: dict[str, States]


def answer(lake: Lake, family: Family, days: DayRange, read_states: ReadStates, engine: str = "local") -> Answered:
    """Ask for the rows of some days whatever the family's folds, or its graph, answer.

    `engine` is what the folds are run on, local or spark; the graph is always worked out on this machine.

    Raises:
        UnavailableError: Spark is asked for and cannot be started here.
    """
    asking = read_table(lake, family.asked_by, days.days)
    if family.graph is not None:
        return Answered(None if asking is None else with_centrality(lake, family.graph, asking, days), {})
    needed = columns_by_table(family)
    tables = {
        name: rows_of(asking if name == family.asked_by else read_table(lake, name, days.days, columns), columns)
        for name, columns in needed.items()
    }
    fold = fold_all_on_spark if engine == "spark" else fold_all
    answers, states = fold(family, tables, start_of(days.last + timedelta(days=1)), read_states)
    return Answered(None if asking is None else with_columns(asking, answers), states)


def fold_all(
    family: Family, tables: Mapping[str, Rows], horizon: int, read_states: ReadStates
) -> tuple[dict[str, Integers], dict[str, States]]:
    """Run a family's folds over rows of its tables; all answers by column, and the new states by fold."""
    answers: dict[str, Integers] = {}
    states: dict[str, States] = {}
    for fold in family.folds:
        folded = run_fold(fold, tables, horizon, read_states, THREADS)
        answers |= folded.answers
        states[fold.name] = folded.states
    return answers, states


def fold_all_on_spark(
    family: Family, tables: Mapping[str, Rows], horizon: int, read_states: ReadStates
) -> tuple[dict[str, Integers], dict[str, States]]:
    """The same on Apache Spark: on the session that the process has, else on one of its own.

    Raises:
        UnavailableError: Spark cannot be started here.
    """
    from ticketintel_pipelines.features import spark
    from ticketintel_pipelines.features.spark_session import session_at_hand, why_not

    if (reason := why_not()) is not None:
        raise UnavailableError(f"TICKETINTEL_ENGINE=spark, but {reason}")
    with (
        tempfile.TemporaryDirectory(prefix="ticketintel-spark-") as scratch,
        session_at_hand(Path(scratch), THREADS) as session,
    ):
        return spark.fold_all_on_spark(session, family.folds, tables, horizon, read_states)


def columns_by_table(family: Family) -> dict[str, set[str]]:
    """The whole-number columns that the family's folds look at, by table."""
    needed: dict[str, set[str]] = {family.asked_by: {SEEN}}
    for fold in family.folds:
        needed.setdefault(fold.of, {SEEN}).update({fold.by, *fold.values} - {EVERYTHING})
        asked = {fold.asked_key} | ({fold.asked_value} if fold.asked_value else set())
        needed[family.asked_by].update(asked - {EVERYTHING})
    return needed


def with_columns(table: pa.Table, columns: Mapping[str, Integers]) -> pa.Table:
    """A table with more columns."""
    for name, values in columns.items():
        table = table.append_column(name, nullable(values))
    return table


def with_centrality(lake: Lake, graph: Graph, asking: pa.Table, days: DayRange) -> pa.Table:
    """The asking rows with the centrality of their wallet as of the day before each."""
    from ticketintel_pipelines.features.graph import centrality

    names = (graph.giver, graph.receiver)
    moves = {
        day: rows_of(read_table(lake, graph.of, [day], {SEEN, *names}), names)
        for day in DayRange(days.first - timedelta(days=graph.days), days.last).days
    }
    keys = rows_of(asking, [graph.asked_key])
    scores = np.full(len(keys), np.nan)
    edges = edges_of_days(keys[SEEN], days)
    for day, (first, last) in zip(days.days, pairwise(edges), strict=True):
        before = [moves[day - timedelta(days=back)] for back in range(1, graph.days + 1)]
        if last == first:
            continue
        found = centrality(*(np.concatenate([rows[name] for rows in before]) for name in names))
        wallets = keys[graph.asked_key][first:last]
        places = np.minimum(np.searchsorted(found.key, wallets), max(len(found.key) - 1, 0))
        if len(found.key):
            scores[first:last] = np.where(found.key[places] == wallets, found.score[places], np.nan)
    return asking.append_column(f"{graph.name}_score", pa.array(scores, mask=np.isnan(scores)))


def formula(engine: duckdb.DuckDBPyConnection, family: Family, asked: pa.Table, joined: Mapping[str, pa.Table]) -> pa.Table:
    """The family's columns: one row for each asking one that the formula keeps, in their order."""
    relations = {"asked": asked, **joined}
    for name, table in relations.items():
        engine.register(name, table)
    found = fetch_table(engine, family.formula.read_text().rstrip().rstrip(";"))
    for name in relations:
        engine.unregister(name)
    return found.select([column.name for column in family.columns])


def by_day(table: pa.Table | None, days: DayRange) -> dict[date, pa.Table]:
    """Rows in order of `seen`, by the day of it; days without rows are left out."""
    if table is None:
        return {}
    edges = edges_of_days(table[SEEN].to_numpy(), days)
    cut = zip(days.days, pairwise(edges), strict=True)
    return {day: table.slice(first, last - first) for day, (first, last) in cut if last > first}


def edges_of_days(seen: Integers, days: DayRange) -> list[int]:
    """The places where the rows of each day begin, and where those of the last one end."""
    return [*np.searchsorted(seen, [start_of(day) for day in days.days]).tolist(), len(seen)]


def start_of(day: date) -> int:
    """Midnight in microseconds since 1970 UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000


def content_hash(table: pa.Table) -> str:
    """A hash of the rows in their order, the same however they were stored or cut."""
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        array = column.combine_chunks()
        digest.update(f"{name} {array.type} {len(array)}".encode())
        digest.update(array.is_valid().to_numpy(zero_copy_only=False).tobytes())
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            array = pc.fill_null(array.cast(pa.large_string()), "")
            digest.update(pc.binary_length(array).to_numpy().tobytes())
            digest.update("".join(array.to_pylist()).encode())
        else:
            digest.update(
                np.ascontiguousarray(pc.fill_null(array, _nothing(array.type)).to_numpy(zero_copy_only=False)).tobytes()
            )
    return digest.hexdigest()[:32]


def _nothing(kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(False) if pa.types.is_boolean(kind) else pa.scalar(0, pa.int64()).cast(kind)
