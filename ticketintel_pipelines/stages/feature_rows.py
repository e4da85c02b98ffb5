"""The rows of one piece of days of a feature family: read from the lake, answered by folds or the graph, made into features."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines.features.families import Family, Graph
from ticketintel_pipelines.features.folds import run_fold
from ticketintel_pipelines.features.rows import EVERYTHING, SEEN, Integers, Rows, nullable
from ticketintel_pipelines.features.states import ReadStates, States
from ticketintel_pipelines.lake.engine import fetch_table
from ticketintel_pipelines.lake.layout import DayRange, Lake

FEATURE_STAGE = "feature"
THREADS = 2
THREADS_FROM_BYTES = 1 << 20


def read_table(lake: Lake, name: str, days: Iterable[date], columns: Iterable[str] | None = None) -> pa.Table | None:
    """The rows of some days of a table of the stage, in order; None where no day has any."""
    parts = lake.parts(FEATURE_STAGE, name, days)
    names = None if columns is None else list(columns)
    tables = [_read(part, names) for part in parts]
    return pa.concat_tables(tables) if tables else None


def _read(part: Path, names: list[str] | None) -> pa.Table:
    # Most files of a long backfill are small: threads and reading ahead take longer than reading them.
    return pq.ParquetFile(part, pre_buffer=False).read(names, use_threads=part.stat().st_size > THREADS_FROM_BYTES)


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
        read_moves = partial(moves_of, lake, family.graph)
        return Answered(None if asking is None else with_centrality(family.graph, asking, days, read_moves), {})
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


def moves_of(lake: Lake, graph: Graph, days: DayRange) -> Rows:
    """The transfers of a graph on some days."""
    names = (graph.giver, graph.receiver)
    return rows_of(read_table(lake, graph.of, days.days, {SEEN, *names}), names)


def with_centrality(graph: Graph, asking: pa.Table, days: DayRange, read_moves: Callable[[DayRange], Rows]) -> pa.Table:
    """The asking rows with the centrality of their wallet as of the day before each."""
    from ticketintel_pipelines.features.graph import centrality

    keys = rows_of(asking, [graph.asked_key])
    scores = np.full(len(keys), np.nan)
    edges = edges_of_days(keys[SEEN], days)
    asked = {day: slice(*edge) for day, edge in zip(days.days, pairwise(edges), strict=True) if edge[0] < edge[1]}
    if asked:
        reach = DayRange(min(asked) - timedelta(days=graph.days), max(asked) - timedelta(days=1))
        moves = read_moves(reach)
        begins = dict(zip((*reach.days, max(asked)), edges_of_days(moves[SEEN], reach), strict=True))
    for day, rows in asked.items():
        window = slice(begins[day - timedelta(days=graph.days)], begins[day])
        found = centrality(moves[graph.giver][window], moves[graph.receiver][window])
        scores[rows] = found.scores_of(keys[graph.asked_key][rows])
    return asking.append_column(graph.score, pa.array(scores, mask=np.isnan(scores)))


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


def hashes_by_day(table: pa.Table | None, days: DayRange) -> dict[date, str]:
    """The content hash of each day's rows; days without rows are left out."""
    if table is None:
        return {}
    edges = edges_of_days(table[SEEN].to_numpy(), days)
    cut = zip(days.days, content_hashes(table, edges), pairwise(edges), strict=True)
    return {day: content for day, content, (first, last) in cut if last > first}


def edges_of_days(seen: Integers, days: DayRange) -> list[int]:
    """The places where the rows of each day begin, and where those of the last one end."""
    return [*np.searchsorted(seen, [start_of(day) for day in days.days]).tolist(), len(seen)]


def start_of(day: date) -> int:
    """Midnight in microseconds since 1970 UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000


def content_hash(table: pa.Table) -> str:
    """A hash of the rows in their order, the same however they were stored or cut."""
    (found,) = content_hashes(table, [0, len(table)])
    return found


def content_hashes(table: pa.Table, edges: Sequence[int]) -> list[str]:
    """The hash of the rows between each two neighbouring edges, as if they were a table by themselves."""
    digests = [hashlib.sha256() for _ in edges[1:]]
    for name, column in zip(table.column_names, table.columns, strict=True):
        array = column.combine_chunks()
        text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
        there = array.is_valid().to_numpy(zero_copy_only=False)
        if text:
            whole = pc.fill_null(array.cast(pa.large_string()), "")
            lengths = pc.binary_length(whole).to_numpy()
            begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            letters = "".join(whole.to_pylist()).encode()
        else:
            values = np.ascontiguousarray(pc.fill_null(array, _nothing(array.type)).to_numpy(zero_copy_only=False))
        for digest, (first, last) in zip(digests, pairwise(edges), strict=True):
            digest.update(f"{name} {array.type} {last - first}".encode())
            digest.update(there[first:last].tobytes())
            if text:
                digest.update(lengths[first:last].tobytes())
                digest.update(letters[begins[first] : begins[last]])
            else:
                digest.update(values[first:last].tobytes())
    return [digest.hexdigest()[:32] for digest in digests]


def _nothing(kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(False) if pa.types.is_boolean(kind) else pa.scalar(0, pa.int64()).cast(kind)
