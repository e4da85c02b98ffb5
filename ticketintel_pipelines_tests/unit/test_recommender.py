"""The recommender of events over a small market of two cities whose people stay at home."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from ticketintel_pipelines.lake.arrow_types import arrow_type
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.assessment import Learnt
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.recommending.recommender import FILE
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.recommender import RECOMMENDER
from ticketintel_pipelines.ticketing.tables.recommendations import RECOMMENDATIONS

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 16)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WALLETS, DAILY = 240, 90
CITIES = (("Lyon", "FR", 45.76, 4.84), ("Porto", "PT", 41.15, -8.61))
NEW = 7
"""So many wallets visit and buy nothing."""
Rows = dict[str, list]


def wallet(number: int) -> str:
    return f"0x{number:040x}"


def market(seed: int = 1) -> dict[str, Rows]:
    """Tables of 16 days: 48 events, six of which open every other day, and 240 wallets that mostly buy in their city."""
    rng = np.random.default_rng(seed)
    count = 48
    city = np.arange(count) % 2
    opens = (np.arange(count) // 6) * 2
    created = [BEGIN + timedelta(days=int(day), hours=1) for day in opens]
    names = [f"e{place:03d}" for place in range(count)]
    events: Rows = {
        "event_id": names,
        "name": [f"Evening {place}" for place in range(count)],
        "category": [("concert", "sport", "theatre")[place % 3] for place in range(count)],
        "city": [CITIES[one][0] for one in city],
        "venue": ["Hall"] * count,
        "country_code": [CITIES[one][1] for one in city],
        "latitude": [CITIES[one][2] for one in city],
        "longitude": [CITIES[one][3] for one in city],
        "face_value_usd": [float(20 + 7 * (place % 5)) for place in range(count)],
        "capacity": [100_000] * count,
        "created_at": created,
        "known_at": [None] * count,
        "deleted_at": [None] * count,
        "on_sale_at": [one + timedelta(hours=2) for one in created],
        "starts_at": [one + timedelta(days=6, hours=int(place % 4)) for place, one in enumerate(created)],
    }
    popularity = np.exp(rng.normal(0, 0.7, count))
    bought: Rows = {"buyer_address": [], "event_id": [], "occurred_at": [], "kind": []}
    for day in range(16):
        now = BEGIN + timedelta(days=day)
        sold = np.array([events["on_sale_at"][e] < now + timedelta(hours=4) < events["starts_at"][e] for e in range(count)])
        for buyer in rng.choice(WALLETS, DAILY, replace=False):
            odds = popularity * sold * np.where(city == buyer % 2, 12.0, 1.0)
            bought["buyer_address"].append(wallet(int(buyer)))
            bought["event_id"].append(names[int(rng.choice(count, p=odds / odds.sum()))])
            bought["occurred_at"].append(now + timedelta(seconds=int(rng.integers(5 * 3600, 20 * 3600))))
            bought["kind"].append("resale" if rng.random() < 0.2 else "primary_sale")
    visitors = range(WALLETS + NEW)
    users: Rows = {
        "user_id": [f"u{number}" for number in visitors],
        "wallet_address": [wallet(number) for number in visitors],
        "created_at": [BEGIN] * len(visitors),
        "known_at": [None] * len(visitors),
    }
    sessions: Rows = {
        "user_id": users["user_id"],
        "started_at": [BEGIN + timedelta(hours=1 + number % 20) for number in visitors],
        "known_at": [None] * len(visitors),
        "latitude": [round(CITIES[number % 2][2], 1) for number in visitors],
        "longitude": [round(CITIES[number % 2][3], 1) for number in visitors],
    }
    return {"transactions": bought, "events": events, "users": users, "sessions": sessions}


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    yield connection
    connection.close()


def window(engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], first: date = FIRST, last: date = LAST) -> Window:
    """A window as it is opened over a lake: no row of a later day."""
    for name, rows in tables.items():
        types = {column: pa.timestamp("us", "UTC") for column in rows if column.endswith("_at")}
        columns = {column: pa.array(values, types.get(column)) for column, values in rows.items()}
        table = pa.table(columns)
        own = {"transactions": "occurred_at", "sessions": "started_at"}.get(name, "created_at")
        engine.register(f"{name}_rows", table)
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {name}_rows WHERE {own}::DATE <= '{last}'")
    return Window(engine, DayRange(first, last), DayRange(first - timedelta(days=90), last))


@pytest.fixture(scope="module")
def tables() -> dict[str, Rows]:
    return market()


@pytest.fixture(scope="module")
def learnt(tables: dict[str, Rows]) -> Learnt:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return RECOMMENDER.learn(window(connection, tables), 1)


def lists(rows: pa.Table) -> list[dict]:
    return rows.to_pylist()


def changed(tables: dict[str, Rows], name: str, **columns: list) -> dict[str, Rows]:
    return {**tables, name: {**tables[name], **columns}}


def test_lists_hold_what_is_on_sale_and_was_not_bought(
    engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], learnt: Learnt
) -> None:
    day = date(2026, 1, 9)
    end = datetime(2026, 1, 10, tzinfo=UTC)
    events = tables["events"]
    capacity = list(events["capacity"])
    sold_out, deleted, late = (events["event_id"].index(one) for one in ("e020", "e022", "e024"))
    capacity[sold_out] = 1
    gone, known = list(events["deleted_at"]), list(events["known_at"])
    gone[deleted], known[late] = end - timedelta(hours=3), end + timedelta(hours=1)
    given = changed(tables, "events", capacity=capacity, deleted_at=gone, known_at=known)
    found = RECOMMENDER.score(learnt.files, window(engine, given, day, day))
    assert found.schema.names == [column.name for column in RECOMMENDATIONS.columns][:-2]
    assert found.schema.types == [arrow_type(column) for column in RECOMMENDATIONS.columns][:-2]
    offered = {
        name
        for place, name in enumerate(events["event_id"])
        if events["on_sale_at"][place] < end < events["starts_at"][place] and place not in (sold_out, deleted, late)
    }
    bought = tables["transactions"]
    before = {
        (who, what)
        for who, what, when in zip(bought["buyer_address"], bought["event_id"], bought["occurred_at"], strict=True)
        if when < end
    }
    by_wallet: dict[str, list[dict]] = {}
    for row in lists(found):
        by_wallet.setdefault(row["wallet_address"], []).append(row)
    assert set(by_wallet) == {wallet(number) for number in range(WALLETS + NEW)}
    for who, rows in by_wallet.items():
        allowed = offered - {what for buyer, what in before if buyer == who}
        named = [row["event_id"] for row in rows]
        assert set(named) <= allowed
        assert len(set(named)) == len(named) == min(10, len(allowed))
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
        assert {row["day"] for row in rows} == {datetime(2026, 1, 9, tzinfo=UTC)}


def test_what_happens_after_a_day_changes_nothing_in_its_lists(
    engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], learnt: Learnt
) -> None:
    days = [date(2026, 1, 10), date(2026, 1, 11), date(2026, 1, 12)]
    apart = pa.concat_tables([RECOMMENDER.score(learnt.files, window(engine, tables, day, day)) for day in days])
    together = RECOMMENDER.score(learnt.files, window(engine, tables, days[0], days[-1]))
    assert together.equals(apart)
    bought = tables["transactions"]
    later = [place for place, when in enumerate(bought["occurred_at"]) if when >= datetime(2026, 1, 11, tzinfo=UTC)]
    shuffled = list(bought["event_id"])
    for place, other in zip(later, np.random.default_rng(3).permutation(later), strict=True):
        shuffled[place] = bought["event_id"][other]
    assert shuffled != bought["event_id"]
    again = RECOMMENDER.score(learnt.files, window(engine, changed(tables, "transactions", event_id=shuffled), days[0], LAST))
    first_day = [row for row in lists(again) if row["day"] == datetime(2026, 1, 10, tzinfo=UTC)]
    assert first_day == lists(RECOMMENDER.score(learnt.files, window(engine, tables, days[0], days[0])))


def test_a_wallet_that_never_bought_is_shown_events_of_its_city_first(
    engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], learnt: Learnt
) -> None:
    rows = lists(RECOMMENDER.score(learnt.files, window(engine, tables, LAST, LAST)))
    city = dict(zip(tables["events"]["event_id"], tables["events"]["city"], strict=True))
    for number in range(WALLETS, WALLETS + NEW):
        own = [row for row in rows if row["wallet_address"] == wallet(number)]
        home = CITIES[number % 2][0]
        assert {row["source"] for row in own} <= {"content", "popular"}
        assert city[own[0]["event_id"]] == home
        reason = json.loads(next(row["reason"] for row in own if row["source"] == "content"))
        assert reason["shared"] == {"city": home}
        assert home in reason["words"]


def test_reasons_are_true(engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], learnt: Learnt) -> None:
    events, bought = tables["events"], tables["transactions"]
    place = {name: number for number, name in enumerate(events["event_id"])}
    of: dict[str, set[str]] = {}
    for who, what in zip(bought["buyer_address"], bought["event_id"], strict=True):
        of.setdefault(who, set()).add(what)
    weights = json.loads(learnt.files[FILE])
    # A market where neighbours count for more, so that every kind of reason is given.
    weights["weights"]["with_history"]["neighbours"] = 60.0
    rows = lists(RECOMMENDER.score({FILE: json.dumps(weights).encode()}, window(engine, tables, LAST, LAST)))
    kinds = set()
    for row in rows:
        reason, had = json.loads(row["reason"]), of.get(row["wallet_address"], set())
        kinds.add(reason["kind"])
        assert reason["words"]
        if reason["kind"] in ("rule", "similar"):
            assert set(reason["bought"]) <= had
        if reason["kind"] == "rule":
            having = [one for one in of.values() if set(reason["bought"]) <= one]
            both = [one for one in having if row["event_id"] in one]
            assert reason["support"] == pytest.approx(len(both) / len(of), abs=1e-5)
            assert reason["confidence"] == pytest.approx(len(both) / len(having), abs=1e-4)
        if reason["kind"] == "shared" and "category" in reason["shared"]:
            own = events["category"][place[row["event_id"]]]
            assert own == reason["shared"]["category"]
            assert own in {events["category"][place[one]] for one in had}
        if reason["kind"] == "popular":
            assert reason["buyers"] == sum(row["event_id"] in one for one in of.values())
    assert kinds == {"rule", "similar", "shared", "popular"} or kinds == {"rule", "shared", "popular"}


def test_learning_beats_what_is_merely_popular_and_says_by_how_much(learnt: Learnt) -> None:
    first = learnt.assessment.comparisons[0]
    assert first.figure == "NDCG@10"
    assert first.beats
    baselines = [one for one in learnt.assessment.comparisons if one.figure == first.figure and "personal" not in one.baseline]
    assert first.other.value == max(one.other.value for one in baselines)
    assert "which the blend beats" in learnt.assessment.words
    assert [one.title for one in learnt.assessment.sections] == ["What ranks well", "What weighs how much"]


def test_equal_data_and_seed_give_equal_bytes(
    engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], learnt: Learnt
) -> None:
    again = RECOMMENDER.learn(window(engine, tables), 1)
    assert again.files == learnt.files
    assert again.assessment == learnt.assessment


def test_the_weights_that_are_judged_were_learned_before_the_test_days(
    engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], learnt: Learnt
) -> None:
    bought = tables["transactions"]
    events = list(bought["event_id"])
    # Of 16 days the last four are judged on: there everybody now buys at random.
    test = [place for place, when in enumerate(bought["occurred_at"]) if when >= datetime(2026, 1, 13, tzinfo=UTC)]
    for place, other in zip(test, np.random.default_rng(9).permutation(test), strict=True):
        events[place] = bought["event_id"][other]
    other = RECOMMENDER.learn(window(engine, changed(tables, "transactions", event_id=events)), 1)
    judged, weighed = zip(other.assessment.sections, learnt.assessment.sections, strict=True)
    assert judged[0] != judged[1]
    assert weighed[0] == weighed[1]
    assert other.files != learnt.files


def test_too_short_or_too_quiet_a_market_is_refused(engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows]) -> None:
    with pytest.raises(TooFewExamplesError, match="needs purchases on at least 8 days, the window has 5"):
        RECOMMENDER.learn(window(engine, tables, FIRST, date(2026, 1, 5)), 1)
    bought = tables["transactions"]
    few = {name: values[::12] for name, values in bought.items()}
    with pytest.raises(TooFewExamplesError, match="at least 100 are needed"):
        RECOMMENDER.learn(window(engine, {**tables, "transactions": few}), 1)


def test_without_visits_and_accounts_buyers_still_get_their_lists(
    engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], learnt: Learnt
) -> None:
    given = window(engine, tables, LAST, LAST)
    for name in ("users", "sessions"):
        engine.execute(f"DELETE FROM {name}")
    rows = lists(RECOMMENDER.score(learnt.files, given))
    assert {row["wallet_address"] for row in rows} == set(tables["transactions"]["buyer_address"])


def test_a_day_without_events_on_offer_has_no_lists(
    engine: duckdb.DuckDBPyConnection, tables: dict[str, Rows], learnt: Learnt
) -> None:
    opened = window(engine, tables, LAST, LAST)
    for empty in ("UPDATE events SET starts_at = created_at", "DELETE FROM events", "DELETE FROM transactions"):
        engine.execute(empty)
        found = RECOMMENDER.score(learnt.files, opened)
        assert found.num_rows == 0
        assert "event_id" in found.schema.names
