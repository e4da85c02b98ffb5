"""Judging rows: which are published, set aside or dropped as copies, and under which rule."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from ticketintel_pipelines.contract import (
    Follows,
    Holds,
    InRange,
    Matches,
    NotNull,
    OneOf,
    Refers,
    Rule,
    Severity,
    Unique,
)
from ticketintel_pipelines.errors import PublishRefusedError
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.quality.verdict import QUARANTINE_SCHEMA, DayOutcome, Verdict
from ticketintel_pipelines_tests.unit.judging import (
    DAYS,
    FIRST,
    Published,
    accepted_rows,
    at,
    broken_rules,
    candidates,
    judge,
    part,
    thing,
    things,
)

OWNER = Rule("owner_exists", Refers("owner_id", "owners", "owner_id"), "no published owner has this id")
AFTER_OWNER = Rule(
    "after_owner", Refers("owner_id", "owners", "owner_id", not_before="at", time="at"), "the thing is older than its owner"
)
OWNERS = things(key=("owner_id",))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_engine(tmp_path_factory.mktemp("scratch")) as connection:
        yield connection


KINDS = {
    "present": (NotNull("word"), [{"word": "x"}, {"word": ""}], [{"word": None}]),
    "range": (InRange("size", 1, 3), [{"size": 1}, {"size": 3}, {"size": None}], [{"size": 0}, {"size": 4}]),
    "open_above": (InRange("size", minimum=1), [{"size": 2**62}], [{"size": 0}]),
    "open_below": (InRange("size", maximum=1), [{"size": -(2**62)}], [{"size": 2}]),
    "fraction": (InRange("weight", 0.1, 0.3), [{"weight": 0.1}, {"weight": None}], [{"weight": 0.09999999999999999}]),
    "money": (InRange("price", 0.05), [{"price": Decimal("0.05")}], [{"price": Decimal("0.04")}, {"price": Decimal("-1")}]),
    "form": (
        Matches("word", r"(ab|cd)+\d{2}|[(]x"),
        [{"word": "abcd12"}, {"word": "(x"}, {"word": None}],
        [{"word": "ab1"}, {"word": "ab12\n"}, {"word": "xab12"}, {"word": ""}, {"word": "ab１２"}],
    ),
    "known": (OneOf("word", ("a", "it's")), [{"word": "a"}, {"word": "it's"}, {"word": None}], [{"word": "A"}, {"word": ""}]),
    "order": (
        Follows("until", "at"),
        [{"until": at()}, {"until": None}, {"until": at(second=0.000001)}],
        [{"until": at(second=-0.000001)}],
    ),
    "holds": (
        Holds("size * 2 = weight"),
        [{"size": 1, "weight": 2.0}, {"size": None, "weight": 2.0}, {"size": 1}],
        [{"size": 1, "weight": 3.0}],
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_rule_is_broken_by_exactly_the_rows_that_break_it(engine, name: str) -> None:
    check, keeping, breaking = KINDS[name]
    rows = [thing(f"good{n}", **cells) for n, cells in enumerate(keeping)]
    rows += [thing(f"bad{n}", **cells) for n, cells in enumerate(breaking)]
    found = broken_rules(judge(engine, things(Rule(name, check, "so")), rows))
    assert found == {row["thing_id"]: {name} if row["thing_id"].startswith("bad") else set() for row in rows}


def test_a_result_tells_how_many_rows_break_a_rule_and_names_some(engine, tmp_path: Path) -> None:
    table = things(Rule("small", InRange("size", maximum=1), "it is large"))
    verdict = judge(engine, table, [thing(f"t{n}", size=n) for n in range(9)]).verdict(tmp_path)
    (result,) = [result for result in verdict.results if result.rule.name == "small"]
    assert (result.rows, result.failing, result.sample_keys) == (9, 7, ("t2", "t3", "t4", "t5", "t6"))
    assert result.percent == pytest.approx(700 / 9)


def test_exact_copies_are_dropped_and_counted_once_per_copy(engine, tmp_path: Path) -> None:
    rows = [thing("a", word="x"), thing("a", word="x"), thing("b", word=None), thing("b", word=None)]
    verdict = judge(engine, things(), rows, rows[:1]).verdict(tmp_path)
    assert (verdict.rows_in, verdict.published, verdict.quarantined, verdict.duplicates) == (5, 2, 0, 3)
    assert [row["thing_id"] for row in accepted_rows(verdict)] == ["a", "b"]
    verdict.refuse_unless_sound()


def test_copies_of_a_row_without_a_key_are_counted_and_one_is_set_aside(engine, tmp_path: Path) -> None:
    verdict = judge(engine, things(), [thing(None), thing(None), thing("a")]).verdict(tmp_path)
    assert (verdict.published, verdict.quarantined, verdict.duplicates) == (1, 1, 1)
    assert verdict.quarantine["rule"].to_pylist() == ["thing_id_present"]
    verdict.refuse_unless_sound()


def test_copies_with_the_same_row_number_in_two_files_of_one_part_leave_one_row(engine, tmp_path: Path) -> None:
    """Decoded logs of one day lie in one part, whatever raw files they came from."""
    landed = candidates(things(), [[thing("a")], [thing("a")]])
    landed = landed.set_column(landed.schema.get_field_index("landing_order"), "landing_order", pa.array([0, 0], pa.int64()))
    verdict = judge(engine, things(), landed=landed).verdict(tmp_path)
    assert (verdict.published, verdict.duplicates) == (1, 1)
    verdict.refuse_unless_sound()


def test_of_rows_with_one_key_the_first_in_time_stays_whatever_was_landed_first(engine, tmp_path: Path) -> None:
    rows = [thing("a", at(second=2), word="late"), thing("a", at(second=1), word="early")]
    verdict = judge(engine, things(), rows, [thing("a", at(2), word="last")]).verdict(tmp_path)
    assert [row["word"] for row in accepted_rows(verdict)] == ["early"]
    assert verdict.quarantine["rule"].to_pylist() == ["key_unique", "key_unique"]
    assert verdict.quarantine["mended"].to_pylist() == [False, False]


def test_of_rows_with_one_key_and_time_the_first_landed_stays(engine, tmp_path: Path) -> None:
    verdict = judge(engine, things(), [thing("a", word="first")], [thing("a", word="second")]).verdict(tmp_path)
    assert [row["word"] for row in accepted_rows(verdict)] == ["first"]


def test_a_broken_row_does_not_block_its_mended_twin(engine, tmp_path: Path) -> None:
    table = things(Rule("small", InRange("size", maximum=1), "it is large"))
    verdict = judge(engine, table, [thing("a", size=9), thing("b", size=9)], [thing("a", at(1), size=1)]).verdict(tmp_path)
    assert [(row["thing_id"], row["size"]) for row in accepted_rows(verdict)] == [("a", 1)]
    kept = verdict.quarantine.select(["row_key", "rules", "mended"]).to_pylist()
    assert kept == [
        {"row_key": "a", "rules": ["small"], "mended": True},
        {"row_key": "b", "rules": ["small"], "mended": False},
    ]


def test_a_broken_row_is_mended_by_a_twin_that_was_published_before_or_in_an_earlier_piece(engine, tmp_path: Path) -> None:
    table = things(Rule("small", InRange("size", maximum=1), "it is large"))
    earlier = part(tmp_path / "earlier.parquet", table, [thing("a", at(-1))])
    published = Published(rows={"things": [{"thing_id": "b", "at": at(-9)}]}, earlier=[earlier])
    rows = [thing(name, size=9) for name in "abc"]
    verdict = judge(engine, table, rows, published=published).verdict(tmp_path / "out")
    assert dict(zip(*verdict.quarantine.select(["row_key", "mended"]).to_pydict().values(), strict=True)) == {
        "a": True,
        "b": True,
        "c": False,
    }


def test_a_day_whose_row_gets_a_mended_twin_on_another_day_counts_as_changed(engine, tmp_path: Path) -> None:
    table = things(Rule("small", InRange("size", maximum=1), "it is large"))
    before = judge(engine, table, [thing("a", size=9)]).verdict(tmp_path / "1").outcomes[0]
    after = judge(engine, table, [thing("a", size=9)], [thing("a", at(1))]).verdict(tmp_path / "2").outcomes[0]
    assert before.content_hash != after.content_hash


def test_a_missing_parent_sets_the_row_aside_and_an_absent_reference_does_not(engine, tmp_path: Path) -> None:
    parents = part(tmp_path / "owners.parquet", OWNERS, [thing(None, owner_id="o1")])
    rows = [thing("a", owner_id="o1"), thing("b", owner_id="o2"), thing("c")]
    judgement = judge(engine, things(OWNER), rows, published=Published(parts={"owners": [parents]}))
    assert broken_rules(judgement) == {"a": set(), "b": {"owner_exists"}, "c": set()}


def test_a_parent_is_also_found_among_published_rows_and_only_missing_ones_are_asked_for(engine, tmp_path: Path) -> None:
    parents = part(tmp_path / "owners.parquet", OWNERS, [thing(None, owner_id="o1")])
    published = Published(parts={"owners": [parents]}, rows={"owners": [{"owner_id": "o2", "at": at(-9)}]})
    rows = [thing("a", owner_id="o1"), thing("b", owner_id="o2"), thing("c", owner_id="o2"), thing("d", owner_id="o3")]
    judgement = judge(engine, things(OWNER), rows, published=published)
    assert broken_rules(judgement) == {"a": set(), "b": set(), "c": set(), "d": {"owner_exists"}}
    assert published.asked == [("owners", ("owner_id",), 2)]


def test_a_reference_to_a_table_without_any_rows_is_not_judged_and_says_so(engine, tmp_path: Path) -> None:
    verdict = judge(engine, things(OWNER, AFTER_OWNER), [thing("a", owner_id="nobody")]).verdict(tmp_path)
    assert verdict.published == 1
    reasons = {result.rule.name: result.not_judged for result in verdict.results if result.not_judged}
    assert reasons == {"owner_exists": "no owners are published", "after_owner": "no owners are published"}


@pytest.mark.parametrize("where", ["lake", "published"])
def test_a_row_older_than_its_parent_is_set_aside(engine, tmp_path: Path, where: str) -> None:
    owner = {"owner_id": "o1", "at": at(second=5)}
    if where == "lake":
        published = Published(parts={"owners": [part(tmp_path / "owners.parquet", OWNERS, [owner])]})
    else:
        published = Published(rows={"owners": [owner]})
    rows = [thing("before", at(second=4.999999), owner_id="o1"), thing("same", at(second=5), owner_id="o1")]
    rows += [thing("orphan", owner_id="o2"), thing("alone")]
    judgement = judge(engine, things(OWNER, AFTER_OWNER), rows, published=published)
    assert broken_rules(judgement) == {
        "before": {"after_owner"},
        "same": set(),
        "orphan": {"owner_exists"},
        "alone": set(),
    }


def test_a_warning_publishes_the_row_and_counts_it(engine, tmp_path: Path) -> None:
    table = things(Rule("small", InRange("size", maximum=1), "it is large", Severity.WARNING))
    verdict = judge(engine, table, [thing("a", size=2), thing("b", size=1)]).verdict(tmp_path)
    assert (verdict.published, verdict.quarantined, verdict.quarantine.num_rows) == (2, 0, 0)
    assert {result.rule.name: result.failing for result in verdict.results}["small"] == 1
    verdict.refuse_unless_sound()


def test_a_critical_rule_refuses_the_whole_verdict_with_its_reason(engine, tmp_path: Path) -> None:
    table = things(Rule("small", InRange("size", maximum=1), "the extract is foreign", Severity.CRITICAL))
    verdict = judge(engine, table, [thing("a", size=2), thing("b", size=1)]).verdict(tmp_path)
    with pytest.raises(PublishRefusedError, match=r"the extract is foreign \(critical rule small, 1 of 2 rows, such as a\)"):
        verdict.refuse_unless_sound()


def test_rows_that_went_missing_refuse_the_verdict() -> None:
    outcome = DayOutcome(FIRST, rows_in=3, published=1, quarantined=0, duplicates=1, content_hash="")
    verdict = Verdict(things(), DAYS, {}, (outcome,), QUARANTINE_SCHEMA.empty_table())
    with pytest.raises(PublishRefusedError, match="leave 1 unaccounted for"):
        verdict.refuse_unless_sound()


def test_values_taken_by_earlier_parts_or_published_rows_of_other_days_break_uniqueness(engine, tmp_path: Path) -> None:
    table = things(Rule("word_unique", Unique(("word", "size")), "the word is taken"))
    earlier = part(tmp_path / "earlier.parquet", table, [thing("e", at(-1), word="w1", size=1)])
    rows = {"things": [{"thing_id": "p", "at": at(-9), "word": "w2", "size": 2}]}
    rows["things"].append({"thing_id": "same run", "at": at(1), "word": "w3", "size": 3})
    published = Published(rows=rows, earlier=[earlier])
    published.types["size"] = pa.int64()
    judged = [thing(f"t{n}", word=f"w{n}", size=n) for n in (1, 2, 3)]
    judged += [thing("other size", word="w1", size=2), thing("no word", size=1), thing("no word either", size=1)]
    found = broken_rules(judge(engine, table, judged, published=published))
    assert {name for name, rules in found.items() if rules} == {"t1", "t2"}
    assert found["t1"] == found["t2"] == {"word_unique"}


def test_the_key_of_a_published_row_of_another_day_is_taken(engine) -> None:
    published = Published(rows={"things": [{"thing_id": "a", "at": at(9)}]})
    assert broken_rules(judge(engine, things(), [thing("a"), thing("b")], published=published)) == {
        "a": {"key_unique"},
        "b": set(),
    }


def test_a_row_set_aside_under_one_uniqueness_rule_does_not_block_under_the_next(engine) -> None:
    table = things(Rule("word_unique", Unique(("word",)), "the word is taken"))
    rows = [thing("a", word="x"), thing("a", at(second=1), word="y"), thing("b", at(second=2), word="y")]
    found = judge(engine, table, rows).connection.execute('SELECT word, "at", broken FROM judged ORDER BY "at"').fetchall()
    assert [bool(row[2]) for row in found] == [False, True, False]


def test_the_first_broken_rule_in_the_order_of_declaration_gives_the_reason(engine, tmp_path: Path) -> None:
    table = things(
        Rule("known", OneOf("word", ("a",)), "nobody knows it", Severity.WARNING),
        Rule("small", InRange("size", maximum=1), "it is large"),
        Rule("light", InRange("weight", maximum=1), "it is heavy"),
    )
    row = thing("a:b", at(1), word='it\'s\n"x"', size=2, weight=3.5, price=Decimal("9999999999999999.99"))
    verdict = judge(engine, table, [thing("fine")], [row]).verdict(tmp_path)
    (kept,) = verdict.quarantine.to_pylist()
    content = kept.pop("content")
    assert kept == {
        "day": FIRST + timedelta(days=1),
        "rule": "small",
        "rules": ["small", "light"],
        "reason": "it is large",
        "source_file": "b",
        "source_row": 1,
        "row_key": "a:b",
        "mended": False,
    }
    assert '"price":9999999999999999.99' in content
    assert r'"word":"it\'s\n\"x\""'.replace(r"\'", "'") in content


def test_every_day_of_the_range_has_an_outcome_and_only_days_with_rows_a_part(engine, tmp_path: Path) -> None:
    midnight = datetime(2026, 1, 3, tzinfo=UTC)
    rows = [thing("a", midnight - timedelta(microseconds=1)), thing("b", midnight)]
    verdict = judge(engine, things(), rows).verdict(tmp_path)
    assert [(outcome.day, outcome.published) for outcome in verdict.outcomes] == list(zip(DAYS.days, (0, 1, 1), strict=True))
    assert sorted(verdict.parts) == DAYS.days[1:]


def test_no_rows_at_all_are_a_sound_verdict(engine, tmp_path: Path) -> None:
    verdict = judge(engine, things(OWNER), []).verdict(tmp_path)
    verdict.refuse_unless_sound()
    assert (verdict.rows_in, verdict.parts) == (0, {})
    assert {outcome.content_hash for outcome in verdict.outcomes} == {"0-0"}


def test_the_content_of_a_day_hashes_alike_in_any_row_order_and_split_over_files(engine, tmp_path: Path) -> None:
    rows = [thing(f"t{n}", at(n % 3, n), word=None if n % 4 else "x", size=n) for n in range(40)]
    shuffled = random.Random(5).sample(rows, len(rows))
    splits = [[rows], [shuffled], [rows[:7], rows[7:]], [shuffled[20:], shuffled[:20], rows[:3]]]
    hashes = {
        tuple(outcome.content_hash for outcome in judge(engine, things(), *split).verdict(tmp_path / str(n)).outcomes)
        for n, split in enumerate(splits)
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("change", [{"word": "y"}, {"word": None}, {"word": ""}, {"until": at()}])
def test_the_content_hash_of_a_day_changes_with_any_cell(engine, tmp_path: Path, change: dict) -> None:
    row = thing("a", word="x")
    before = judge(engine, things(), [row]).verdict(tmp_path / "1")
    after = judge(engine, things(), [{**row, **change}]).verdict(tmp_path / "2")
    assert before.outcomes[0].content_hash != after.outcomes[0].content_hash
