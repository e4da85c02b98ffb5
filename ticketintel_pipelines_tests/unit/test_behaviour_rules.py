"""Regularity, written rules and their proof, held against plain recomputation; the rules of access logs against a real one."""

import json
import re
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.learning.behaviour.access_log import ACCESS_RULES, log_rows
from ticketintel_pipelines.learning.behaviour.measures import (
    counted,
    distinct,
    gap_variation,
    largest,
    median,
    most_within,
    share,
)
from ticketintel_pipelines.learning.behaviour.regularity import SECOND, busiest, entropy, gap_entropy, partners, variation
from ticketintel_pipelines.learning.behaviour.rules import Rule, judge
from ticketintel_pipelines_tests.shared_data import shared_data

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=30)


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1] * SECOND


@given(ROWS)
def test_the_busiest_span_is_the_one_found_by_trying_each(rows: list[tuple[int, int]]) -> None:
    subject, at = columns(rows)
    most, proof = busiest(subject, at, 4, 10)
    for one in range(4):
        times = at[subject == one]
        tried = [int(((times >= start) & (times < start + 10 * SECOND)).sum()) for start in times]
        assert most[one] == max(tried, default=0)
        assert proof[subject == one].sum() == most[one]


@given(ROWS, st.randoms(use_true_random=False))
def test_figures_of_regularity_do_not_depend_on_the_order_of_rows_or_on_when_it_was(
    rows: list[tuple[int, int]], random: object
) -> None:
    subject, at = columns(rows)
    mixed = list(rows)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    again, later = columns(mixed)
    for figure in (variation, gap_entropy):
        np.testing.assert_allclose(figure(subject, at, 4), figure(again, later + 86_400 * SECOND, 4))


def test_a_metronome_does_not_vary_and_a_person_does() -> None:
    even, random = np.arange(20) * 3 * SECOND, np.random.default_rng(1)
    people = np.sort(random.integers(0, 60 * SECOND, 2_000))
    assert variation(np.zeros(20, np.int64), even, 1)[0] == 0
    assert gap_entropy(np.zeros(20, np.int64), even, 1)[0] == 0
    assert variation(np.zeros(2_000, np.int64), people, 1)[0] == pytest.approx(1.0, abs=0.1)
    assert np.isnan(variation(np.zeros(2, np.int64), even[:2], 1)[0])


def test_entropy_and_partners_count_kinds() -> None:
    subject, kind = np.array([0, 0, 0, 0, 1]), np.array([5, 6, 7, 8, 5])
    assert entropy(subject, kind, 3).tolist()[:2] == [2.0, 0.0]
    assert np.isnan(entropy(subject, kind, 3)[2])
    assert partners(np.array([0, 0, 0, 1, -1]), np.array([4, 4, 5, -1, 4]), 2).tolist() == [2, 0]


RULES = (
    Rule("busy", "", most_within(10), 3, ""),
    Rule("even", "", gap_variation(), 0.5, "", at_most=True, least_rows=3),
    Rule("many", "", counted("flag"), 2, ""),
    Rule("group", "", largest("group", "flag"), 2, ""),
    Rule("kinds", "", distinct("group"), 3, "", weight=3.0),
    Rule("part", "", share("flag", among="other"), 0.5, "", least_rows=2),
    Rule("middle", "", median("number"), 4, "", at_most=True, least_rows=2),
)
ROW = st.tuples(
    st.integers(0, 3),
    st.integers(0, 60),
    st.booleans(),
    st.booleans(),
    st.integers(-1, 3),
    st.one_of(st.just(float("nan")), st.integers(0, 9).map(float)),
)


@settings(max_examples=150)
@given(st.lists(ROW, max_size=25))
def test_a_rule_fires_again_with_the_same_value_on_its_evidence_alone(
    drawn: list[tuple[int, int, bool, bool, int, float]],
) -> None:
    made = list(zip(*drawn, strict=True)) if drawn else [()] * 6
    kinds = (np.int64, np.int64, bool, bool, np.int64, np.float64)
    subject, at, flag, other, group, number = (np.array(one, kind) for one, kind in zip(made, kinds, strict=True))
    rows = {"at": at * SECOND, "flag": flag, "other": other, "group": group, "number": number}
    judged = judge(RULES, rows, subject, 4)
    for one, proofs in enumerate(judged.evidence()):
        assert list(proofs) == judged.names(one)
        for name, places in proofs.items():
            alone = {column: values[places] for column, values in rows.items()}
            assert (subject[places] == one).all()
            again = judge(RULES, alone, subject[places], 4)
            rule = [rule.name for rule in RULES].index(name)
            assert again.fired[one, rule]
            assert again.values[one, rule] == judged.values[one, rule]


def test_a_score_is_the_share_of_the_weight_that_fired() -> None:
    rows = {
        "at": np.array([0, 100, 250]) * SECOND,
        "flag": np.zeros(3, bool),
        "other": np.zeros(3, bool),
        "group": np.array([1, 2, 3]),
        "number": np.full(3, np.nan),
    }
    judged = judge(RULES, rows, np.zeros(3, np.int64), 2)
    assert judged.names(0) == ["even", "kinds"]
    assert judged.score.tolist() == [4 / 9, 0]
    assert judged.score_of(["kinds", "busy"])[0] == 3 / 4
    assert judged.taken(np.array([False, True])).fired.tolist() == [[False] * 7]


def requests(
    seconds: list[float], methods: str = "", paths: str = "", status: list[int] | None = None, agent: str = "Firefox"
) -> dict[str, np.ndarray]:
    """A log's rows of one subject; methods as letters (P for POST), paths as letters."""
    count = len(seconds)
    return log_rows(
        (np.array(seconds) * SECOND).astype(np.int64),
        pa.array(["POST" if letter == "P" else "GET" for letter in (methods or "G" * count)]),
        pa.array([f"/{letter}" for letter in (paths or "a" * count)]),
        np.array(status or [200] * count),
        pa.array([agent] * count, pa.string()),
    )


UNEVEN = [0, 100, 130, 300, 310, 500, 505, 900, 1_000, 1_500.0]
CASES = [
    ("many_requests_a_minute", requests([place * 3.1 for place in range(19)]), requests([place * 3.1 for place in range(20)])),
    ("automated_agent", requests([0]), requests([0], agent="python-requests/2.32.5")),
    ("even_intervals", requests([0, 90, 200, 300, 410, 500, 620, 700.0]), requests([place * 100.0 for place in range(8)])),
    ("hasty_form", requests([0, 3.1], "GP"), requests([0, 3.0], "GP")),
    ("hasty_form", requests([0, 1.0], "GP", "ab"), requests([0, 50, 51], "GGP", "baa")),
    ("blind_forms", requests([0, 50, 99, 200], "GPPP", "aaaa"), requests([0, 50, 99, 200], "GPPP", "abbb")),
    ("mostly_errors", requests(UNEVEN, status=[200] * 8 + [429] * 2), requests(UNEVEN, status=[200] * 7 + [429] * 3)),
]


@pytest.mark.parametrize(("name", "below", "at"), CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_each_rule_of_access_logs_fires_from_its_threshold_on(name: str, below: dict, at: dict) -> None:
    def fired(rows: dict) -> list[str]:
        return judge(ACCESS_RULES, rows, np.zeros(len(rows["at"]), np.int64), 1).names(0)

    assert name not in fired(below)
    assert name in fired(at)


def test_an_agent_that_nobody_recorded_is_not_one_that_the_client_left_out() -> None:
    at, get, path, status = np.array([0, SECOND]), pa.array(["GET"] * 2), pa.array(["/"] * 2), np.array([200, 200])
    unknown = log_rows(at, get, path, status, pa.array([None, None], pa.string()))
    left_out = log_rows(at, get, path, status, pa.array(["-", ""]))
    assert not unknown["is_automated"].any()
    assert left_out["is_automated"].all()


def test_a_log_without_rows_breaks_no_rule() -> None:
    assert judge(ACCESS_RULES, requests([]), np.zeros(0, np.int64), 2).score.tolist() == [0, 0]


LINE = re.compile(r'(\S+) \S+ \S+ \[([^]]+)\] "(\S+) (\S+)[^"]*" (\d+) \S+ "[^"]*" "([^"]*)"')


def test_the_rules_find_the_form_bots_of_a_real_web_log() -> None:
    folder = shared_data("siem_web_bots_25_27oct")
    truth = json.loads((folder / "TRUTH_access.json").read_text())
    lines = [LINE.fullmatch(line) for line in (folder / "access.log").read_text().splitlines()]
    address, when, method, path, status, agent = zip(*(line.groups() for line in lines if line), strict=True)
    names, subject = np.unique(address, return_inverse=True)
    at = np.array([int(datetime.strptime(one, "%d/%b/%Y:%H:%M:%S %z").timestamp()) for one in when]) * SECOND
    rows = log_rows(at, pa.array(method), pa.array(path), np.array(status, np.int64), pa.array(agent))
    judged = judge(ACCESS_RULES, rows, subject, len(names))

    writes = np.bincount(subject[rows["is_write"]], minlength=len(names))
    assert (len(address), len(names), int(writes.sum())) == (truth["lines"], truth["ips"], truth["post_lines"])
    assert {name: int(count) for name, count in zip(names, writes, strict=True) if name in truth["per_ip_top"]} == {
        name: one["posts"] for name, one in truth["per_ip_top"].items()
    }
    # Whoever sends the form here is a bot: nine of ten give themselves away, and nobody who only reads is called hasty.
    caught = judged.fired.sum(axis=1) > 0
    posting = writes > 0
    assert posting.sum() == truth["ips_posting"]
    assert caught[posting].mean() >= 0.9
    assert not any("hasty_form" in judged.names(one) for one in np.flatnonzero(~posting).tolist())
    busiest_of_all = names.tolist().index(max(truth["per_ip_top"], key=lambda one: truth["per_ip_top"][one]["requests"]))
    assert "hasty_form" in judged.names(busiest_of_all)


def test_three_names_of_one_address_are_too_many() -> None:
    at, get, path, status = np.arange(3) * 900 * SECOND, pa.array(["GET"] * 3), pa.array(["/"] * 3), np.full(3, 200)
    for names, fires in ((["a", "b", "a"], False), (["a", "b", "c"], True), (["a", "b", None], False)):
        rows = log_rows(at, get, path, status, pa.array(names))
        assert ("many_agents" in judge(ACCESS_RULES, rows, np.zeros(3, np.int64), 1).names(0)) is fires


def test_of_groups_equally_large_the_one_that_begins_first_is_shown_however_they_are_numbered() -> None:
    for numbers in ([7, 2, 7, 2], [2, 7, 2, 7]):
        rows = {"group": np.array(numbers), "flag": np.ones(4, bool)}
        reading = largest("group", "flag")(rows, np.zeros(4, np.int64), 1)
        assert (reading.values.tolist(), reading.proof.tolist()) == ([2.0], [True, False, True, False])
