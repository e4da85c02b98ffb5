"""Folds against a plain reference, for random worlds full of ties: answers, pieces of history, and what must not matter."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.features import folds as folds_module
from ticketintel_pipelines.features import kernels
from ticketintel_pipelines.features.carried import CarriedStates
from ticketintel_pipelines.features.folds import (
    Aggregate,
    Distinct,
    Fold,
    Folded,
    Latest,
    Lifetime,
    Median,
    Trailing,
    run_fold,
    stored_states,
)
from ticketintel_pipelines.features.rows import EVERYTHING, MISSING, SEEN, Integers, Rows, nullable
from ticketintel_pipelines_tests.features_reference import answers_of
from ticketintel_pipelines_tests.kept_states import Kept

Row = dict[str, int | None]
World = dict[str, list[Row]]

HOT = 2**63 - 25
SPANS = {"short": 2, "middle": 5, "long": 40}
AGGREGATES: tuple[tuple[Aggregate, tuple[str, ...]], ...] = (
    (Trailing(SPANS), ()),
    (Trailing(SPANS), ("amount", "fee")),
    (Lifetime(), ("amount",)),
    (Latest(), ("amount",)),
    (Latest(3), ("amount", "fee")),
    (Distinct(), ("kind",)),
    (Median(), ("amount",)),
)
ASKING = (("facts", "key"), ("facts", "other"), ("asks", "who"))
FOLDS = tuple(
    Fold(f"f{place}{number}", "facts", "key", aggregate, table, key, values, "own" if isinstance(aggregate, Distinct) else None)
    for place, (table, key) in enumerate(ASKING)
    for number, (aggregate, values) in enumerate(AGGREGATES)
) + tuple(
    Fold(f"all{number}", "facts", EVERYTHING, aggregate, "asks", EVERYTHING, values, "own" if values == ("kind",) else None)
    for number, (aggregate, values) in enumerate(AGGREGATES)
)
END = 2000

# Few instants, at distances that are also lengths of windows, and gaps.
instants = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 9, 40, 41, 45, 1000, 1001])
keys = st.sampled_from([HOT, HOT, HOT, HOT, 0, 1, -5, None])
amounts = st.sampled_from([0, 1, 1, 2, 3, 50, -7, 2**40, None])
kinds = st.sampled_from([0, 1, 2, 3, -1, None])


def in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row[SEEN])


facts = st.lists(
    st.fixed_dictionaries(
        {SEEN: instants, "key": keys, "other": keys, "amount": amounts, "fee": amounts, "kind": kinds, "own": kinds}
    ),
    max_size=40,
).map(in_order)
asks = st.lists(st.fixed_dictionaries({SEEN: instants, "who": keys, "own": kinds}), max_size=20).map(in_order)
worlds = st.fixed_dictionaries({"facts": facts, "asks": asks})
COLUMNS = {"facts": (SEEN, "key", "other", "amount", "fee", "kind", "own"), "asks": (SEEN, "who", "own")}


def as_rows(world: Mapping[str, Sequence[Row]]) -> dict[str, Rows]:
    return {
        table: Rows(
            {name: np.array([MISSING if row[name] is None else row[name] for row in rows], np.int64) for name in COLUMNS[table]}
        )
        for table, rows in world.items()
    }


def told(folded: Folded) -> list[Row]:
    """The answers row by row, null as None."""
    rows = zip(*(column.tolist() for column in folded.answers.values()), strict=True)
    return [{name: None if cell == MISSING else cell for name, cell in zip(folded.answers, row, strict=True)} for row in rows]


def run_all(world: World, threads: int = 1) -> dict[str, Folded]:
    tables = as_rows(world)
    return {fold.name: run_fold(fold, tables, END, threads=threads) for fold in FOLDS}


@pytest.fixture(scope="module", autouse=True)
def _few_rows_are_worth_a_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds_module, "ROWS_OF_A_SHARE", 3)
        yield


@pytest.mark.parametrize("threads", [1, 2])
@given(world=worlds)
@settings(max_examples=80, deadline=None)
def test_answers_are_those_of_the_reference(threads: int, world: World) -> None:
    folded = run_all(world, threads)
    for fold in FOLDS:
        assert told(folded[fold.name]) == answers_of(fold, world), fold


@given(world=worlds, cuts=st.sets(instants, max_size=4), pruned=st.booleans())
@settings(max_examples=80, deadline=None)
def test_history_in_pieces_is_answered_as_in_one_go(world: World, cuts: set[int], pruned: bool) -> None:
    whole = run_all(world)
    kept = Kept()
    pieces: dict[str, list[Folded]] = {fold.name: [] for fold in FOLDS}
    for since, until in pairwise([0, *sorted(cuts), END]):
        rows_of = {table: [row for row in rows if since <= row[SEEN] < until] for table, rows in world.items()}
        piece = as_rows(rows_of)
        for fold in FOLDS:
            folded = run_fold(fold, piece, until if pruned else 0, kept.read)
            kept.write(fold.name, folded.states)
            # A night writes the states of the keys that it touched and of no others.
            touched = {0 if fold.by == EVERYTHING else row[fold.by] for row in rows_of["facts"]} - {None}
            assert set(folded.states.keys.tolist()) == touched
            pieces[fold.name].append(folded)
    for fold in FOLDS:
        assert [row for folded in pieces[fold.name] for row in told(folded)] == told(whole[fold.name]), fold
        if not isinstance(fold.aggregate, Trailing):
            # A window's state reaches back from the last night on which its key learned something.
            at_once = Kept()
            at_once.write(fold.name, whole[fold.name].states)
            assert kept.words(fold.name) == at_once.words(fold.name), fold


@given(world=worlds, cuts=st.sets(instants, max_size=5), commits=st.lists(st.booleans(), min_size=6, max_size=6))
@settings(max_examples=80, deadline=None)
def test_states_that_were_stored_answer_as_those_in_memory(world: World, cuts: set[int], commits: list[bool]) -> None:
    whole = run_all(world)
    on_disk = Kept()
    carried = CarriedStates(on_disk.read)
    pieces: dict[str, list[Row]] = {fold.name: [] for fold in FOLDS}
    for (since, until), commit in zip(pairwise([0, *sorted(cuts), END]), commits, strict=False):
        piece = as_rows({table: [row for row in rows if since <= row[SEEN] < until] for table, rows in world.items()})
        for fold in FOLDS:
            folded = run_fold(fold, piece, until, carried.read)
            carried.keep(fold.name, folded.states)
            pieces[fold.name] += told(folded)
        if commit:
            for name, states in stored_states(FOLDS, carried.states()).items():
                on_disk.write(name, states)
            carried = CarriedStates(on_disk.read)
    for fold in FOLDS:
        assert pieces[fold.name] == told(whole[fold.name]), fold


@given(world=worlds)
@settings(max_examples=60, deadline=None)
def test_a_window_keeps_what_is_in_reach_of_the_horizon_and_no_more(world: World) -> None:
    tables = as_rows(world)
    for fold in FOLDS:
        if isinstance(fold.aggregate, Trailing):
            for horizon in (END, 46, 45):
                kept = Kept()
                kept.write(fold.name, run_fold(fold, tables, horizon).states)
                width = 1 + len(fold.values)
                for words in kept.words(fold.name).values():
                    assert len(words) % width == 0
                    assert all(time > horizon - max(SPANS.values()) for time in words[::width])


@given(world=worlds, instead=worlds, instant=instants, data=st.data())
@settings(max_examples=80, deadline=None)
def test_no_answer_depends_on_what_is_seen_at_its_instant_or_later(
    world: World, instead: World, instant: int, data: st.DataObject
) -> None:
    """Rows from `instant` on are changed, deleted and added; of those at it, the ones that still ask, ask the same."""
    before, after = {}, {}
    asked_before: dict[str, list[int]] = {}
    asked_after: dict[str, list[int]] = {}
    for table, rows in world.items():
        numbered = [(number, row) for number, row in enumerate(rows)]
        poisoned = [(number, row) for number, row in numbered if row[SEEN] < instant]
        changed = [(number, {**row, "amount": 9, "fee": -9, "kind": 9}) for number, row in numbered if row[SEEN] == instant]
        added = [(-1, row) for row in instead[table] if row[SEEN] >= instant]
        some = data.draw(st.lists(st.sampled_from(changed), unique_by=lambda entry: entry[0])) if changed else []
        poisoned += sorted(data.draw(st.permutations([*some, *added])), key=lambda entry: entry[1][SEEN])
        before[table], after[table] = rows, [row for _, row in poisoned]
        places = {number: place for place, (number, _) in enumerate(poisoned) if number >= 0}
        asked_before[table], asked_after[table] = list(places), list(places.values())
    whole, poisoned_answers = run_all(before), run_all(after)
    for fold in FOLDS:
        for name in fold.answers:
            one = whole[fold.name].answers[name][asked_before[fold.asked_by]]
            other = poisoned_answers[fold.name].answers[name][asked_after[fold.asked_by]]
            assert one.tobytes() == other.tobytes(), name


@given(world=worlds, ranks=st.permutations([HOT, 0, 1, -5, None]))
@settings(max_examples=60, deadline=None)
def test_order_and_names_of_keys_do_not_matter(world: World, ranks: list[int | None]) -> None:
    """Peers of different keys change places, and keys their names; rows of one key stay in their order."""
    renamed = dict(zip(ranks[::-1], [3, 2**62, -(2**62), 17, 4], strict=True)) | {None: None}
    shuffled, places = {}, {}
    for table, key in (("facts", "key"), ("asks", "who")):
        rows = world[table]
        order = sorted(range(len(rows)), key=lambda row: (rows[row][SEEN], ranks.index(rows[row][key])))
        places[table] = np.argsort(np.array(order, np.int64))
        names = [name for name in ("key", "other", "who") if name in COLUMNS[table]]
        shuffled[table] = [rows[row] | {name: renamed[rows[row][name]] for name in names} for row in order]
    one, other = run_all(world), run_all(shuffled)
    for fold in FOLDS:
        if fold.by != EVERYTHING:
            for name in fold.answers:
                again = other[fold.name].answers[name][places[fold.asked_by]]
                assert one[fold.name].answers[name].tobytes() == again.tobytes(), name


@given(world=worlds)
@settings(max_examples=60, deadline=None)
def test_rows_of_other_keys_do_not_matter(world: World) -> None:
    one = run_all(world)
    kept = {"facts": [row for row in world["facts"] if row["key"] == HOT], "asks": world["asks"]}
    other = run_all(kept)
    for fold in FOLDS:
        if fold.by != EVERYTHING and fold.asked_by == "asks":
            asking = np.array([row["who"] == HOT for row in world["asks"]], bool)
            for name in fold.answers:
                assert (one[fold.name].answers[name][asking] == other[fold.name].answers[name][asking]).all(), name


def columns(**given: list[int | None]) -> dict[str, Integers]:
    return {name: np.array([MISSING if cell is None else cell for cell in cells], np.int64) for name, cells in given.items()}


def fold_of(aggregate: Aggregate, *values: str, asked_value: str | None = None) -> Fold:
    return Fold("f", "facts", "key", aggregate, "facts", "key", values, asked_value)


def answered(fold: Fold, **given: list[int | None]) -> dict[str, list[int | None]]:
    rows = Rows(columns(key=[7] * len(given[SEEN]), **given))
    folded = run_fold(fold, {"facts": rows}, END)
    return {name: [None if cell == MISSING else cell for cell in column.tolist()] for name, column in folded.answers.items()}


def test_without_a_value_of_its_own_a_question_is_not_told_whether_it_is_new() -> None:
    told_of = answered(fold_of(Distinct(), "amount"), seen=[0, 1, 2], amount=[0, 1, 1])
    assert told_of == {"f_distinct": [0, 1, 2], "f_is_new": [None, None, None]}


def test_peers_at_one_instant_do_not_see_each_other() -> None:
    given = {SEEN: [5, 5, 5, 6], "amount": [1, 2, 4, 8]}
    assert answered(fold_of(Trailing({"w": 10}), "amount"), **given) == {"f_w": [0, 0, 0, 3], "f_w_amount": [0, 0, 0, 7]}
    assert answered(fold_of(Lifetime()), **given)["f_last"] == [None, None, None, 5]
    assert answered(fold_of(Latest(), "amount"), **given)["f_1_amount"] == [None, None, None, 4]
    assert answered(fold_of(Distinct(), "amount", asked_value="amount"), **given)["f_is_new"] == [1, 1, 1, 1]
    assert answered(fold_of(Median(), "amount"), **given)["f_median_doubled"] == [None, None, None, 4]


def test_an_entry_a_whole_window_earlier_is_outside_it() -> None:
    assert answered(fold_of(Trailing({"w": 10})), seen=[0, 9, 10, 19, 20])["f_w"] == [0, 1, 1, 1, 1]


def test_a_row_without_key_is_answered_nothing_and_taught_to_none() -> None:
    rows = Rows(columns(seen=[1, 2, 3], key=[None, None, 4]))
    folded = run_fold(fold_of(Lifetime()), {"facts": rows}, END)
    assert folded.answers["f_count"].tolist() == [MISSING, MISSING, 0]
    assert folded.states.keys.tolist() == [4]


def test_no_rows_have_no_answers() -> None:
    for fold in FOLDS:
        folded = run_all({"facts": [], "asks": []})[fold.name]
        assert all(len(column) == 0 for column in folded.answers.values())
        assert len(folded.states.keys) == 0


@pytest.mark.parametrize(("distance", "count"), [(9, 1), (10, 0), (11, 0)])
def test_a_state_reaches_back_from_its_horizon_as_far_as_the_longest_window(distance: int, count: int) -> None:
    fold, kept = fold_of(Trailing({"short": 2, "long": 10})), Kept()
    night = run_fold(fold, {"facts": Rows(columns(seen=[5], key=[7]))}, 5 + distance)
    kept.write(fold.name, night.states)
    assert night.states.lengths.sum() == count
    morning = run_fold(fold, {"facts": Rows(columns(seen=[5 + distance], key=[7]))}, END, kept.read)
    assert morning.answers["f_long"].tolist() == [count]


def test_what_left_the_longest_window_is_no_longer_in_the_sums_of_the_next_piece() -> None:
    fold, kept = fold_of(Trailing({"w": 10}), "amount"), Kept()
    seen = {SEEN: [0, 20, 21], "key": [7, 7, 7], "amount": [500, 30, 1]}
    kept.write(fold.name, run_fold(fold, {"facts": Rows(columns(**seen))}, 22).states)
    assert kept.words(fold.name) == {7: [20, 30, 21, 1]}
    later = run_fold(fold, {"facts": Rows(columns(seen=[22, 30], key=[7, 7], amount=[0, 0]))}, END, kept.read)
    assert later.answers["f_w_amount"].tolist() == [31, 1]


big = st.sampled_from([2**61, 2**61 - 1, -(2**61), -(2**61) + 1, 2**60, 1, 0])


@given(st.lists(big, max_size=12))
@settings(max_examples=80, deadline=None)
def test_medians_of_large_values_are_exact(values: list[int]) -> None:
    world: World = {"facts": [{SEEN: time, "key": 1, "amount": value} for time, value in enumerate(values)]}
    rows = Rows(columns(seen=list(range(len(values))), key=[1] * len(values), amount=values))
    fold = fold_of(Median(), "amount")
    assert told(run_fold(fold, {"facts": rows}, END)) == answers_of(fold, world)


@given(st.lists(big, max_size=12), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_sums_of_large_values_are_exact_or_refused(values: list[int], window: int) -> None:
    world: World = {"facts": [{SEEN: time, "key": 1, "amount": value} for time, value in enumerate(values)]}
    rows = Rows(columns(seen=list(range(len(values))), key=[1] * len(values), amount=values))
    for fold in (fold_of(Lifetime(), "amount"), fold_of(Trailing({"w": window + 1}), "amount")):
        try:
            folded = run_fold(fold, {"facts": rows}, END)
        except ValueError as error:
            assert "leaves 63 bits" in str(error)
            assert sum(abs(value) for value in values) >= 2**63
        else:
            assert told(folded) == answers_of(fold, world)


@pytest.mark.parametrize("aggregate", [Lifetime(), Trailing({"w": 100})])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_just_inside_63_bits_is_exact_and_one_outside_is_refused(aggregate: Aggregate, sign: int) -> None:
    fold = fold_of(aggregate, "amount")
    inside = [sign * (2**62), sign * (2**62 - 1), 0]
    assert answered(fold, seen=[0, 1, 2], amount=inside)[fold.answers[-1]] == [0, inside[0], sign * (2**63 - 1)]
    with pytest.raises(ValueError, match="leaves 63 bits: fold them in a coarser unit"):
        answered(fold, seen=[0, 1, 2], amount=[sign * 2**62, sign * 2**62, 0])


@pytest.mark.parametrize("value", [2**62, -(2**62), 2**63 - 1])
def test_a_median_whose_double_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="2\\*\\*62 or more"):
        answered(fold_of(Median(), "amount"), seen=[0, 1], amount=[value, 0])


def test_refusals_on_another_thread_are_heard() -> None:
    rows = Rows(columns(seen=list(range(8)), key=[1, 2] * 4, amount=[1, 2**62] * 4))
    with pytest.raises(ValueError, match="leaves 63 bits"):
        run_fold(fold_of(Lifetime(), "amount"), {"facts": rows}, END, threads=2)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({SEEN: [1, 3, 2], "key": [1, 1, 1]}, "in order of the instant .* row 2 was seen before the one in front of it"),
        ({SEEN: [None, 3], "key": [1, 1]}, "row 0 has no instant"),
        ({"key": [1, 1]}, "need a column 'seen'"),
        ({SEEN: [1, 2], "key": [1]}, "column 'key' must be 2 64-bit integers"),
    ],
)
def test_rows_that_folds_cannot_trust_are_refused(given: dict[str, list[int | None]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Rows(columns(**given))


def test_a_column_is_added_once_and_whole() -> None:
    rows = Rows(columns(seen=[1, 2]))
    rows.add(columns(answer=[5, None]))
    with pytest.raises(ValueError, match="have a column answer already"):
        rows.add(columns(answer=[5, None]))
    with pytest.raises(ValueError, match="column 'short' must be 2 64-bit integers"):
        rows.add(columns(short=[5]))
    with pytest.raises(ValueError, match="of float64"):
        rows.add({"parts": np.array([0.5, 1.5])})  # type: ignore[dict-item]
    assert list(rows.columns) == [SEEN, "answer"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_arrow_columns_come_in_microseconds_with_nulls_missing(unit: str, zone: str | None) -> None:
    table = pa.table(
        {
            SEEN: pa.array([datetime(1970, 1, 1, 0, 0, 2), datetime(1970, 1, 1, 0, 1)], pa.timestamp(unit, zone)),
            "flag": pa.array([True, None]),
            "amount": pa.array([None, 7], pa.int32()),
            "nothing": pa.array([None, None]),
        }
    )
    rows = Rows.from_arrow(table, table.column_names)
    assert rows[SEEN].tolist() == [2_000_000, 60_000_000]
    assert rows["flag"].tolist() == [1, MISSING]
    assert rows["amount"].tolist() == [MISSING, 7]
    assert nullable(rows["amount"]).to_pylist() == [None, 7]
    assert nullable(rows["nothing"]).to_pylist() == [None, None]


def test_columns_of_arrow_and_of_numpy_share_the_compiled_kernels() -> None:
    """Arrow's memory cannot be written to; that is no reason to compile every kernel again."""
    given = {SEEN: [1, 2, 3], "key": [1, 1, 1], "amount": [4, 5, 6]}
    from_arrow = Rows.from_arrow(pa.table(given), given)
    from_numpy = Rows(columns(**given))
    for aggregate in (Trailing({"w": 2}), Lifetime(), Latest(), Median()):
        fold = fold_of(aggregate, "amount")
        one, other = (run_fold(fold, {"facts": rows}, END) for rows in (from_arrow, from_numpy))
        assert told(one) == told(other)
        assert len(getattr(kernels, aggregate.kernel).overloads) == 1


@pytest.mark.parametrize(
    ("aggregate", "values", "sentence"),
    [
        (Median(), (), "exactly one value, not 0"),
        (Distinct(), ("kind", "amount"), "exactly one value, not 2"),
        (Trailing({}), (), "needs windows"),
        (Trailing({"w": 0}), (), "needs windows"),
    ],
)
def test_declarations_that_mean_nothing_are_refused(aggregate: Aggregate, values: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fold_of(aggregate, *values)


def test_a_name_with_a_space_is_refused_since_what_is_stored_beside_states_is_named_so() -> None:
    with pytest.raises(ValueError, match="must have no space"):
        Fold("f pairs", "facts", "key", Lifetime(), "facts", "key")
