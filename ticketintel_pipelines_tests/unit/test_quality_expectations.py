"""The second opinion: Great Expectations counts the rows that the SQL predicates count, rule by rule."""

import re
import warnings
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Table,
    Unique,
)
from ticketintel_pipelines.lake.engine import fetch_row, open_engine, text
from ticketintel_pipelines.quality import expectations
from ticketintel_pipelines.quality.expectations import Audit, audit, expectation_of, portable
from ticketintel_pipelines.quality.validation import Judgement
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.unit.judging import Published, at, judge, thing, things

IP_FORM = r"(\d{1,3}\.){3}\d{1,3}|[0-9a-f(:]*:[0-9a-f:.]*"
RULES = (
    Rule("word_present", NotNull("word"), "so"),
    Rule("size_range", InRange("size", -1, 2**53), "so"),
    Rule("price_range", InRange("price", 0.05, 10), "so"),
    Rule("weight_range", InRange("weight", 0.1), "so"),
    Rule("word_form", Matches("word", IP_FORM), "so", Severity.WARNING),
    Rule("word_known", OneOf("word", ("1.2.3.4", "it's", "")), "so"),
    Rule("ends_later", Follows("until", "at"), "so"),
    Rule("word_unique", Unique(("word", "size")), "so"),
    Rule("owner_exists", Refers("owner_id", "owners", "owner_id"), "so"),
    Rule("adds_up", Holds("size = weight"), "so", Severity.CRITICAL),
)
ROWS = [
    thing("a", at(), word="1.2.3.4", size=1, price=Decimal("0.05"), weight=0.1, until=at(), owner_id="o1"),
    thing("b", at(1), word="1.2.3.4\n", size=2**53 + 1, price=Decimal("0.04"), weight=0.09, until=at(), owner_id="o2"),
    thing("c", at(2)),
    thing("d", at(), word="", size=-2, price=Decimal("10.01"), weight=1e300, until=at(1)),
    thing("e", at(), word="x1.2.3.4", size=2**53, price=Decimal("10.00")),
    thing("f", at(), word="１.2.3.4", until=at(second=-0.000001)),
    thing("g", at(), word="(:", size=1, weight=1.0),
    thing("h", at(), word="it's", size=1),
    thing("i", at(), word="it's", size=1),
    thing("i", at(second=1), word="it's", size=5),
    thing(None, at(), word=":\n"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_engine(tmp_path_factory.mktemp("scratch")) as connection:
        yield connection


def counted(judgement: Judgement) -> dict[str, int]:
    """How many rows break each judged rule, by the SQL mask."""
    return {
        name: fetch_row(judgement.connection, f"SELECT count(*) FROM judged WHERE broken & {bit} <> 0")[0]
        for name, bit in judgement.bits.items()
        if name not in judgement.not_judged
    }


def audited(judgement: Judgement) -> dict[str, Audit]:
    return {found.rule.name: found for found in audit(judgement)}


@pytest.fixture
def judgement(engine) -> Judgement:
    published = Published(rows={"owners": [{"owner_id": "o1", "at": at(-5)}]})
    return judge(engine, things(*RULES), ROWS, published=published)


def test_both_count_the_same_rows_for_every_kind_of_rule(judgement) -> None:
    found = audited(judgement)
    assert {name: result.failing for name, result in found.items()} == counted(judgement)
    assert {name for name, result in found.items() if result.error} == set()
    assert {result.rows for result in found.values()} == {len(ROWS)}
    assert all(count for name, count in counted(judgement).items() if name != "at_present"), "every rule is broken by some row"


def test_the_failing_rows_are_named_by_key(judgement) -> None:
    found = audited(judgement)
    assert found["price_range"].sample_keys == ("b", "d")
    assert found["word_form"].sample_keys == ("b", "d", "e", "f", "h"), "no more than a few"


def test_both_agree_on_columns_without_any_value(engine) -> None:
    judgement = judge(engine, things(*RULES), [thing("a"), thing("b")])
    found = audited(judgement)
    assert {name: result.failing for name, result in found.items()} == counted(judgement)
    assert {result.error for result in found.values()} == {None}


def test_rules_that_could_not_be_judged_are_not_asked(engine) -> None:
    judgement = judge(engine, things(*RULES), [thing("a", owner_id="nobody")])
    assert "owner_exists" not in audited(judgement)


def test_batches_add_up_to_the_whole(judgement, monkeypatch) -> None:
    whole = audited(judgement)
    monkeypatch.setattr(expectations, "AUDIT_ROWS", 4)
    in_batches = audited(judgement)
    assert {name: (a.rows, a.failing) for name, a in in_batches.items()} == {
        name: (a.rows, a.failing) for name, a in whole.items()
    }


def test_no_rows_are_no_failures(engine) -> None:
    assert {(found.rows, found.failing, found.percent) for found in audit(judge(engine, things(*RULES), []))} == {(0, 0, 0.0)}


def test_an_expectation_that_cannot_be_evaluated_counts_as_failed_by_every_row(engine, monkeypatch) -> None:
    def misspelt(rule: Rule) -> object:
        found = expectation_of(rule)
        return found if rule.name != "word_present" else expectation_of(Rule(rule.name, NotNull("wrod"), rule.reason))

    monkeypatch.setattr(expectations, "expectation_of", misspelt)
    found = audited(judge(engine, things(RULES[0]), [thing("a", word="x"), thing("b", word="y")]))
    assert found["word_present"].failing == found["word_present"].rows == 2
    assert "wrod" in (found["word_present"].error or "")
    assert found["key_unique"].failing == 0


def test_an_exception_is_read_from_either_form_in_which_it_is_told() -> None:
    rule = RULES[0]
    told = {"raised_exception": True, "exception_message": "boom"}
    for info in (told, {"metric": {"raised_exception": False}, "other": told}):
        result = SimpleNamespace(expectation_config=SimpleNamespace(type="kind"), exception_info=info, result={})
        assert expectations._read(rule, result, 3) == Audit(rule, "kind", 3, 3, (), "boom")


def test_evaluating_patterns_with_groups_warns_of_nothing(judgement) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        audit(judgement)
    assert [str(warning.message) for warning in said if "match groups" in str(warning.message)] == []


def test_the_audit_writes_no_progress_bars(judgement, capfd) -> None:
    audit(judgement)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("(a|b)+", "(?:a|b)+"),
        ("((a)b)", "(?:(?:a)b)"),
        (r"\(a\)", r"\(a\)"),
        (r"\\(a)", r"\\(?:a)"),
        ("[(]x[^(](y)", "[(]x[^(](?:y)"),
        ("[]()](y)", "[]()](?:y)"),
        (r"[\](](y)", r"[\](](?:y)"),
        ("(?:a)(?i:b)", "(?:a)(?i:b)"),
        (r"\d+\.\D", r"[0-9]+\.[^0-9]"),
        (r"[^@\s]\w\\d", r"[^@\t\n\f\r ][0-9A-Za-z_]\\d"),
    ],
)
def test_groups_lose_their_capture_and_classes_are_spelt_out(pattern: str, expected: str) -> None:
    assert portable(pattern) == expected
    assert re.compile(expected).groups == 0


@settings(deadline=None)
@given(word=st.text(alphabet="0123456789.:@ab(\n\v １x", max_size=18))
@pytest.mark.parametrize("pattern", [IP_FORM, r"[^@\s]+@[^@\s]+\.[^@\s]+", r"\W\w*\S"])
def test_a_translated_pattern_matches_in_python_what_it_matches_in_sql(engine, pattern: str, word: str) -> None:
    in_sql = fetch_row(engine, f"SELECT regexp_full_match({text(word)}, {text(pattern)})")[0]
    assert bool(re.fullmatch(portable(pattern), word)) == in_sql


@pytest.mark.parametrize("table", TICKETING.validated_tables, ids=lambda table: table.name)
def test_every_declared_pattern_is_free_of_captures_once_translated(table: Table) -> None:
    for rule in table.rules:
        if isinstance(rule.check, Matches):
            assert re.compile(expectation_of(rule).regex).groups == 0
