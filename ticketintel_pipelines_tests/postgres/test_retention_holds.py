"""Legal holds stop what they name, and nothing else, and say so."""

from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.retention.holds import Hold, holds_in_force, place, release
from ticketintel_pipelines.retention.outcome import Result
from ticketintel_pipelines.retention.plan import Kind, plan
from ticketintel_pipelines_tests.postgres.retaining import (
    ORDERS,
    TODAY,
    VISITS,
    At,
    Depot,
    month_of_orders,
    new_depot,
    order,
)

JANUARY = date(2026, 1, 1)
WALLET = "0x" + "cd" * 20


@pytest.fixture
def depot(dsn: str, tmp_path: Path) -> Depot:
    """January in two tables, with one row of a wallet and one of a user."""
    depot = new_depot(dsn, tmp_path / "archive")
    for table in (ORDERS, VISITS):
        rows = [order("wallet", JANUARY, buyer_address=WALLET), order("user", JANUARY, user_id="it's {u9} 100%")]
        depot.publish(table, [*month_of_orders(JANUARY), *rows])
    return depot


def hold(depot: Depot, **what: Any) -> int:
    empty = dict.fromkeys(("table", "first_day", "last_day", "subject"))
    with depot.room.session() as connection:
        return place(connection, depot.room, Hold(0, **{**empty, "reason": "case 7", **what}))


def left(depot: Depot) -> tuple[int, int]:
    return len(depot.content(ORDERS)), len(depot.content(VISITS))


@pytest.mark.parametrize(
    ("what", "orders", "visits"),
    [
        ({}, 8, 8),
        ({"table": "orders"}, 8, 0),
        ({"table": "visits"}, 0, 8),
        ({"table": "mints"}, 0, 0),
        ({"first_day": date(2026, 1, 3), "last_day": date(2026, 1, 4)}, 8, 2),
        ({"first_day": date(2026, 2, 1)}, 0, 0),
        ({"last_day": date(2025, 12, 31)}, 0, 0),
        ({"subject": WALLET.upper().replace("0X", "0x")}, 8, 1),
        ({"subject": "it's {u9} 100%"}, 8, 1),
        ({"subject": "u9"}, 0, 0),
        ({"subject": WALLET, "first_day": date(2026, 1, 2)}, 0, 0),
        ({"until": date(2026, 5, 19)}, 0, 0),
        ({"until": TODAY}, 8, 8),
    ],
)
def test_a_hold_stops_what_it_names_and_nothing_else(depot: Depot, what: dict, orders: int, visits: int) -> None:
    number = hold(depot, **what)
    stopped = plan(depot.room, TODAY).stopped
    assert {act.table for act in stopped} == {name for name, rows in (("orders", orders), ("visits", visits)) if rows}
    report = depot.retain()
    assert left(depot) == (orders, visits)
    assert report.results[Result.HELD] == len(stopped)
    assert all(
        f"legal hold {number}" in outcome.words and "case 7" in outcome.words
        for outcome in report.outcomes
        if outcome.result is Result.HELD
    )
    assert [row for row in depot.ledger("act") if row == ("held",)] == [("held",)] * len(stopped)
    depot.require_balanced()
    with depot.room.session() as connection:
        if holds_in_force(connection, depot.room, TODAY):
            release(connection, depot.room, number)
    depot.retain()
    assert left(depot) == (0, 0)
    depot.require_balanced()


@pytest.mark.parametrize("step", ["drop orders 2026-01", "enter orders 2026-01"])
def test_a_hold_that_is_placed_while_a_purge_is_at_work_still_stops_it(depot: Depot, step: str) -> None:
    placed: list[int] = []
    report = depot.as_of(progress=At(step, lambda: placed.append(hold(depot, table="orders")))).retain()
    assert left(depot) == (8, 0)
    stopped = [outcome for outcome in report.outcomes if outcome.result is Result.HELD]
    # By its number, as of holds that were there before: the reason is not for everybody.
    assert {outcome.act.holds for outcome in stopped} == {tuple(placed)}
    assert depot.ledger("act, detail -> 'holds'").count(("held", placed)) == len(stopped)
    assert bool(depot.files()) == step.startswith("drop"), "what is held is not archived"
    depot.require_balanced()


def test_a_hold_keeps_an_expired_month_of_the_archive(depot: Depot) -> None:
    depot.retain()
    late = date(2028, 3, 1)
    number = hold(depot, subject=WALLET)
    report = depot.retain(today=late)
    assert [outcome.result for outcome in report.outcomes] == [Result.HELD]
    assert len(depot.files()) == 2
    with depot.room.session() as connection:
        release(connection, depot.room, number)
    hold(depot, subject="nobody")
    depot.retain([Kind.DELETE_ARCHIVE], today=late)
    assert depot.files() == set()
    depot.require_balanced()


def test_an_expired_file_that_cannot_be_read_is_held_by_what_may_be_on_it(depot: Depot) -> None:
    depot.retain()
    (file,) = depot.room.archive.rglob("rows-*.parquet")
    file.write_bytes(b"x")
    hold(depot, subject=WALLET)
    report = depot.retain(today=date(2028, 3, 1))
    assert [outcome.result for outcome in report.outcomes] == [Result.HELD]
    assert file.exists()


def test_the_ledger_tells_of_a_hold_without_the_person_or_the_reason(depot: Depot) -> None:
    number = hold(depot, subject=WALLET, reason="the case of Mrs Peel")
    depot.retain()
    text = str(depot.rows("SELECT to_jsonb(l) FROM ops.retention_ledger l WHERE domain = %s", (depot.name,)))
    assert "hold_placed" in text and "held" in text and f"'hold_id': {number}" in text
    assert WALLET not in text and "Peel" not in text


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"table": "nothing"}, "has no table nothing"),
        ({"reason": " "}, "needs a reason"),
        ({"subject": ""}, "a hold on nobody"),
        ({"first_day": date(2026, 2, 1), "last_day": JANUARY}, "cannot end"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(depot: Depot, what: dict, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        hold(depot, **what)


def test_only_a_hold_in_force_is_released(depot: Depot) -> None:
    number = hold(depot)
    with psycopg.connect(depot.room.dsn, autocommit=True) as connection:
        release(connection, depot.room, number)
        for other in (number, number + 1):
            with pytest.raises(BadInputError, match=f"no hold {other} in force"):
                release(connection, depot.room, other)
