"""Publishing: days are replaced in one transaction or not at all, and every value arrives as it was."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from ticketintel_pipelines.contract import NotNull, Rule, Severity
from ticketintel_pipelines.errors import PublishRefusedError
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.quality.verdict import RuleResult
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse import publish as publishing
from ticketintel_pipelines.warehouse.server import connect
from ticketintel_pipelines_tests.postgres.publishing import Publisher

EVENTS, TICKETS, USERS = (TICKETING.by_name[name] for name in ("events", "tickets", "users"))
DAY = date(2026, 1, 30)
TWO_DAYS = DayRange(DAY, DAY + timedelta(days=1))
ACROSS = DayRange(date(2026, 1, 31), date(2026, 2, 1))


@pytest.fixture(scope="module")
def deployment(make_settings) -> str:
    settings = make_settings()
    return Workspace([TICKETING], lambda: settings).server.dsn


@pytest.fixture
def publisher(deployment: str, tmp_path: Path) -> Publisher:
    """A publisher on tables that hold nothing."""
    with psycopg.connect(deployment) as connection:
        connection.execute("TRUNCATE ops.published_days, ops.quarantine, ticketing.users, ticketing.tickets, ticketing.events")
    return Publisher(deployment, tmp_path)


def user(name: str, when: datetime | date = DAY, **cells: object) -> dict:
    created = when if isinstance(when, datetime) else datetime(when.year, when.month, when.day, 12, tzinfo=UTC)
    return {"user_id": name, "created_at": created, "email": f"{name}@x.org", "is_verified": True, **cells}


def refused(key: str, day: date = DAY, **cells: object) -> dict:
    row = {"day": day, "rule": "email_form", "rules": ["email_form"], "reason": "no form", "source_file": "users.csv"}
    return {**row, "source_row": 7, "row_key": key, "mended": False, "content": '{"user_id": "x"}', **cells}


def users(publisher: Publisher) -> list[str]:
    return [row[0] for row in publisher.rows("SELECT user_id FROM ticketing.users ORDER BY 1")]


def recorded(publisher: Publisher) -> list[tuple]:
    return publisher.rows(
        "SELECT day, rows_in, published, quarantined, duplicates, raw_sequence FROM ops.published_days ORDER BY day"
    )


def test_a_publication_replaces_the_days_that_changed_and_leaves_the_others_alone(publisher) -> None:
    next_day = TWO_DAYS.last
    first = publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("a"), user("b"), user("c", next_day)]))
    before = publisher.rows("SELECT day, published_at FROM ops.published_days ORDER BY day")
    second = publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("b"), user("d"), user("c", next_day)]))
    after = publisher.rows("SELECT day, published_at FROM ops.published_days ORDER BY day")
    assert (first.changed_days, first.rows_written) == (tuple(TWO_DAYS.days), 3)
    assert (second.changed_days, second.rows_written) == ((DAY,), 2)
    assert users(publisher) == ["b", "c", "d"]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_publishing_the_same_again_writes_no_row_and_only_moves_the_input_on(publisher) -> None:
    verdict = publisher.verdict(USERS, TWO_DAYS, [user("a")], [refused("x")])
    publisher.publish(verdict, raw_sequence=5)
    query = "SELECT ctid::text, xmin::text FROM ticketing.users UNION ALL SELECT ctid::text, xmin::text FROM ops.quarantine"
    before = publisher.rows(query)
    again = publisher.publish(verdict, raw_sequence=9)
    publisher.publish(verdict, raw_sequence=3)
    assert (again.changed_days, again.rows_written) == ((), 0)
    assert publisher.rows(query) == before
    assert [row[-1] for row in recorded(publisher)] == [9, 9]


def test_a_further_copy_of_a_published_row_is_counted_without_writing_rows(publisher) -> None:
    publisher.publish(publisher.verdict(USERS, DayRange(DAY, DAY), [user("a")]))
    again = publisher.publish(publisher.verdict(USERS, DayRange(DAY, DAY), [user("a")], duplicates=2))
    assert again.rows_written == 0
    assert recorded(publisher) == [(DAY, 3, 1, 0, 2, 1)]


def test_superseded_versions_are_counted_and_gone_when_they_are_no_longer_there(publisher) -> None:
    superseded = "SELECT rows_in::int, published::int, superseded::int FROM ops.published_days"
    for count in (2, 0):
        publisher.publish(publisher.verdict(USERS, DayRange(DAY, DAY), [user("a")], superseded=count))
        assert publisher.rows(superseded) == [(1 + count, 1, count)]


def test_a_day_of_which_nothing_is_left_is_emptied(publisher) -> None:
    publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("a"), user("b", TWO_DAYS.last)], [refused("x")]))
    publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("b", TWO_DAYS.last)]))
    assert users(publisher) == ["b"]
    assert publisher.rows("SELECT count(*)::int FROM ops.quarantine") == [(0,)]
    assert recorded(publisher)[0][:3] == (DAY, 0, 0)


def test_quarantined_rows_of_a_changed_day_are_replaced_and_those_of_other_days_stay(publisher) -> None:
    odd = refused("y:\t\\N", TWO_DAYS.last, rules=["email_form", "key_unique"], content='{"t": "a\\"\\n\\t,{}é"}')
    publisher.publish(publisher.verdict(USERS, TWO_DAYS, [], [refused("x"), odd]))
    publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("x")], [refused("x", mended=True), odd]))
    rows = publisher.rows("SELECT day, row_key, rules, mended, content->>'t' FROM ops.quarantine ORDER BY day")
    assert rows == [
        (DAY, "x", ["email_form"], True, None),
        (TWO_DAYS.last, "y:\t\\N", ["email_form", "key_unique"], False, 'a"\n\t,{}é'),
    ]


@pytest.mark.parametrize("refusal", ["critical", "lost"])
def test_a_refused_verdict_leaves_what_was_published_before(publisher, refusal: str) -> None:
    publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("a")], [refused("x")]))
    before = publisher.rows("SELECT * FROM ops.published_days ORDER BY day"), users(publisher)
    rule = Rule("sound", NotNull("email"), "the extract is foreign", Severity.CRITICAL)
    verdict = publisher.verdict(USERS, TWO_DAYS, [user("b")], results=(RuleResult(rule, 1, 1, ("b",)),))
    if refusal == "lost":
        verdict = replace(verdict, results=(), outcomes=tuple(replace(o, rows_in=o.rows_in + 1) for o in verdict.outcomes))
    with pytest.raises(PublishRefusedError):
        publisher.publish(verdict)
    assert (publisher.rows("SELECT * FROM ops.published_days ORDER BY day"), users(publisher)) == before


def test_a_publication_that_breaks_off_leaves_what_was_published_before(publisher, monkeypatch) -> None:
    publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("a")], [refused("x")]))
    monkeypatch.setattr(publishing, "_record", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("b")]))
    assert users(publisher) == ["a"]
    assert publisher.rows("SELECT count(*)::int FROM ops.quarantine") == [(1,)]


def test_a_reader_sees_the_old_rows_until_the_transaction_commits_and_then_the_new_ones(publisher, monkeypatch) -> None:
    publisher.publish(publisher.verdict(USERS, TWO_DAYS, [user("a"), user("b", TWO_DAYS.last)]))
    verdict = publisher.verdict(USERS, TWO_DAYS, [user("c"), user("d", TWO_DAYS.last)], [refused("x")])
    seen: list[object] = []
    record = publishing._record

    def record_and_look(*arguments) -> None:
        record(*arguments)
        seen.append((users(publisher), publisher.rows("SELECT count(*)::int FROM ops.quarantine"), recorded(publisher)[0][3]))

    monkeypatch.setattr(publishing, "_record", record_and_look)
    publisher.publish(verdict)
    assert seen == [(["a", "b"], [(0,)], 0)]
    assert users(publisher) == ["c", "d"]
    assert recorded(publisher)[0][3] == 1


def test_two_publishers_of_the_same_day_leave_its_rows_once(publisher) -> None:
    verdicts = [publisher.verdict(USERS, TWO_DAYS, [user("a"), user(f"u{n}")], [refused("x")]) for n in range(4)]
    start = threading.Barrier(4)

    def publish_at_once(verdict) -> None:
        start.wait()
        publisher.publish(verdict)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish_at_once, verdicts))
    assert users(publisher)[0] == "a"
    assert len(users(publisher)) == 2
    assert publisher.rows("SELECT count(*)::int FROM ops.quarantine") == [(1,)]


TEXTS = [
    "",
    "NULL",
    "\\N",
    "\\.",
    'a"b""',
    "a,b",
    "line\nnext\r\nlast",
    "\t\\t",
    " lead and trail ",
    "naïve 🎫",
    "'",
    "a\n\\.\nb",
]


def test_texts_arrive_as_they_are_and_an_absent_one_differs_from_an_empty_one(publisher) -> None:
    rows = [user(f"u{n:02}", full_name=text, country_code=None) for n, text in enumerate(TEXTS)]
    publisher.publish(publisher.verdict(USERS, DayRange(DAY, DAY), rows))
    found = publisher.rows("SELECT full_name, country_code, wallet_address FROM ticketing.users ORDER BY user_id")
    assert found == [(text, None, None) for text in TEXTS]


def test_numbers_and_times_arrive_exactly(publisher) -> None:
    when = datetime(2026, 1, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    largest = str(2**256 - 1)
    assert len(largest) == 78
    ticket = {
        "ticket_id": "t",
        "issued_at": when,
        "event_id": "e",
        "contract_address": "0x",
        "token_id": largest,
        "tier": "vip",
    }
    tickets = [
        {**ticket, "ticket_id": "1", "face_value_usd": Decimal("9999999999999999.99")},
        {
            **ticket,
            "ticket_id": "2",
            "token_id": "0",
            "face_value_usd": Decimal("-0.01"),
            "issued_at": when.replace(microsecond=1),
        },
        {**ticket, "ticket_id": "3", "token_id": "9" * 78, "face_value_usd": Decimal("0.10")},
    ]
    event = dict.fromkeys(("name", "category", "venue", "city", "country_code", "organiser_id", "contract_address"), "x")
    event |= {"created_at": when, "on_sale_at": when, "starts_at": datetime(9999, 12, 31, tzinfo=UTC), "face_value_usd": 0}
    events = [
        {**event, "event_id": "1", "latitude": 0.1 + 0.2, "longitude": -1e-300, "capacity": 2**63 - 1},
        {**event, "event_id": "2", "latitude": 1.7976931348623157e308, "longitude": None, "capacity": -(2**63)},
    ]
    publisher.publish(publisher.verdict(TICKETS, DayRange(DAY, DAY), tickets))
    publisher.publish(publisher.verdict(EVENTS, DayRange(DAY, DAY), events))
    columns = ("ticket_id", "issued_at", "token_id", "face_value_usd")
    assert publisher.rows("SELECT ticket_id, issued_at, token_id::text, face_value_usd FROM ticketing.tickets ORDER BY 1") == [
        tuple(row[name] for name in columns) for row in tickets
    ]
    assert publisher.rows("SELECT latitude, longitude, capacity, starts_at FROM ticketing.events ORDER BY event_id") == [
        (row["latitude"], row["longitude"], row["capacity"], row["starts_at"]) for row in events
    ]


def test_the_partition_of_a_month_is_made_when_its_first_row_comes(publisher) -> None:
    moments = [
        datetime(2030, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2031, 1, 1, tzinfo=UTC),
        datetime(2032, 2, 29, 12, tzinfo=UTC),
    ]
    for moment in moments:
        publisher.publish(publisher.verdict(USERS, DayRange(moment.date(), moment.date()), [user(f"{moment:%Y%m}", moment)]))
    found = publisher.rows("SELECT user_id, tableoid::regclass::text FROM ticketing.users ORDER BY created_at")
    assert found == [
        ("203012", "ticketing.users_2030_12"),
        ("203101", "ticketing.users_2031_01"),
        ("203202", "ticketing.users_2032_02"),
    ]


def test_days_on_both_sides_of_a_months_end_are_replaced_together(publisher) -> None:
    midnight = datetime(2026, 2, 1, tzinfo=UTC)
    neighbours = [user("before", date(2026, 1, 30)), user("after", date(2026, 2, 2))]
    for neighbour in neighbours:
        day = neighbour["created_at"].date()
        publisher.publish(publisher.verdict(USERS, DayRange(day, day), [neighbour]))
    publisher.publish(publisher.verdict(USERS, ACROSS, [user("a", midnight - timedelta(microseconds=1)), user("b", midnight)]))
    publisher.publish(publisher.verdict(USERS, ACROSS, [user("c", midnight)]))
    assert users(publisher) == ["after", "before", "c"]


def test_a_quiet_range_makes_no_partitions(publisher) -> None:
    days = DayRange(date(2040, 1, 1), date(2040, 3, 1))
    publisher.publish(publisher.verdict(USERS, days, []))
    assert publisher.rows("SELECT to_regclass('ticketing.users_2040_01')") == [(None,)]
    assert len(recorded(publisher)) == len(days.days)


def test_the_database_itself_refuses_to_record_lost_rows(publisher) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="nothing_lost"):
        publisher.rows(
            "INSERT INTO ops.published_days (domain, table_name, day, rows_in, published, quarantined, duplicates, "
            "content_hash, raw_sequence, run_id) VALUES ('ticketing', 'users', '2026-01-01', 3, 1, 0, 1, '', 1, 'run') "
            "RETURNING 1"
        )


def test_a_table_that_stays_in_the_lake_leaves_only_its_record_and_quarantine(publisher) -> None:
    verdict = publisher.verdict(TICKETING.by_name["logs"], DayRange(DAY, DAY), [], [refused("x")])
    verdict = replace(verdict, outcomes=(replace(verdict.outcomes[0], rows_in=5, published=4),))
    with open_engine(publisher.folder) as engine, connect(publisher.dsn) as connection:
        publishing.publish(connection, engine, TICKETING, verdict, raw_sequence=1, run_id="run")
    assert recorded(publisher) == [(DAY, 5, 4, 1, 0, 1)]
