"""Judging against a plain reference: the same rows published, set aside and dropped, for random small tables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.contract import Follows, InRange, OneOf, Refers, Rule, Severity, Unique
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines_tests.unit.judging import DAYS, Published, accepted_rows, at, judge, part, thing, things

TABLE = things(
    Rule("small", InRange("size", 0, 2), "it is large"),
    Rule("known", OneOf("word", ("a", "b")), "nobody knows it", Severity.WARNING),
    Rule("ends_later", Follows("until", "at"), "it ends too early"),
    Rule("owner_exists", Refers("owner_id", "owners", "owner_id"), "no owner"),
    Rule("after_owner", Refers("owner_id", "owners", "owner_id", not_before="at", time="at"), "older than its owner"),
    Rule("word_unique", Unique(("owner_id", "word")), "the word is taken"),
)
OWNERS = things(key=("owner_id",))
IN_LAKE = {"o1": at(0, 1)}
IN_POSTGRES = {"o2": at(-5), "o3": at(1)}
EARLIER = thing("k4", at(-1), owner_id="o2", word="a")
ELSEWHERE = {"thing_id": "k5", "at": at(-3), "owner_id": "o2", "word": "b"}

times = st.builds(at, st.integers(0, 2), st.integers(0, 2))
rows = st.builds(
    thing,
    st.sampled_from(["k1", "k2", "k3", "k4", "k5", None]),
    times,
    owner_id=st.sampled_from(["o1", "o2", "o3", "nobody", None]),
    word=st.sampled_from(["a", "b", "c", None]),
    size=st.sampled_from([0, 2, 3, None]),
    until=st.none() | times,
)


@st.composite
def landed_files(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Up to three files whose rows often repeat each other, in full or in their key."""
    pool = draw(st.lists(rows, min_size=1, max_size=6))
    repeated = st.sampled_from(pool)
    changed = st.builds(lambda row, word: {**row, "word": word}, repeated, st.sampled_from(["a", "b"]))
    return draw(st.lists(st.lists(st.one_of(repeated, repeated, changed, rows), max_size=8), min_size=1, max_size=3))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_engine(tmp_path_factory.mktemp("scratch")) as connection:
        yield connection


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("parts")
    lake = part(folder / "owners.parquet", OWNERS, [{"owner_id": name, "at": when} for name, when in IN_LAKE.items()])
    return Published(
        rows={
            "owners": [{"owner_id": name, "at": when} for name, when in IN_POSTGRES.items()],
            "things": [ELSEWHERE],
        },
        parts={"owners": [lake]},
        earlier=[part(folder / "earlier.parquet", TABLE, [EARLIER])],
    )


def own_faults(row: dict[str, Any]) -> list[str]:
    """The rules that a row breaks by itself or beside its parent, in the order of declaration."""
    owners: dict[str, datetime] = IN_LAKE | IN_POSTGRES
    owner, size, word, until = row["owner_id"], row["size"], row["word"], row["until"]
    faults = {
        "thing_id_present": row["thing_id"] is None,
        "small": size is not None and not 0 <= size <= 2,
        "known": word is not None and word not in ("a", "b"),
        "ends_later": until is not None and until < row["at"],
        "owner_exists": owner is not None and owner not in owners,
        "after_owner": owner in owners and row["at"] < owners[owner],
    }
    return [name for name, broken in faults.items() if broken]


def taken(values: Sequence[Sequence[Any]], kept: dict[int, list[str]], records: list[dict[str, Any]], rule: str) -> None:
    """Refuse under a uniqueness rule: columns in `values[0]`, values that others have in `values[1:]`."""
    columns, seen = values[0], {tuple(value) for value in values[1:]}
    sound = [number for number, faults in kept.items() if not set(faults) - {"known"}]
    for number in sorted(sound, key=lambda number: (records[number]["at"], number)):
        value = tuple(records[number][column] for column in columns)
        if None in value:
            continue
        if value in seen:
            kept[number].append(rule)
        seen.add(value)


def reference(files: list[list[dict[str, Any]]]) -> tuple[Counter, dict[tuple[int, int], tuple[list[str], bool]], int]:
    """Published rows, rules and mending of the refused ones by file and row, and how many copies were dropped."""
    placed = [((file, number), row) for file, landed in enumerate(files) for number, row in enumerate(landed, 1)]
    distinct: dict[tuple, tuple[tuple[int, int], dict[str, Any]]] = {}
    for place, row in placed:
        distinct.setdefault(tuple(row.items()), (place, row))
    places = [place for place, _ in distinct.values()]
    records = [row for _, row in distinct.values()]
    kept = {number: own_faults(row) for number, row in enumerate(records)}
    taken([("thing_id",), ("k4",), ("k5",)], kept, records, "key_unique")
    taken([("owner_id", "word"), ("o2", "a"), ("o2", "b")], kept, records, "word_unique")
    refused = {number: [fault for fault in faults if fault != "known"] for number, faults in kept.items()}
    sound = [records[number] for number, faults in refused.items() if not faults]
    keys = {row["thing_id"] for row in sound} | {"k4", "k5"}
    set_aside = {
        places[number]: (faults, "key_unique" not in faults and records[number]["thing_id"] in keys)
        for number, faults in refused.items()
        if faults
    }
    return Counter(tuple(row.items()) for row in sound), set_aside, len(placed) - len(records)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=landed_files())
def test_judging_agrees_with_the_reference(engine, published, tmp_path: Path, files) -> None:
    verdict = judge(engine, TABLE, *files, published=published).verdict(tmp_path)
    sound, set_aside, duplicates = reference(files)
    columns = ("thing_id", "at", "owner_id", "word", "size", "until")
    assert Counter(tuple((name, row[name]) for name in columns) for row in accepted_rows(verdict)) == sound
    found = {
        ("abcdefghij".index(row["source_file"]), row["source_row"]): (sorted(row["rules"]), row["mended"])
        for row in verdict.quarantine.to_pylist()
    }
    assert found == {place: (sorted(rules), mended) for place, (rules, mended) in set_aside.items()}
    assert verdict.duplicates == duplicates
    for outcome in verdict.outcomes:
        assert outcome.rows_in == outcome.published + outcome.quarantined + outcome.duplicates
    assert verdict.rows_in == sum(len(landed) for landed in files)
    assert [outcome.day for outcome in verdict.outcomes] == DAYS.days
