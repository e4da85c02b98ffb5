"""Rows that change: the newest sound version is published, older ones become history, whatever order they come in."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.contract import InRange, Rule, Unique
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.quality.verdict import Verdict
from ticketintel_pipelines_tests.unit.judging import (
    Published,
    accepted_rows,
    at,
    judge,
    part,
    superseded_rows,
    thing,
    things,
    versioned_things,
)

SMALL = Rule("small", InRange("size", maximum=1), "it is large")
ONE_WORD = Rule("word_unique", Unique(("word",)), "the word is taken")
ONE_LIVING_WORD = Rule("word_unique", Unique(("word",), unless="deleted_at"), "the word is taken")
TABLE = versioned_things(SMALL)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_engine(tmp_path_factory.mktemp("scratch")) as connection:
        yield connection


def version(number: int | None, thing_id: str = "a", when: datetime | None = None, **cells: Any) -> dict[str, Any]:
    """A thing as it was known on day `number`."""
    return thing(thing_id, when, known_at=None if number is None else at(number), **cells)


def words(rows: list[dict[str, Any]]) -> list[str | None]:
    return sorted(row["word"] for row in rows)


def counts(verdict: Verdict) -> tuple[int, int, int, int]:
    verdict.refuse_unless_sound()
    return verdict.published, verdict.superseded, verdict.quarantined, verdict.duplicates


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_the_newest_version_is_published_and_the_others_are_history(engine, tmp_path: Path, order) -> None:
    versions = [version(None, word="first"), version(3, word="second"), version(5, word="third")]
    verdict = judge(engine, TABLE, *([versions[place]] for place in order)).verdict(tmp_path)
    assert counts(verdict) == (1, 2, 0, 0)
    assert words(accepted_rows(verdict)) == ["third"]
    assert words(superseded_rows(verdict)) == ["first", "second"]


def test_a_newer_version_takes_the_place_of_one_that_is_published(engine, tmp_path: Path) -> None:
    published = Published(rows={"things": [{"thing_id": "a", "at": at(second=9)}]})
    rows = [[version(1, when=at(second=9), word="old")], [version(2, when=at(second=3), word="new")]]
    verdict = judge(engine, TABLE, *rows, published=published).verdict(tmp_path)
    assert counts(verdict) == (1, 1, 0, 0)
    assert words(accepted_rows(verdict)) == ["new"]


def test_the_same_state_known_later_again_is_a_version_and_sent_twice_a_copy(engine, tmp_path: Path) -> None:
    verdict = judge(engine, TABLE, [version(1)], [version(2)], [version(2), version(1)]).verdict(tmp_path)
    assert counts(verdict) == (1, 1, 0, 2)
    assert accepted_rows(verdict)[0]["known_at"] == at(2)


@pytest.mark.parametrize("number", [None, 2])
def test_of_two_rows_of_one_version_the_first_landed_stays(engine, tmp_path: Path, number: int | None) -> None:
    files = [[version(number, when=at(second=5), word="first")], [version(number, when=at(second=1), word="other")]]
    verdict = judge(engine, TABLE, *files).verdict(tmp_path / "1")
    assert counts(verdict) == (1, 0, 1, 0)
    assert words(accepted_rows(verdict)) == ["first"]
    assert verdict.quarantine.select(["rule", "mended"]).to_pylist() == [{"rule": "key_unique", "mended": False}]
    later = judge(engine, TABLE, *files, [version(3, word="later")]).verdict(tmp_path / "2")
    assert counts(later) == (1, 1, 1, 0)
    assert words(superseded_rows(later)) == ["first"]
    assert later.quarantine["mended"].to_pylist() == [True]


def test_a_broken_version_supersedes_nothing_and_waits_until_a_newer_one_is_published(engine, tmp_path: Path) -> None:
    files = [[version(1, word="old")], [version(2, size=9)]]
    verdict = judge(engine, TABLE, *files).verdict(tmp_path / "1")
    assert counts(verdict) == (1, 0, 1, 0)
    assert words(accepted_rows(verdict)) == ["old"]
    assert verdict.quarantine["mended"].to_pylist() == [False]
    for mending in (2, 3):
        mended = judge(engine, TABLE, *files, [version(mending, word="new")]).verdict(tmp_path / f"2{mending}")
        assert counts(mended) == (1, 1, 1, 0)
        assert mended.quarantine["mended"].to_pylist() == [True]


def test_a_broken_version_is_mended_by_a_row_of_another_day_only_if_that_is_no_older(engine, tmp_path: Path) -> None:
    rows = [version(3, name, size=9) for name in "abcd"]
    published = Published(
        rows={"things": [version(2, "a", at(9)), version(3, "b", at(9)), version(None, "c", at(9))]},
        # Written before versions were declared.
        earlier=[part(tmp_path / "earlier.parquet", things(), [thing("d", at(-1))])],
    )
    verdict = judge(engine, TABLE, rows, published=published).verdict(tmp_path / "out")
    mended = {row["row_key"]: row["mended"] for row in verdict.quarantine.to_pylist()}
    assert mended == {"a": False, "b": True, "c": False, "d": False}


def test_a_version_on_another_day_than_the_published_row_is_set_aside(engine, tmp_path: Path) -> None:
    published = Published(rows={"things": [{"thing_id": "a", "at": at(1)}, {"thing_id": "b", "at": at(9)}]})
    files = [[version(1, when=at(1), word="stays")], [version(2, when=at(0)), version(1, when=at(0))], [version(3, "b")]]
    verdict = judge(engine, TABLE, *files, published=published).verdict(tmp_path)
    assert counts(verdict) == (1, 0, 3, 0)
    assert words(accepted_rows(verdict)) == ["stays"]
    assert set(verdict.quarantine["rule"].to_pylist()) == {"key_unique"}


def test_a_value_that_a_newer_version_gave_up_is_free(engine, tmp_path: Path) -> None:
    table = versioned_things(ONE_WORD)
    files = [[version(1, "a", word="x")], [version(2, "a", word="y")], [version(1, "b", at(second=1), word="x")]]
    verdict = judge(engine, table, *files).verdict(tmp_path)
    assert counts(verdict) == (2, 1, 0, 0)
    assert words(accepted_rows(verdict)) == ["x", "y"]


def test_where_the_newest_version_claims_what_is_taken_the_one_before_it_stays(engine, tmp_path: Path) -> None:
    table = versioned_things(ONE_WORD)
    files = [
        [version(1, "a", word="x"), version(1, "b", at(second=1), word="y")],
        [version(2, "b", at(second=1), word="z"), version(3, "b", at(second=1), word="x")],
    ]
    verdict = judge(engine, table, *files).verdict(tmp_path)
    assert counts(verdict) == (2, 1, 1, 0)
    assert words(accepted_rows(verdict)) == ["x", "z"]
    assert verdict.quarantine.select(["row_key", "rules", "mended"]).to_pylist() == [
        {"row_key": "b", "rules": ["word_unique"], "mended": False}
    ]


def test_the_holder_of_a_value_keeps_it_in_a_newer_version(engine, tmp_path: Path) -> None:
    """Also against one of the same moment that was landed in between."""
    table = versioned_things(ONE_WORD)
    published = Published(rows={"things": [{"thing_id": "a", "at": at(), "word": "x"}]})
    files = [[version(1, "a", word="x")], [version(1, "b", word="x")], [version(2, "a", at(second=5), word="x")]]
    verdict = judge(engine, table, *files, published=published).verdict(tmp_path)
    assert [(row["thing_id"], row["known_at"]) for row in accepted_rows(verdict)] == [("a", at(2))]


def test_a_deleted_row_is_published_and_stands_in_nobodys_way(engine, tmp_path: Path) -> None:
    table = versioned_things(ONE_LIVING_WORD)
    earlier = part(tmp_path / "earlier.parquet", table, [version(1, "e", at(-1), word="y", deleted_at=at(2))])
    gone = [{"thing_id": "p", "at": at(-9), "word": "z", "deleted_at": at(3)}]
    gone += [{"thing_id": "q", "at": at(-9), "word": "w", "deleted_at": None}]
    files = [
        [version(1, "a", word="x")],
        [version(2, "a", word="x", deleted_at=at(2))],
        [version(1, name, at(second=1), word=word) for name, word in (("b", "x"), ("c", "y"), ("d", "z"), ("taken", "w"))],
    ]
    published = Published(rows={"things": gone}, earlier=[earlier])
    verdict = judge(engine, table, *files, published=published).verdict(tmp_path / "out")
    assert [row["thing_id"] for row in accepted_rows(verdict)] == ["a", "b", "c", "d"]
    assert verdict.quarantine["row_key"].to_pylist() == ["taken"]


def test_a_day_whose_history_changes_counts_as_changed(engine, tmp_path: Path) -> None:
    hashes = [
        judge(engine, TABLE, [version(3)], *more).verdict(tmp_path / str(n)).outcomes[0].content_hash
        for n, more in enumerate(([], [[version(1)]], [[version(2)]]))
    ]
    assert len(set(hashes)) == 3


# Judging all that was ever landed, against a plain reference.

cells = {"word": st.sampled_from(["x", "y", None]), "size": st.sampled_from([0, 9, None])}
numbers = st.none() | st.integers(0, 3)
landings = st.lists(st.lists(st.builds(version, numbers, st.sampled_from("abc"), **cells), max_size=4), min_size=1, max_size=5)


def frozen(row: dict[str, Any]) -> tuple:
    return tuple((name, row[name]) for name in ("thing_id", "at", "known_at", "word", "size"))


def known(row: dict[str, Any]) -> datetime:
    return row["known_at"] or at(-1)


def reference(files: Sequence[Sequence[dict[str, Any]]]) -> tuple[set[tuple], set[tuple]]:
    """Published rows and history: of each thing the sound versions, the first landed of each; the newest is published."""
    sound: dict[str, dict[datetime, dict[str, Any]]] = defaultdict(dict)
    for row in itertools.chain.from_iterable(files):
        if row["size"] != 9:
            sound[row["thing_id"]].setdefault(known(row), row)
    newest = {frozen(versions[max(versions)]) for versions in sound.values()}
    return newest, {frozen(row) for versions in sound.values() for row in versions.values()} - newest


def land_one_after_the_other(engine, table, files: list, folder: Path) -> Verdict:
    """Judge after each landing what was landed so far, beside what the judgement before had published."""
    published = Published()
    for place in range(len(files)):
        verdict = judge(engine, table, *files[: place + 1], published=published).verdict(folder / str(place))
        verdict.refuse_unless_sound()
        published = Published(rows={"things": accepted_rows(verdict)})
    return verdict


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=landings)
def test_any_sequence_of_landings_publishes_the_newest_sound_versions(engine, tmp_path: Path, files) -> None:
    verdict = land_one_after_the_other(engine, TABLE, files, tmp_path)
    newest, older = reference(files)
    assert {frozen(row) for row in accepted_rows(verdict)} == newest
    assert {frozen(row) for row in superseded_rows(verdict)} == older
    assert (verdict.published, verdict.superseded) == (len(newest), len(older))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_of_landing_does_not_matter_where_versions_differ(engine, tmp_path: Path, data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.tuples(st.sampled_from("abc"), numbers), min_size=1, max_size=6))
    rows = [
        version(number, name, word=f"{name}{number}", size=data.draw(cells["size"])) for name, number in sorted(wanted, key=str)
    ]
    verdicts = [
        land_one_after_the_other(engine, TABLE, [[row] for row in order], tmp_path / str(n))
        for n, order in enumerate((rows, data.draw(st.permutations(rows))))
    ]
    first, second = ((accepted_rows(v), superseded_rows(v), [o.content_hash for o in v.outcomes]) for v in verdicts)
    assert first[0] == second[0]
    assert {frozen(row) for row in first[1]} == {frozen(row) for row in second[1]}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=landings)
def test_what_was_known_at_a_time_can_be_read_back(engine, tmp_path: Path, files) -> None:
    """The newest version of published rows and history that is not younger is what would have been published then."""
    verdict = judge(engine, TABLE, *files).verdict(tmp_path / "all")
    everything = accepted_rows(verdict) + superseded_rows(verdict)
    for moment in (at(day) for day in range(-1, 4)):
        then = [[row for row in rows if known(row) <= moment] for rows in files]
        newest: dict[str, dict[str, Any]] = {}
        for row in sorted((row for row in everything if known(row) <= moment), key=known):
            newest[row["thing_id"]] = row
        assert {frozen(row) for row in newest.values()} == reference(then)[0]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=landings)
def test_with_a_value_that_may_be_there_once_nothing_is_lost_and_no_thing_disappears(engine, tmp_path: Path, files) -> None:
    table = versioned_things(SMALL, ONE_WORD)
    verdict = land_one_after_the_other(engine, table, files, tmp_path)
    rows, older = accepted_rows(verdict), superseded_rows(verdict)
    assert len({row["thing_id"] for row in rows}) == len(rows)
    shown = [row["word"] for row in rows if row["word"]]
    assert len(set(shown)) == len(shown)
    by_thing = {row["thing_id"]: row for row in rows}
    assert all(known(row) < known(by_thing[row["thing_id"]]) for row in older)
    wordless = {row[0][1] for rows in reference(files) for row in rows if dict(row)["word"] is None}
    assert wordless <= set(by_thing), "a version that nothing stands against takes its place at last"


@pytest.mark.parametrize(
    ("versions", "late_on"),
    [
        pytest.param([version(30)], (), id="a month is not late"),
        pytest.param([version(31)], (31,), id="a day more is"),
        pytest.param([version(None), version(45, word="changed")], (), id="what changed long after was known before"),
        pytest.param([version(2), version(45, word="changed")], (), id="by any version"),
        pytest.param([version(60, word="changed"), version(45)], (45,), id="the first version counts"),
        pytest.param([version(45, size=9), version(60)], (60,), id="the first sound one"),
        pytest.param([version(60, "b"), version(45), version(60, "c")], (45, 60), id="each day once, in order"),
        pytest.param([version(47, when=at(1)), version(45)], (45,), id="each row by its own day"),
    ],
)
def test_days_on_which_rows_became_known_long_after_are_noted(engine, tmp_path: Path, versions, late_on) -> None:
    first, *_ = judge(engine, TABLE, versions).verdict(tmp_path).outcomes
    assert first.late_on == tuple(at(day).date() for day in late_on)
