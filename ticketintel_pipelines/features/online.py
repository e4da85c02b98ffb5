"""One row at a time: the families' folds and formulas answered from states, as a service that scores a transaction needs them.

The definitions, the kernels and the SQL are those of the nightly batch, and so are the answers, provided that rows are seen in
order of time.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from ticketintel_pipelines.features import kernels
from ticketintel_pipelines.features.distinct import with_listed
from ticketintel_pipelines.features.families import Family, Graph
from ticketintel_pipelines.features.folds import Distinct, Fold
from ticketintel_pipelines.features.online_graph import OnlineGraph
from ticketintel_pipelines.features.rows import EVERYTHING, MISSING, SEEN, Integers, Rows
from ticketintel_pipelines.features.states import ReadStates, States

Row = dict[str, Any]
"""A row by column: whole numbers, texts, scores of a graph, None."""

ONE_ROW = np.array([0, 1])


@dataclass
class _Key:
    """One key of one fold: its state, and entries that no question was late enough to see yet."""

    words: Integers
    waiting: list[tuple[int, ...]] = field(default_factory=list)
    looked_up: set[int] = field(default_factory=set)
    """Values of a `Distinct` that are listed among the words if they belong there."""


class OnlineFold:
    """A fold over single rows. States are read when a key is first met, and kept."""

    def __init__(self, fold: Fold, read_states: ReadStates) -> None:
        self.fold = fold
        self._read = read_states
        self._kernel = getattr(kernels, fold.aggregate.kernel)
        self._windows = fold.aggregate.windows
        self._answers = fold.answers
        self._keys: dict[int, _Key] = {}

    def learn(self, row: Mapping[str, Any]) -> None:
        """A row of the table learned from was seen."""
        key = 0 if self.fold.by == EVERYTHING else row[self.fold.by]
        entry = tuple(row[name] for name in (SEEN, *self.fold.values))
        if key is not None and None not in entry:
            self._key(key).waiting.append(entry)

    def ask(self, row: Mapping[str, Any]) -> Row:
        """What a row of the asking table is answered; nothing of it is learned."""
        key = 0 if self.fold.asked_key == EVERYTHING else row[self.fold.asked_key]
        if key is None:
            return dict.fromkeys(self._answers)
        held, now = self._key(key), row[SEEN]
        seen = [entry for entry in held.waiting if entry[0] < now]
        if seen:
            held.waiting = [entry for entry in held.waiting if entry[0] >= now]
        entries = np.array(seen, np.int64).reshape(len(seen), 1 + len(self.fold.values)).T
        own = row[self.fold.asked_value] if self.fold.asked_value else None
        if isinstance(self.fold.aggregate, Distinct):
            self._look_up(key, held, {value for _, value in seen}.union([] if own is None else [own]))
        room = self.fold.aggregate.room(np.array([len(held.words)]), np.array([len(seen)]), len(self.fold.values))
        words, lengths = np.empty(room[0], np.int64), np.zeros(1, np.int64)
        answers = np.full((len(self._answers), 1), MISSING)
        self._kernel(
            0, 1, np.array([0, len(seen)]), np.ascontiguousarray(entries[0]), np.ascontiguousarray(entries[1:]),
            ONE_ROW, np.array([now]), np.array([MISSING if own is None else own]),
            ONE_ROW[:1], np.array([len(held.words)]), held.words,
            np.array([0, room[0]]), words, lengths, answers, self._windows, now,
        )  # fmt: skip
        held.words = words[: lengths[0]].copy()
        told = answers[:, 0].tolist()
        return {name: None if value == MISSING else value for name, value in zip(self._answers, told, strict=True)}

    def _look_up(self, key: int, held: _Key, values: set[int]) -> None:
        """Have those of some values listed that the key had at the checkpoint."""
        wanted = np.array(sorted(values - held.looked_up), np.int64)
        if len(wanted):
            states = States.in_a_row(np.array([key]), np.array([len(held.words)]), held.words)
            met = [(np.zeros(len(wanted), np.int64), wanted)]
            held.words = with_listed(self.fold.name, states, met, self._read).of_place(0)
            held.looked_up |= values

    def _key(self, key: int) -> _Key:
        if key not in self._keys:
            states = self._read(self.fold.name, np.array([key], np.int64))
            self._keys[key] = _Key(states.of_place(0).copy())
        return self._keys[key]


class OnlineFeatures:
    """The features of single transactions from the states of yesterday, and from what was seen since.

    Args:
        families: in the order in which the batch works them out.
        read: the states of a family at the last checkpoint.
        read_moves: the transfers of a graph up to the same day, of as many days as it looks back.
    """

    def __init__(
        self, families: Sequence[Family], read: Callable[[Family], ReadStates], read_moves: Callable[[Graph], Rows]
    ) -> None:
        self.families = list(families)
        self._answering: dict[str, list[OnlineFold | OnlineGraph]] = {}
        self._learning: dict[str, list[OnlineFold | OnlineGraph]] = defaultdict(list)
        for family in families:
            states = read(family)
            folds = [OnlineFold(fold, states) for fold in family.folds]
            self._answering[family.name] = [*folds]
            for fold in folds:
                self._learning[fold.fold.of].append(fold)
            if family.graph is not None:
                graph = OnlineGraph(family.graph, read_moves(family.graph))
                self._answering[family.name].append(graph)
                self._learning[family.graph.of].append(graph)
        self._engine = duckdb.connect()
        self._engine.execute("SET TimeZone = 'UTC'")
        # A single row gives other threads nothing to do but to be woken.
        self._engine.execute("SET threads = 1")
        self._columns: dict[str, list[str]] = {}

    def answers_for(self, table: str, row: Row) -> dict[str, Row]:
        """By family that the table asks: the row with the answers of its folds or graph. Nothing is learned."""
        told = {}
        for family in self.families:
            if family.asked_by == table:
                asked = dict(row)
                for answering in self._answering[family.name]:
                    asked |= answering.ask(row)
                told[family.name] = asked
        return told

    def features_for(self, table: str, row: Row) -> Row:
        """All features of one row that has not been seen yet, by name."""
        found: Row = {}
        for name, asked in self.answers_for(table, row).items():
            family = self._family(name)
            made = self._formula(family, asked) or {}
            found |= {column.name: made.get(column.name) for column in family.features}
        return found

    def see(self, table: str, row: Row) -> dict[str, Row]:
        """A row of a table became known; rows come in order of `seen`. Returns what its families were answered before."""
        told = self.answers_for(table, row)
        for name, asked in told.items():
            if self._learning[name] and (made := self._formula(self._family(name), asked)) is not None:
                self.see(name, made)
        for learning in self._learning[table]:
            learning.learn(row)
        return told

    def _family(self, name: str) -> Family:
        return next(family for family in self.families if family.name == name)

    def _formula(self, family: Family, asked: Row) -> Row | None:
        """The family's formula over one row; None where it leaves the row out."""
        if family.name not in self._columns:
            text = family.formula.read_text().rstrip().rstrip(";")
            # Each column costs some time for every row: only those that the formula names are handed over.
            words = set(re.findall(r"\w+", text))
            names = [name for name in asked if name in words]
            scores = {family.graph.score} if family.graph else set()
            kinds = {name: "DOUBLE" if name in scores else _kind(asked[name]) for name in names}
            columns = ", ".join(f'CAST(${place} AS {kinds[name]}) AS "{name}"' for place, name in enumerate(names, 1))
            self._engine.execute(f"PREPARE {family.name} AS WITH asked AS (SELECT {columns}) SELECT * FROM ({text}\n)")
            self._columns[family.name] = names
        values = ", ".join(_literal(asked[name]) for name in self._columns[family.name])
        result = self._engine.execute(f"EXECUTE {family.name}({values})")
        made = [column[0] for column in result.description]
        row = result.fetchone()
        return None if row is None else dict(zip(made, row, strict=True))


def _kind(value: int | str | None) -> str:
    return "VARCHAR" if isinstance(value, str) else "BIGINT"


def _literal(value: int | float | str | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float):
        # With an exponent it is read as a double; without one it would be a decimal that is rounded once more.
        return f"{value:.17e}"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
