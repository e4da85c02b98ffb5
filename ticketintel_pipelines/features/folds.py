"""Folds: what is asked of the earlier rows of a key. Declared here as data, worked out by the compiled kernels.

A `Fold` lets each row of one table (it asks) learn something from the rows of a table (they are learned from) that have the
same key and were seen strictly before it. Its answers become columns of the asking table, so that a later fold or formula can
use them. The same kernels serve a whole history, one night on top of yesterday's states, and a single row.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ticketintel_pipelines.features.rows import MISSING, SEEN, Integers, Rows, grouping_of
from ticketintel_pipelines.features.states import ReadStates, States, no_states

MICROSECONDS = 1_000_000
HOUR = 3600 * MICROSECONDS
DAY = 24 * HOUR

ROWS_OF_A_SHARE = 100_000
"""Entries and questions together: what is brought together of so many stays in a processor's own memory."""
NOTHING = np.empty(0, np.int64)


class Aggregate(ABC):
    """What a fold keeps of a key's rows, and what it answers."""

    kernel: str
    """The function of `kernels` that does it, by name: declarations are read without compiling anything."""

    @abstractmethod
    def answers(self, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
        """The columns that a fold of this name over these values answers with."""

    @abstractmethod
    def room(self, held: Integers, new: Integers, values: int) -> Integers:
        """Words that the state of each key may take up, from the words it has and the entries that come."""

    @property
    def windows(self) -> Integers:
        return np.zeros(1, np.int64)


@dataclass(frozen=True)
class Trailing(Aggregate):
    """Number of entries and sums of their values in trailing windows: of a window w at time t, those with t - w < time < t.

    `spans` names the windows, lengths in microseconds. Answers `<fold>_<span>` and `<fold>_<span>_<value>`.

    Sums are exact. Refused with a ValueError are the entries of a key whose absolute values, those in its state and those that
    are learned at once, come to 2**63 together.
    """

    spans: Mapping[str, int]
    kernel = "fold_trailing"

    def answers(self, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}_{span}{value}" for span in self.spans for value in ("", *(f"_{value}" for value in values)))

    def room(self, held: Integers, new: Integers, values: int) -> Integers:
        return held + new * (1 + values)

    @property
    def windows(self) -> Integers:
        return np.array(list(self.spans.values()), np.int64)


@dataclass(frozen=True)
class Lifetime(Aggregate):
    """Number of entries so far, the first and the last one's time, sums of their values.

    Answers `<fold>_count`, `<fold>_first`, `<fold>_last` and `<fold>_<value>`. A sum that leaves 63 bits is refused with a
    ValueError.
    """

    kernel = "fold_lifetime"

    def answers(self, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}_{part}" for part in ("count", "first", "last", *values))

    def room(self, held: Integers, new: Integers, values: int) -> Integers:
        return np.full(len(held), 3 + values, np.int64)


@dataclass(frozen=True)
class Latest(Aggregate):
    """The newest entries. Answers `<fold>_<place>_seen` and `<fold>_<place>_<value>`, place 1 being the newest."""

    places: int = 1
    kernel = "fold_latest"

    def answers(self, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}_{place + 1}_{part}" for place in range(self.places) for part in (SEEN, *values))

    def room(self, held: Integers, new: Integers, values: int) -> Integers:
        return np.full(len(held), self.places * (1 + values), np.int64)

    @property
    def windows(self) -> Integers:
        return np.array([self.places], np.int64)


@dataclass(frozen=True)
class Distinct(Aggregate):
    """Number of different values so far, and whether the asking row's own value is new (1) or not (0).

    Answers `<fold>_distinct` and `<fold>_is_new`, which is null without `asked_value`. Meant for keys that meet some thousand
    values between two checkpoints at most: a new one is put into a sorted array.
    """

    kernel = "fold_distinct"

    def answers(self, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
        return f"{name}_distinct", f"{name}_is_new"

    def room(self, held: Integers, new: Integers, values: int) -> Integers:
        return held + new + 1


@dataclass(frozen=True)
class Median(Aggregate):
    """The running median, doubled so that it is a whole number. Answers `<fold>_median_doubled` and `<fold>_count`.

    A value of 2**62 or more, or of -2**62 or less, is refused with a ValueError.
    """

    kernel = "fold_median"

    def answers(self, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
        return f"{name}_median_doubled", f"{name}_count"

    def room(self, held: Integers, new: Integers, values: int) -> Integers:
        # Two heaps, each with room for half of the values and for the one that is on its way to the other heap.
        return 2 * ((held + new + 1) // 2 + 1)


@dataclass(frozen=True)
class Fold:
    """Rows of `asked_by` learn, by their column `asked_key`, from the rows of `of` with the same value in `by`.

    `values` are the columns of `of` that are aggregated; a row that lacks one is not learned. `asked_value` is the column of
    `asked_by` that a `Distinct` compares.

    Raises:
        ValueError: a `Distinct` or `Median` of other than one value, a `Trailing` without windows, or a name with a space.
    """

    name: str
    of: str
    by: str
    aggregate: Aggregate
    asked_by: str
    asked_key: str
    values: tuple[str, ...] = ()
    asked_value: str | None = None

    def __post_init__(self) -> None:
        if " " in self.name:
            raise ValueError(f"fold {self.name!r}: its name is part of names of columns and must have no space")
        if isinstance(self.aggregate, Distinct | Median) and len(self.values) != 1:
            raise ValueError(f"fold {self.name}: it takes exactly one value, not {len(self.values)}")
        if isinstance(self.aggregate, Trailing) and (not self.aggregate.spans or min(self.aggregate.spans.values()) <= 0):
            raise ValueError(f"fold {self.name}: it needs windows, each longer than nothing")

    @property
    def answers(self) -> tuple[str, ...]:
        return self.aggregate.answers(self.name, self.values)


@dataclass(frozen=True)
class Folded:
    """What a fold came to: its answers by column, one a row that asked, and the states of the keys that learned something."""

    answers: dict[str, Integers]
    states: States


def run_fold(
    fold: Fold,
    tables: Mapping[str, Rows],
    horizon: int,
    read_states: ReadStates = no_states,
    threads: int = 1,
) -> Folded:
    """Answer every asking row, and learn all entries.

    Args:
        tables: the rows by table. All entries are new: none of them is in the states yet.
        horizon: microseconds since 1970; no row that comes later is seen before it, so that states need not reach further back.

    Raises:
        ValueError: a value or a sum is too large for the aggregate.
    """
    from ticketintel_pipelines.features import kernels  # Brings the compiler, which takes long to import.

    entries, asking = tables[fold.of], tables[fold.asked_by]
    keys, entry_codes, asking_codes = _common_keys(fold, tables)
    entry_rows, entry_bounds = kernels.group_rows(entry_codes, len(keys))
    question_rows, question_bounds = (
        (entry_rows, entry_bounds) if asking_codes is entry_codes else kernels.group_rows(asking_codes, len(keys))
    )
    states = _states_met(fold, tables, keys, entry_codes, asking_codes, read_states)
    room = fold.aggregate.room(states.lengths, np.diff(entry_bounds), len(fold.values))
    new_bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(room)])
    new_words = np.empty(new_bounds[-1], np.int64)
    new_lengths = np.zeros(len(keys), np.int64)
    kernel, windows = getattr(kernels, fold.aggregate.kernel), fold.aggregate.windows
    entry_seen, question_seen, values = entries[SEEN], asking[SEEN], [entries[name] for name in fold.values]
    own = asking[fold.asked_value] if fold.asked_value else None
    answers = {name: np.empty(len(asking), np.int64) for name in fold.answers}
    if len(question_rows) < len(asking):
        for column in answers.values():
            column.fill(MISSING)

    def work_out(first: int, last: int) -> None:
        """Some of the keys. What is far apart in the columns is brought together first, where nothing waits for it."""
        of_entries = entry_rows[entry_bounds[first] : entry_bounds[last]]
        of_questions = question_rows[question_bounds[first] : question_bounds[last]]
        times = kernels.taken(entry_seen, of_entries)
        learned = np.empty((len(values), len(of_entries)), np.int64)
        for place, column in enumerate(values):
            learned[place] = kernels.taken(column, of_entries)
        told = np.empty((len(answers), len(of_questions)), np.int64)
        kernel(
            0, last - first, entry_bounds[first : last + 1] - entry_bounds[first], times, learned,
            question_bounds[first : last + 1] - question_bounds[first],
            times if question_rows is entry_rows else kernels.taken(question_seen, of_questions),
            NOTHING if own is None else kernels.taken(own, of_questions),
            states.starts[first:last], states.lengths[first:last], states.words,
            new_bounds[first : last + 1], new_words, new_lengths[first:last], told, windows, horizon,
        )  # fmt: skip
        for column, of_column in zip(answers.values(), told, strict=True):
            kernels.place(of_column, of_questions, column)

    _on_threads(work_out, entry_bounds + question_bounds, threads)
    learned = np.flatnonzero(np.diff(entry_bounds))
    return Folded(answers, States(keys[learned], new_bounds[learned], new_lengths[learned], new_words))


def states_before(fold: Fold, tables: Mapping[str, Rows], read_states: ReadStates) -> States:
    """The states that a fold over these rows begins with, of all its keys."""
    return _states_met(fold, tables, *_common_keys(fold, tables), read_states)


def stored_states(folds: Iterable[Fold], states: Mapping[str, States]) -> dict[str, States]:
    """What is stored of the states of some folds, by the names under which it is looked for."""
    from ticketintel_pipelines.features.distinct import stored

    kept: dict[str, States] = {}
    for fold in folds:
        if fold.name in states:
            of_fold = states[fold.name]
            kept |= stored(fold.name, of_fold) if isinstance(fold.aggregate, Distinct) else {fold.name: of_fold}
    return kept


def _states_met(
    fold: Fold,
    tables: Mapping[str, Rows],
    keys: Integers,
    entry_codes: Integers,
    asking_codes: Integers,
    read_states: ReadStates,
) -> States:
    states = read_states(fold.name, keys)
    if not isinstance(fold.aggregate, Distinct):
        return states
    from ticketintel_pipelines.features.distinct import with_listed

    met = [(entry_codes, tables[fold.of][fold.values[0]])]
    if fold.asked_value and (asking_codes is not entry_codes or fold.asked_value != fold.values[0]):
        met.append((asking_codes, tables[fold.asked_by][fold.asked_value]))
    return with_listed(fold.name, states, met, read_states)


def _common_keys(fold: Fold, tables: Mapping[str, Rows]) -> tuple[Integers, Integers, Integers]:
    """The keys of entries and questions, and the codes of either among them."""
    entries, asking = tables[fold.of].grouped_by(fold.by), tables[fold.asked_by].grouped_by(fold.asked_key)
    if (fold.of, fold.by) == (fold.asked_by, fold.asked_key):
        return entries.keys, entries.codes, entries.codes
    both = grouping_of(np.concatenate([entries.keys, asking.keys]))
    more = both.codes[len(entries.keys) :]
    # The codes of the entries' own keys stay: they come first.
    asking_codes = np.append(more, -1)[asking.codes]
    return both.keys, entries.codes, asking_codes


def _on_threads(work_out: Callable[[int, int], None], work: Integers, threads: int) -> None:
    """Work out all keys, in shares of about equal work; `work` grows from key to key."""
    keys = len(work) - 1
    shares = max(1, int(work[-1]) // ROWS_OF_A_SHARE)
    cuts = np.searchsorted(work, np.linspace(0, work[-1], shares + 1)[1:-1])
    edges = [0, *(int(cut) for cut in np.unique(cuts) if 0 < cut < keys), keys]
    if threads == 1 or len(edges) == 2:
        for first, last in pairwise(edges):
            work_out(first, last)
        return
    with ThreadPoolExecutor(threads) as pool:
        runs = [pool.submit(work_out, first, last) for first, last in pairwise(edges)]
    for run in runs:
        run.result()
