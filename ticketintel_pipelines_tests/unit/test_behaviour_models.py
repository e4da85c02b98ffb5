"""The models of bots and of scalping over small worlds: what a day says depends on nothing later, and evidence proves."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.assessment import Learnt
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.window_model import WindowModel
from ticketintel_pipelines.ticketing.models.bots import BOTS
from ticketintel_pipelines.ticketing.models.scalping import SCALPING
from ticketintel_pipelines_tests.behaviour_world import Tables, trade, trade_world, verdict, visits_world, window_of

FIRST = date(2026, 1, 1)
ALL = DayRange(FIRST, date(2026, 1, 9))
MODELS = {"bots": BOTS, "scalping": SCALPING}
WORLDS = {"bots": visits_world(FIRST, 9, 130, 1), "scalping": trade_world(FIRST, 9, 1)}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@cache
def learnt(name: str) -> Learnt:
    with duckdb.connect() as connection:
        tables, truth = WORLDS[name]
        return MODELS[name].learn(window_of(connection, MODELS[name], tables, ALL, truth), 1)


def scored(
    engine: duckdb.DuckDBPyConnection, model: WindowModel, files: Mapping[str, bytes], tables: Tables, days: DayRange
) -> list[dict]:
    rows = model.score(files, window_of(engine, model, tables, days))
    return rows.to_pylist()


@pytest.mark.parametrize("name", MODELS)
def test_it_beats_its_baseline_where_the_difference_is_planted(name: str) -> None:
    found = learnt(name).assessment
    assert found.comparisons[0].baseline == MODELS[name].baseline
    assert found.comparisons[0].beats
    assert {section.title for section in found.sections} >= {"Scores", "Precision and recall", "Written rules"}


@pytest.mark.parametrize("name", MODELS)
def test_the_figure_that_decides_is_one_of_those_kept_with_the_version(name: str) -> None:
    found = learnt(name).assessment
    assert found.figures["average_precision"] == found.comparisons[0].model


def test_scalpers_whom_nobody_had_named_are_judged_by_themselves(engine: duckdb.DuckDBPyConnection) -> None:
    tables, truth = WORLDS["scalping"]
    buyer = {row["transaction_id"]: row["buyer_address"] for row in tables["transactions"]}
    some = [row for row in tables["fraud_reviews"] if buyer.get(row["transaction_id"]) != "0xscalper5"]
    found = SCALPING.learn(window_of(engine, SCALPING, {**tables, "fraud_reviews": some}, ALL, truth), 1).assessment
    first, last = found.comparisons[0], found.comparisons[-1]
    assert "of wallets that nobody had named before" in last.of
    assert int(last.of.split()[0]) < int(first.of.split()[0])
    assert last.baseline == first.baseline and last.other != first.other
    # Where the desk had named them all, there is nobody to judge by.
    assert "nobody had named" not in learnt("scalping").assessment.comparisons[-1].of


@pytest.mark.parametrize("name", MODELS)
def test_without_a_known_truth_nothing_is_compared_and_the_report_says_so(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    model = MODELS[name]
    blind = model.learn(window_of(engine, model, WORLDS[name][0], ALL), 1)
    assert not blind.assessment.comparisons
    assert "nothing is compared" in blind.assessment.words
    # Truth judges, and nothing is learned from it.
    assert blind.files == learnt(name).files


@pytest.mark.parametrize("name", MODELS)
def test_several_days_at_once_are_what_each_day_by_itself_gives(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    model, (tables, _) = MODELS[name], WORLDS[name]
    files = learnt(name).files
    days = DayRange(date(2026, 1, 4), date(2026, 1, 7))
    together = scored(engine, model, files, tables, days)
    apart = [row for day in days.days for row in scored(engine, model, files, tables, DayRange(day, day))]
    assert together == apart
    assert {row[model.table.time].date() for row in together} == set(days.days)


@pytest.mark.parametrize("name", MODELS)
def test_what_happens_later_changes_nothing_before(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    model, (tables, _) = MODELS[name], WORLDS[name]
    files = learnt(name).files
    cut = datetime(2026, 1, 6, tzinfo=UTC)
    before = scored(engine, model, files, tables, DayRange(date(2026, 1, 4), date(2026, 1, 5)))
    poisoned = {table: [later(table, row, cut) for row in rows] for table, rows in tables.items()}
    assert poisoned != tables
    after = scored(engine, model, files, poisoned, DayRange(date(2026, 1, 4), date(2026, 1, 8)))
    assert [row for row in after if row[model.table.time] < cut] == before


def later(table: str, row: Mapping[str, Any], cut: datetime) -> Mapping[str, Any]:
    """The row, made into something else if it is of a later time: other people, prices, statuses."""
    times = {"transactions": "occurred_at", "sessions": "started_at", "api_requests": "requested_at", "orders": "created_at"}
    if table not in times or row[times[table]] < cut:
        return row
    changes: dict[str, dict[str, Any]] = {
        "transactions": {"price_wei": "7", "seller_address": "0xsomebody"},
        "sessions": {"ip_hash": "rented", "device_id": "d-bot", "user_agent": "curl"},
        "api_requests": {"status_code": 500, "path": "/other", "method": "POST"},
        "orders": {"quantity": 900},
    }
    return {**row, **changes[table]}


@pytest.mark.parametrize("name", MODELS)
def test_its_rows_have_the_declared_columns_and_types(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    model, (tables, _) = MODELS[name], WORLDS[name]
    files = learnt(name).files
    for days in (ALL, DayRange(date(2027, 1, 1), date(2027, 1, 1))):
        rows = model.score(files, window_of(engine, model, tables, days))
        kinds = dict(engine.execute("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM rows)").fetchall())
        declared = {column.name: column.type.duckdb for column in model.table.columns}
        spelled = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
        wanted = {one: spelled.get(kind, kind) for one, kind in declared.items() if one not in ("scored_at", "model_version")}
        assert kinds == wanted
        required = [column.name for column in model.table.columns if column.required and column.name in wanted]
        assert not any(rows[one].null_count for one in required)


@pytest.mark.parametrize("name", MODELS)
def test_too_little_to_learn_from_is_refused_in_words(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    model, (tables, _) = MODELS[name], WORLDS[name]
    with pytest.raises(TooFewExamplesError, match="too few"):
        model.learn(window_of(engine, model, tables, DayRange(FIRST, date(2026, 1, 2))), 1)
    with pytest.raises(TooFewExamplesError, match="too few"):
        model.learn(window_of(engine, model, {}, ALL), 1)


def test_bots_are_called_and_people_are_not(engine: duckdb.DuckDBPyConnection) -> None:
    rows = scored(engine, BOTS, learnt("bots").files, WORLDS["bots"][0], ALL)
    of_bots = [row for row in rows if (row["user_id"] or "").startswith("bot-")]
    assert sum(row["is_bot"] for row in of_bots) >= 0.9 * len(of_bots)
    assert sum(row["is_bot"] for row in rows) <= 1.1 * len(of_bots)
    assert all(json.loads(row["top_features"]) for row in of_bots if row["is_bot"])
    assert all("automated_agent" in json.loads(row["rules_fired"]) for row in of_bots)


def test_rows_of_a_wallet_prove_its_rules_and_do_so_alone(engine: duckdb.DuckDBPyConnection) -> None:
    tables, _ = WORLDS["scalping"]
    files = learnt("scalping").files
    rows = [row for row in scored(engine, SCALPING, files, tables, DayRange(ALL.last, ALL.last)) if row["rules_fired"] != "[]"]
    assert len(rows) > 5
    for row in rows[:12]:
        proofs = json.loads(row["evidence"])
        assert list(proofs) == json.loads(row["rules_fired"])
        for rule, ids in proofs.items():
            shown = [one for one in tables["transactions"] if one["transaction_id"] in ids]
            assert len(shown) == len(ids)
            # The sale of a ticket bought long ago makes the wallet one that traded on the day, and counts in no rule.
            end = datetime(2026, 1, 9, 23, 59, tzinfo=UTC)
            shown.append(trade("x", end, seller=row["wallet_address"], buyer=None, token=9_999))
            alone = scored(engine, SCALPING, files, {**tables, "transactions": shown}, DayRange(ALL.last, ALL.last))
            (again,) = [one for one in alone if one["wallet_address"] == row["wallet_address"]]
            assert rule in json.loads(again["rules_fired"])


ON_SALE = datetime(2026, 1, 5, 6, tzinfo=UTC)
EVENT = {"event_id": "e", "created_at": ON_SALE - timedelta(days=3), "on_sale_at": ON_SALE}
RULES_ONLY = {"scalping.json": b'{"by": "rules", "rules": ["bulk_at_on_sale", "mark_up", "short_hold", "mostly_resold"]}'}


def of_wallet(engine: duckdb.DuckDBPyConnection, trades: list[dict], day: date = date(2026, 1, 5), wallet: str = "0xw") -> dict:
    tables = {"transactions": trades, "events": [EVENT]}
    found = [row for row in scored(engine, SCALPING, RULES_ONLY, tables, DayRange(day, day)) if row["wallet_address"] == wallet]
    return found[0] if found else {}


def bought(count: int, seconds: float = 30) -> list[dict]:
    return [trade(f"p{n}", ON_SALE + timedelta(seconds=seconds), buyer="0xw", token=n) for n in range(count)]


def resold(count: int, hours: float = 3, price: float = 2.0) -> list[dict]:
    at = ON_SALE + timedelta(seconds=30, hours=hours)
    return [trade(f"r{n}", at, seller="0xw", buyer="0xfan", token=n, price=price) for n in range(count)]


@pytest.mark.parametrize(
    ("rule", "below", "at"),
    [
        ("bulk_at_on_sale", bought(3), bought(4)),
        ("bulk_at_on_sale", bought(4, 600), bought(4, 599)),
        ("bulk_at_on_sale", bought(4, -1), bought(4, 0)),
        ("mark_up", bought(2) + resold(2, price=1.24), bought(2) + resold(2, price=1.25)),
        ("mark_up", bought(2) + resold(1), bought(2) + resold(2)),
        ("mostly_resold", bought(4) + resold(1), bought(4) + resold(2)),
        ("mostly_resold", bought(3) + resold(3), bought(4) + resold(4)),
    ],
)
def test_each_rule_of_scalping_fires_from_its_threshold_on(
    engine: duckdb.DuckDBPyConnection, rule: str, below: list[dict], at: list[dict]
) -> None:
    assert rule not in json.loads(of_wallet(engine, below)["rules_fired"])
    assert rule in json.loads(of_wallet(engine, at)["rules_fired"])


@pytest.mark.parametrize(("hours", "fires"), [(24, True), (24.1, False)])
def test_a_ticket_sold_within_a_day_was_held_shortly(engine: duckdb.DuckDBPyConnection, hours: float, fires: bool) -> None:
    row = of_wallet(engine, bought(2) + resold(2, hours), date(2026, 1, 6))
    assert ("short_hold" in json.loads(row["rules_fired"])) is fires
    assert row["hold_hours"] == pytest.approx(hours)


def test_a_sale_of_the_next_day_is_not_known_on_the_day_of_the_purchase(engine: duckdb.DuckDBPyConnection) -> None:
    trades = bought(4) + resold(4, hours=20)
    assert of_wallet(engine, trades)["share_resold"] == 0
    assert of_wallet(engine, trades, date(2026, 1, 6))["share_resold"] == 1


def test_a_buyer_found_out_by_the_next_sale_is_not_known_before_it(engine: duckdb.DuckDBPyConnection) -> None:
    purchase = trade("p", NOON, buyer="0xw", token=1, source="repaired")
    sale = trade("r", NOON + timedelta(days=2), seller="0xw", buyer="0xfan", token=1, price=2.0)
    days = DayRange(date(2026, 1, 5), date(2026, 1, 7))
    rows = scored(engine, SCALPING, RULES_ONLY, {"transactions": [purchase, sale]}, days)
    assert [(row["day"].date(), row["tickets_bought"], row["mark_up"]) for row in rows if row["wallet_address"] == "0xw"] == [
        (date(2026, 1, 7), 1, 2.0)
    ]


def test_what_was_bought_more_than_thirty_days_ago_counts_only_as_sold(engine: duckdb.DuckDBPyConnection) -> None:
    trades = [
        trade("p", NOON - timedelta(days=30), buyer="0xw", token=1),
        trade("r", NOON, seller="0xw", buyer="0xfan", token=1),
    ]
    row = of_wallet(engine, trades)
    assert (row["tickets_bought"], row["mark_up"], row["share_resold"]) == (0, None, None)


def test_prices_of_next_to_nothing_make_no_mark_up(engine: duckdb.DuckDBPyConnection) -> None:
    trades = [trade("p", NOON, buyer="0xw", token=1, price=1e-18), trade("r", NOON, seller="0xw", buyer="0xf", token=1)]
    assert of_wallet(engine, trades)["mark_up"] is None


def test_a_verdict_counts_from_when_it_was_given_and_the_last_one_holds(engine: duckdb.DuckDBPyConnection) -> None:
    from ticketintel_pipelines.ticketing.models.queries import QUERIES

    at = NOON + timedelta(days=1)
    reviews = [verdict("p", at, "scalping"), {**verdict("p", at + timedelta(days=2), "scalping"), "fraud_kind": None}]
    sale = trade("q", NOON, seller="0xseller", buyer="0xfan", token=2)
    tables = {
        "transactions": [trade("p", NOON, buyer="0xw", token=1), sale],
        "fraud_reviews": [*reviews, verdict("q", at, "scalping")],
        "events": [EVENT],
    }
    window = window_of(engine, SCALPING, tables, ALL)

    def accused(until: date) -> list[str]:
        rows: pa.Table = window.rows(QUERIES / "scalping_verdicts.sql", known_before=until)
        return rows["wallet_address"].to_pylist()

    assert accused(at.date()) == []
    assert accused(at.date() + timedelta(days=1)) == ["0xseller", "0xw"]
    assert accused(at.date() + timedelta(days=3)) == ["0xseller"]
