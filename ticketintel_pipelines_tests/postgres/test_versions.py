"""Rows that change after they were published: the newest version shows, the older ones stay readable, other days rest."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.lake.engine import fetch_rows, parquet
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.nights import stale_ranges
from ticketintel_pipelines.stages import validate
from ticketintel_pipelines.stages.validate import HISTORY_STAGE, VALIDATE_STAGE, validate_table
from ticketintel_pipelines.stages.view import bring_up_to_date, views_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.assets import source_of
from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.assets.handing_in import CONTRACT, rows, write
from ticketintel_pipelines_tests.conftest import take_in
from ticketintel_pipelines_tests.postgres.publishing import make_partition

USERS = "user_id,created_at,email,is_verified,updated_at,deleted_at\n"
EVENTS = (
    "event_id,created_at,name,category,venue,city,country_code,organiser_id,contract_address,capacity,face_value_usd,"
    "on_sale_at,starts_at,deleted_at\n"
)
ORDERS = "order_id,created_at,user_id,event_id,market,quantity,amount,currency,status,updated_at\n"
PAYMENTS = "payment_id,paid_at,order_id,user_id,method,amount,currency,status,updated_at\n"
TICKETS = "ticket_id,issued_at,event_id,contract_address,token_id,tier,face_value_usd,known_at\n"
CHECK_INS = "check_in_id,checked_in_at,ticket_id,event_id,updated_at,deleted_at\n"


def event(name: str, deleted_at: str = "") -> str:
    return (
        f"{name},2026-01-01T08:00:00Z,Night,concert,Hall,Bern,CH,o1,{CONTRACT},100,40.00,2026-01-01T09:00:00Z,"
        f"2026-01-02T19:00:00Z,{deleted_at}\n"
    )


def order(number: int, status: str, updated_at: str = "") -> str:
    return f"o{number},2026-01-0{number}T10:00:00Z,u1,e1,primary,1,40.00,USD,{status},{updated_at}\n"


FIRST = {
    "users": USERS + "u1,2026-01-01T09:00:00Z,a@b.example,true,2026-01-01T09:00:00Z,\n",
    "events": EVENTS + event("e1"),
    "orders": ORDERS + order(1, "paid", "2026-01-01T10:00:00Z") + order(2, "paid", "2026-01-02T10:00:00Z"),
    "payments": PAYMENTS + "p1,2026-01-01T10:01:00Z,o1,u1,card,40.00,USD,captured,2026-01-01T10:01:00Z\n",
}
CANCELLED = {"orders": ORDERS + order(1, "cancelled", "2026-02-20T10:00:00Z")}
STATUSES = "SELECT order_id, status FROM ticketing.orders ORDER BY 1"
ACCOUNT = (
    "SELECT day, rows_in::int, published::int, quarantined::int, duplicates::int, superseded::int "
    "FROM ops.published_days WHERE table_name = 'orders' AND rows_in > 0 ORDER BY 1"
)
STAMPS = "SELECT table_name, day, published_at FROM ops.published_days"
DAY = date(2026, 1, 1)
DAYS = DayRange(DAY, date(2026, 1, 3))


def hand_in(workspace: Workspace, folder: Path, **tables: str) -> None:
    """Import some tables from CSV texts and publish them, parents first."""
    take_in(workspace, write(folder, **tables))
    publish(workspace, *(name.partition("-")[0] for name in tables))


def publish(workspace: Workspace, *names: str) -> None:
    for table in TICKETING.validated_tables:
        if table.name in names:
            validate_table(workspace, TICKETING, table, DAYS, source_of(table), run_id="run")


def known_statuses(workspace: Workspace, moment: datetime) -> list[tuple]:
    """The orders as they were known at a moment, from the two places that the data dictionary names."""
    lake = workspace.lake(TICKETING)
    files = [part for stage in (VALIDATE_STAGE, HISTORY_STAGE) for part in lake.table(stage, "orders").rglob("*.parquet")]
    with workspace.engine() as engine:
        return fetch_rows(
            engine,
            f"SELECT order_id, status FROM {parquet(files)} WHERE known_at <= TIMESTAMPTZ '{moment.isoformat()}' "
            "QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY known_at DESC) = 1 ORDER BY order_id",
        )


def test_a_change_weeks_later_shows_at_once_and_changes_its_own_day_alone(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **FIRST)
    before = set(rows(workspace, STAMPS))
    refunded = "p1,2026-01-01T10:01:00Z,o1,u1,card,40.00,USD,refunded,2026-02-20T10:00:00Z\n"
    hand_in(workspace, tmp_path / "2", **CANCELLED, payments=PAYMENTS + refunded)
    assert rows(workspace, STATUSES) == [("o1", "cancelled"), ("o2", "paid")]
    assert rows(workspace, "SELECT status, known_at::date::text FROM ticketing.payments") == [("refunded", "2026-02-20")]
    assert rows(workspace, ACCOUNT) == [(DAY, 2, 1, 0, 0, 1), (date(2026, 1, 2), 1, 1, 0, 0, 0)]
    changed = {(table, day) for table, day, _ in set(rows(workspace, STAMPS)) - before}
    assert changed == {("orders", DAY), ("payments", DAY)}
    assert known_statuses(workspace, datetime(2026, 2, 19, tzinfo=UTC)) == [("o1", "paid"), ("o2", "paid")]
    assert known_statuses(workspace, datetime(2026, 2, 21, tzinfo=UTC)) == [("o1", "cancelled"), ("o2", "paid")]
    assert known_statuses(workspace, datetime(2026, 1, 2, tzinfo=UTC)) == [("o1", "paid")]


def test_an_older_version_that_comes_late_is_history_at_once(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **{**FIRST, **CANCELLED})
    hand_in(workspace, tmp_path / "2", orders=FIRST["orders"])
    assert rows(workspace, STATUSES) == [("o1", "cancelled"), ("o2", "paid")]
    assert known_statuses(workspace, datetime(2026, 2, 19, tzinfo=UTC)) == [("o1", "paid"), ("o2", "paid")]


def test_a_withdrawn_version_gives_way_to_the_one_before_it(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **FIRST)
    hand_in(workspace, tmp_path / "2", **{"orders-changed": CANCELLED["orders"]})
    history = workspace.lake(TICKETING).part(HISTORY_STAGE, "orders", DAY)
    assert pq.read_table(history)["status"].to_pylist() == ["paid"]
    with workspace.catalog() as catalog:
        catalog.withdraw("ticketing", "orders-changed.csv", RAW_INPUTS)
    publish(workspace, "orders")
    assert rows(workspace, STATUSES) == [("o1", "paid"), ("o2", "paid")]
    assert not history.exists()


def test_a_broken_newer_version_waits_in_quarantine_and_the_older_one_stays(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **FIRST)
    hand_in(workspace, tmp_path / "2", orders=ORDERS + order(1, "lost", "2026-02-20T10:00:00Z"))
    waiting = "SELECT rule, mended FROM ops.quarantine"
    assert rows(workspace, STATUSES) == [("o1", "paid"), ("o2", "paid")]
    assert rows(workspace, waiting) == [("status_known", False)]
    hand_in(workspace, tmp_path / "3", **CANCELLED)
    assert rows(workspace, STATUSES) == [("o1", "cancelled"), ("o2", "paid")]
    assert rows(workspace, waiting) == [("status_known", True)]


@pytest.mark.parametrize("moves_before_the_break", [0, 1])
def test_a_run_that_breaks_off_between_lake_and_commit_is_put_right_by_the_next(
    workspace: Workspace, tmp_path: Path, monkeypatch, moves_before_the_break: int
) -> None:
    hand_in(workspace, tmp_path / "1", **FIRST)
    take_in(workspace, write(tmp_path / "2", **CANCELLED))
    swap_in, moves = validate.swap_in, iter(range(2))

    def break_off(*arguments) -> None:
        if next(moves) == moves_before_the_break:
            raise InterruptedError
        swap_in(*arguments)

    with monkeypatch.context() as patched, pytest.raises(InterruptedError):
        patched.setattr(validate, "swap_in", break_off)
        publish(workspace, "orders")
    assert rows(workspace, STATUSES) == [("o1", "paid"), ("o2", "paid")]
    assert DAY in stale_ranges(workspace, TICKETING)[0]
    publish(workspace, "orders")
    assert rows(workspace, STATUSES) == [("o1", "cancelled"), ("o2", "paid")]
    assert known_statuses(workspace, datetime(2026, 2, 19, tzinfo=UTC)) == [("o1", "paid"), ("o2", "paid")]


def test_a_deleted_user_is_still_one_that_orders_name(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **FIRST)
    gone = "u1,2026-01-01T09:00:00Z,a@b.example,true,2026-03-01T09:00:00Z,2026-03-01T09:00:00Z\n"
    hand_in(workspace, tmp_path / "2", users=USERS + gone, orders=ORDERS + order(3, "paid", "2026-01-03T10:00:00Z"))
    assert rows(workspace, "SELECT deleted_at::date::text FROM ticketing.users") == [("2026-03-01",)]
    assert rows(workspace, STATUSES) == [("o1", "paid"), ("o2", "paid"), ("o3", "paid")]


def test_deleted_check_ins_and_deleted_events_without_transactions_are_left_out_of_views(
    workspace: Workspace, tmp_path: Path
) -> None:
    scan = "k1,2026-01-02T19:00:00Z,t1,e1,2026-01-02T19:00:00Z,\n"
    undone = "k1,2026-01-02T19:00:00Z,t1,e1,2026-01-02T20:00:00Z,2026-01-02T20:00:00Z\n"
    again = "k2,2026-01-02T21:00:00Z,t1,e1,2026-01-02T21:00:00Z,\n"
    hand_in(
        workspace,
        tmp_path / "1",
        events=EVENTS + event("e1") + event("e2", "2026-01-05T00:00:00Z"),
        tickets=TICKETS + f"t1,2026-01-01T10:00:00Z,e1,{CONTRACT},5,standard,40.00,\n",
        check_ins=CHECK_INS + scan,
    )
    hand_in(workspace, tmp_path / "2", check_ins=CHECK_INS + undone + again)
    scans = "SELECT check_in_id, deleted_at IS NULL FROM ticketing.check_ins ORDER BY 1"
    assert rows(workspace, scans) == [("k1", False), ("k2", True)], "an admission that was undone is no second one"
    sale = (
        "INSERT INTO ticketing.transactions (transaction_id, occurred_at, kind, token_id, quantity, event_id, ticket_id, "
        "buyer_source, block_number, log_index, transaction_hash) "
        "VALUES ('x', '2026-01-03', 'primary_sale', 5, 1, 'e1', 't1', 'recorded', 1, 1, 'x')"
    )
    with workspace.catalog() as catalog:
        make_partition(catalog.connection, "transactions", "2026-01-01")
        catalog.connection.execute(sale)
    (view,) = (view for view in views_of(TICKETING) if view.name == "event_analytics")
    bring_up_to_date(workspace, TICKETING, view)
    shown = "SELECT event_key, tickets_sold::int, check_in_rate FROM ticketing.event_analytics"
    assert rows(workspace, shown) == [("e1", 1, 1.0)]


def test_days_that_were_landed_and_published_before_versions_were_declared_go_on(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **FIRST)
    for part in workspace.lake(TICKETING).root.rglob("*.parquet"):
        table = pq.ParquetFile(part).read()
        pq.write_table(table.drop_columns([name for name in ("known_at", "deleted_at") if name in table.column_names]), part)
    hand_in(workspace, tmp_path / "2", **CANCELLED)
    assert rows(workspace, STATUSES) == [("o1", "cancelled"), ("o2", "paid")]
    assert rows(workspace, ACCOUNT)[0] == (DAY, 2, 1, 0, 0, 1)
