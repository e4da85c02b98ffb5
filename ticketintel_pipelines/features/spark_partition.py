"""One partition of a shuffle on its executor: rows in order of key and time become answers and states. Knows Arrow, not Spark.

What is held at once is a chunk of about `CHUNK_ROWS` rows, more only where one key has more of them at one instant, and the
states of the keys in it. A key whose rows reach past a chunk goes on from its state, as it does from night to night.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.features import kernels
from ticketintel_pipelines.features.folds import Fold
from ticketintel_pipelines.features.rows import MISSING, SEEN, Integers, nullable

ROW = "row"
"""The column that numbers the rows of a table: unique, ascending in the order of the rows, not necessarily without gaps."""
CHUNK_ROWS = 200_000

NOTHING = np.empty(0, np.int64)
STATE, ENTRY, QUESTION = 0, 1, 2
"""Sides of a row in the shuffle; one that is learned and asks as well is both. A state's `row` is the place of its fold."""


def named(side: int, column: str) -> str:
    """The name in the shuffle of a column of the entries, or of the questions."""
    return f"{'entry' if side == ENTRY else 'own'}_{column}"


def fold_batches(folds: Sequence[Fold], horizon: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Answers by `row`, and states by `fold` and `key`, of a partition.

    Args:
        folds: with the same keys.
        horizon: microseconds since 1970; the states need not reach further back than what is seen from it.
        batches: `key`, `seen`, `row`, `side`, the columns as `named`, and `words` if there are states; in the
            order of the first three.

    Raises:
        ValueError: a row has no time, or a value is too large for its aggregate.
    """
    carried: list[_Carried | None] = [None] * len(folds)
    pending: list[pa.RecordBatch] = []
    count, enough = 0, CHUNK_ROWS
    for batch in batches:
        pending.append(batch)
        count += len(batch)
        if count >= enough:
            table = pa.Table.from_batches(pending)
            # Peers at one instant stay together: those that come with the next batch must not see the others.
            cut = _last_instant(integers_of(table["key"]), integers_of(table[SEEN]))
            if cut:
                yield from _fold_chunk(folds, horizon, table.slice(0, cut), table.slice(cut, 1), carried)
            pending = table.slice(cut).to_batches()
            count -= cut
            enough = max(CHUNK_ROWS, 2 * count)
    if count:
        yield from _fold_chunk(folds, horizon, pa.Table.from_batches(pending), None, carried)


def _last_instant(keys: Integers, seen: Integers) -> int:
    """The place where the rows of the last key's last instant begin."""
    changes = np.flatnonzero((keys[1:] != keys[:-1]) | (seen[1:] != seen[:-1]))
    return int(changes[-1]) + 1 if changes.size else 0


@dataclass(frozen=True)
class _Carried:
    """The state of a key that goes on in the next chunk, and whether it learned anything so far."""

    words: Integers
    learned: bool


@dataclass(frozen=True)
class _Chunk:
    """Rows of whole keys, but for the last one if it `goes_on`: then its next row is seen at `next_seen`."""

    table: pa.Table
    keys: Integers
    edges: Integers
    seen: Integers
    entries: Integers
    questions: Integers
    states: Integers
    goes_on: bool
    next_seen: int


def _fold_chunk(
    folds: Sequence[Fold], horizon: int, table: pa.Table, following: pa.Table | None, carried: list[_Carried | None]
) -> Iterator[pa.RecordBatch]:
    """Answers and finished states of a chunk. `following` is the row after it; `carried`, by fold, is brought up to date."""
    key, seen, side = (integers_of(table[name]) for name in ("key", SEEN, "side"))
    if (seen[side != STATE] == MISSING).any():
        raise ValueError("rows must have the instant at which they were seen")
    edges = np.concatenate([[0], np.flatnonzero(key[1:] != key[:-1]) + 1, [len(key)]])
    goes_on = following is not None and following["key"][0].as_py() == key[-1]
    next_seen = following[SEEN][0].as_py() if following is not None and goes_on else horizon
    entries, questions = (np.flatnonzero(side & kind) for kind in (ENTRY, QUESTION))
    chunk = _Chunk(
        table, key[edges[:-1]], edges, seen, entries, questions, np.flatnonzero(side == STATE), goes_on, min(horizon, next_seen)
    )
    answers = {ROW: nullable(integers_of(table[ROW])[questions])}
    states = []
    for place, fold in enumerate(folds):
        told, learned, carried[place] = _run(fold, place, chunk, horizon, carried[place])
        answers |= {name: nullable(values) for name, values in told.items()}
        states.append(learned)
    yield from pa.concat_tables([pa.table(answers), *states], promote_options="default").combine_chunks().to_batches()


def _run(
    fold: Fold, place: int, chunk: _Chunk, horizon: int, carried: _Carried | None
) -> tuple[dict[str, Integers], pa.Table, _Carried | None]:
    """One fold over a chunk: answers by name, one a question, the states of finished keys, and what is carried over."""
    keys = len(chunk.keys)
    entry_bounds = np.searchsorted(chunk.entries, chunk.edges)
    values = np.empty((len(fold.values), len(chunk.entries)), np.int64)
    for number, name in enumerate(fold.values):
        values[number] = integers_of(chunk.table[named(ENTRY, name)])[chunk.entries]
    own = integers_of(chunk.table[named(QUESTION, fold.asked_value)])[chunk.questions] if fold.asked_value else NOTHING
    held_bounds, held = _held(place, chunk, carried)
    held_lengths = np.diff(held_bounds)
    room = fold.aggregate.room(held_lengths, np.diff(entry_bounds), len(values))
    bounds = _bounds(room)
    words, lengths = np.empty(bounds[-1], np.int64), np.zeros(keys, np.int64)
    answers = np.full((len(fold.answers), len(chunk.questions)), MISSING, np.int64)
    arguments = (
        entry_bounds, chunk.seen[chunk.entries], values,
        np.searchsorted(chunk.questions, chunk.edges), chunk.seen[chunk.questions], own,
        held_bounds[:-1], held_lengths, held, bounds, words, lengths, answers, fold.aggregate.windows,
    )  # fmt: skip
    kernel: Callable[..., None] = getattr(kernels, fold.aggregate.kernel)
    finished = keys - chunk.goes_on
    kernel(0, finished, *arguments, horizon)
    # The state of a key that goes on has to reach back from its next row, which may be long before the horizon.
    kernel(finished, keys, *arguments, chunk.next_seen)
    learned = np.diff(entry_bounds) > 0
    if carried is not None:
        learned[0] |= carried.learned
    # A key that learned nothing keeps its words, even those out of reach, as it does on one machine.
    new: tuple[Integers, Integers, Integers] = (bounds, words, lengths)
    old: tuple[Integers, Integers, Integers] = (held_bounds, held, held_lengths)
    states = []
    for source, chosen in ((new, learned), (old, ~learned)):
        places = np.flatnonzero(chosen[:finished])
        states.append(_states(fold.name, chunk.keys[places], *_gather(*source, places)))
    carry = None
    if chunk.goes_on:
        last = _gather(*(new if learned[-1] else old), np.array([finished]))[1]
        carry = _Carried(last, bool(learned[-1]))
    return dict(zip(fold.answers, answers, strict=True)), pa.concat_tables(states), carry


def _held(place: int, chunk: _Chunk, carried: _Carried | None) -> tuple[Integers, Integers]:
    """Where the states of a chunk's keys begin, and their words, for the fold at a place."""
    lengths, words = np.zeros(len(chunk.keys), np.int64), np.empty(0, np.int64)
    if chunk.states.size:
        table = chunk.table.take(pa.array(chunk.states))
        own = integers_of(table[ROW]) == place
        lists = table["words"].filter(pa.array(own))
        lengths[np.searchsorted(chunk.edges, chunk.states[own], "right") - 1] = pc.list_value_length(lists).to_numpy()
        words = integers_of(pc.list_flatten(lists))
    if carried is not None:
        lengths[0] = len(carried.words)
        words = np.concatenate([carried.words, words])
    return _bounds(lengths), words


def _states(fold: str, keys: Integers, bounds: Integers, words: Integers) -> pa.Table:
    """States as they are handed on; empty ones are left out."""
    some = np.diff(bounds) > 0
    lists = pa.ListArray.from_arrays(np.append(bounds[:-1][some], bounds[-1]).astype(np.int32), words)
    names = pa.array(np.full(len(lists), fold, object), pa.string())
    return pa.table({"fold": names, "key": pa.array(keys[some], pa.int64()), "words": lists})


def _gather(bounds: Integers, words: Integers, lengths: Integers, places: Integers) -> tuple[Integers, Integers]:
    found: tuple[Integers, Integers] = kernels.gather(bounds, words, lengths, places)
    return found


def _bounds(lengths: Integers) -> Integers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def integers_of(column: pa.ChunkedArray) -> Integers:
    """Whole numbers, nulls as `MISSING`, in an array of their own: kernels are compiled for arrays that may be written to."""
    whole = column.cast(pa.int64())
    return np.array(pc.fill_null(whole, int(MISSING)) if whole.null_count else whole, np.int64)
