"""Archive and purge: what is due goes, what is not stays, every row is accounted for."""

import threading
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from ticketintel_pipelines.contract import RetentionClass
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.retention import query as querying
from ticketintel_pipelines.retention import reconcile as reconciling
from ticketintel_pipelines.retention.carrying import carry_out
from ticketintel_pipelines.retention.ledger import broken_rows
from ticketintel_pipelines.retention.outcome import Result
from ticketintel_pipelines.retention.plan import ARCHIVING, Kind, plan
from ticketintel_pipelines.retention.policy import DEFAULTS, Periods, Policy
from ticketintel_pipelines.retention.room import Bounds, BusyError
from ticketintel_pipelines.warehouse.frozen import retained_from
from ticketintel_pipelines_tests.postgres.retaining import (
    MINTS,
    ORDERS,
    TODAY,
    VISITS,
    At,
    Depot,
    month_of_orders,
    new_depot,
    order,
)

JANUARY, FEBRUARY, MARCH, APRIL, MAY = (date(2026, month, 1) for month in range(1, 6))


@pytest.fixture
def depot(dsn: str, tmp_path: Path) -> Depot:
    """Six rows a month from January to May in each table."""
    depot = new_depot(dsn, tmp_path / "archive")
    for table in (ORDERS, VISITS, MINTS):
        for month in (JANUARY, FEBRUARY, MARCH, APRIL, MAY):
            depot.publish(table, month_of_orders(month))
    return depot


def months(depot: Depot, table) -> set[str]:
    return {row[0] for row in depot.rows(f"SELECT DISTINCT to_char(placed_at, 'MM') FROM {{}}.{table.name}")}


def test_what_is_due_goes_and_what_is_not_stays(depot: Depot) -> None:
    report = depot.retain()
    assert set(report.results) == {Result.DONE}
    assert months(depot, ORDERS) == {"02", "03", "04", "05"}, "ninety days before the 20th of May lie in February"
    assert months(depot, VISITS) == {"05"}, "thirty days before it is the 20th of April"
    assert months(depot, MINTS) == {"01", "02", "03", "04", "05"}
    depot.require_balanced()
    accounts = depot.accounts()
    assert (accounts["orders"].archived, accounts["orders"].deleted) == (6, 0)
    assert (accounts["visits"].archived, accounts["visits"].deleted) == (0, 24)
    with depot.room.session() as connection:
        frozen = retained_from(connection, depot.name)
    assert frozen == {"orders": FEBRUARY, "visits": TODAY - timedelta(days=30)}


def test_a_second_run_finds_nothing_left_to_do(depot: Depot) -> None:
    depot.retain()
    before = depot.ledger()
    assert plan(depot.room, TODAY).acts == ()
    depot.retain()
    assert depot.ledger() == before


def test_of_the_month_in_which_the_period_ends_the_expired_days_go_row_by_row(depot: Depot) -> None:
    depot.publish(VISITS, [order("last to go", date(2026, 4, 19)), order("first to stay", date(2026, 4, 20))])
    report = depot.retain(bounds=Bounds(batch_rows=2))
    (act,) = [outcome.act for outcome in report.outcomes if outcome.act.kind is Kind.DELETE_ROWS]
    assert (act.rows, act.first_day, act.last_day, act.until) == (7, APRIL, date(2026, 4, 19), date(2026, 4, 20))
    left = {row[0] for row in depot.content(VISITS)}
    assert "first to stay" in left and "last to go" not in left
    deleted = [row[2] for row in depot.ledger() if row[0] == "rows_deleted"]
    assert deleted == [2, 2, 2, 1]
    depot.require_balanced()


def test_a_run_stops_at_its_bound_of_rows_and_the_next_one_goes_on(depot: Depot) -> None:
    report = depot.retain([Kind.DELETE_ROWS], bounds=Bounds(most_rows=4, batch_rows=3))
    assert [(outcome.result, outcome.rows) for outcome in report.outcomes] == [(Result.BOUNDED, 4)]
    report = depot.retain([Kind.DELETE_ROWS])
    assert [(outcome.result, outcome.rows) for outcome in report.outcomes] == [(Result.DONE, 2)]
    report = depot.retain(bounds=Bounds(most_minutes=0))
    assert set(report.results) == {Result.BOUNDED}
    assert len(depot.content(ORDERS)) == 30
    depot.require_balanced()


def test_a_run_that_only_archives_stops_at_its_bound_of_rows_as_well(depot: Depot) -> None:
    depot.publish(ORDERS, month_of_orders(date(2025, 12, 1), prefix="old"))
    report = depot.retain(ARCHIVING, bounds=Bounds(most_rows=6))
    assert [outcome.result for outcome in report.outcomes] == [Result.DONE, Result.BOUNDED]
    report = depot.retain(bounds=Bounds(most_rows=7))
    assert [outcome.act.title for outcome in report.outcomes if outcome.result is Result.DONE] == [
        "drop orders 2025-12",
        "archive orders 2026-01",
        "drop orders 2026-01",
    ], "a month that is archived and dropped counts once"
    depot.require_balanced()


def test_a_dry_run_changes_nothing_and_is_the_default(depot: Depot) -> None:
    before = [depot.content(table) for table in (ORDERS, VISITS, MINTS)]
    report = carry_out(depot.room, plan(depot.room, TODAY))
    assert report.dry_run
    assert report.results[Result.PLANNED] == len(report.plan.acts) == 6
    assert [depot.content(table) for table in (ORDERS, VISITS, MINTS)] == before
    assert (depot.ledger(), depot.files()) == ([], set())
    first = report.plan.acts[0]
    assert (first.kind, first.table, first.rows, first.first_day, first.last_day) == (
        Kind.ARCHIVE,
        "orders",
        6,
        JANUARY,
        date(2026, 1, 6),
    )
    assert first.bytes > 0


def test_archiving_leaves_the_rows_where_they_are_and_counts_them_once(depot: Depot) -> None:
    report = depot.retain(ARCHIVING)
    assert [outcome.result for outcome in report.outcomes] == [Result.DONE]
    assert len(depot.content(ORDERS)) == 30
    depot.require_balanced()
    assert [act.kind for act in plan(depot.room, TODAY).acts if act.table == "orders"] == [Kind.DROP]


def test_a_row_that_comes_after_the_month_was_archived_is_archived_before_the_month_goes(depot: Depot) -> None:
    depot.retain(ARCHIVING)
    depot.publish(ORDERS, [order("late", JANUARY)])
    before = set(depot.content(ORDERS))
    depot.retain()
    assert [row[2] for row in depot.ledger() if row[0] in ("archived", "dropped")] == [6, 7, 7]
    assert len(depot.files()) == 2, "the earlier copy is gone"
    depot.require_balanced()
    assert len(before) == 31 and len(depot.content(ORDERS)) == 24


def test_a_row_that_comes_while_its_month_is_exported_is_not_lost(depot: Depot) -> None:
    late = At("read back orders 2026-01", lambda: depot.publish(ORDERS, [order("meanwhile", JANUARY)]))
    depot.as_of(progress=late).retain()
    assert late.steps.count("export orders 2026-01") == 2
    depot.require_balanced()
    assert depot.accounts()["orders"].archived == 7


def test_a_month_that_changes_whenever_it_is_archived_stays_until_the_next_run(depot: Depot) -> None:
    class Busy(At):
        def step(self, name: str) -> AbstractContextManager[None]:
            if name == "read back orders 2026-01":
                depot.publish(ORDERS, [order(f"meanwhile {len(self.steps)}", JANUARY)])
            return super().step(name)

    report = depot.as_of(progress=Busy("", lambda: None)).retain()
    assert report.results[Result.CHANGED] == 1
    assert "01" in months(depot, ORDERS)
    depot.require_balanced()
    depot.retain()
    assert "01" not in months(depot, ORDERS)
    depot.require_balanced()


def test_while_a_month_is_compared_readers_come_in_and_writers_wait(depot: Depot) -> None:
    seen: list[object] = []
    writer = psycopg.connect(depot.room.dsn, autocommit=True)
    writer.execute("SET lock_timeout = '200ms'")

    def read_and_write() -> None:
        seen.append(depot.rows("SELECT count(*)::int FROM {}.orders"))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            writer.execute(f"DELETE FROM {depot.name}.orders")
        seen.append("kept out")

    depot.as_of(progress=At("compare orders 2026-01", read_and_write)).retain()
    writer.close()
    assert seen == [[(30,)], "kept out"]


def test_a_table_in_use_is_left_for_the_next_run_and_the_others_go(depot: Depot) -> None:
    with psycopg.connect(depot.room.dsn) as reader:
        reader.execute(f"SELECT count(*) FROM {depot.name}.orders")
        report = depot.retain(bounds=Bounds(lock_seconds=0.2))
    results = {(outcome.act.table, outcome.act.kind): outcome.result for outcome in report.outcomes}
    assert results["orders", Kind.DROP] is Result.LOCKED
    assert results["visits", Kind.PURGE] is Result.DONE
    depot.require_balanced()
    assert depot.retain().results == {Result.DONE: 1}
    depot.require_balanced()


def test_who_reads_accounts_or_the_archive_meanwhile_sees_every_row_once(depot: Depot, monkeypatch) -> None:
    made = plan(depot.room, TODAY)
    seen: list[Result] = []
    account, export = reconciling._account, querying.export

    def purge() -> None:
        report = carry_out(depot.room, made, bounds=Bounds(lock_seconds=0.1), dry_run=False)
        seen.extend(outcome.result for outcome in report.outcomes if outcome.act.kind is Kind.DROP)

    monkeypatch.setattr(reconciling, "_account", lambda *given: account(*given) if seen else (purge(), account(*given))[1])
    depot.require_balanced()
    monkeypatch.setattr(querying, "export", lambda *given: (purge(), export(*given))[1])
    assert querying.query(depot.room, "SELECT count(*) AS n FROM orders")["n"][0].as_py() == 30
    assert seen == [Result.LOCKED, Result.LOCKED]
    purge()
    assert seen[-1] is Result.DONE
    depot.require_balanced()


def test_of_two_purges_at_once_one_leaves_and_says_so(depot: Depot) -> None:
    def second() -> None:
        with pytest.raises(BusyError, match="another process archives, purges or restores"):
            depot.retain()

    first = At("export orders 2026-01", second)
    depot.as_of(progress=first).retain()
    assert first.wanted in first.steps
    depot.require_balanced()


def test_many_purges_at_once_leave_the_rows_once(depot: Depot) -> None:
    results: list[object] = []
    start = threading.Barrier(3)

    def purge() -> None:
        made = plan(depot.room, TODAY)
        start.wait()
        try:
            results.append(carry_out(depot.room, made, dry_run=False).results)
        except BusyError as error:
            results.append(error)

    threads = [threading.Thread(target=purge) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    depot.require_balanced()
    assert [row[0] for row in depot.ledger()].count("dropped") == 1


def test_an_empty_month_goes_without_an_archive(depot: Depot) -> None:
    depot.publish(ORDERS, [order("x", date(2025, 12, 1))])
    with psycopg.connect(depot.room.dsn) as connection:
        connection.execute(f"DELETE FROM {depot.name}.orders WHERE order_id = 'x'")
        connection.execute("DELETE FROM ops.published_days WHERE domain = %s AND day = '2025-12-01'", (depot.name,))
    depot.retain()
    assert depot.rows("SELECT to_regclass('{}.orders_2025_12')") == [(None,)]
    assert not [name for name in depot.files() if "2025-12" in name]
    depot.require_balanced()


def test_expired_months_of_the_archive_go_and_the_ledger_keeps_their_manifests(depot: Depot) -> None:
    depot.retain()
    years_later = date(2028, 2, 15)
    depot.retain([Kind.DELETE_ARCHIVE], today=years_later)
    assert depot.files() == set()
    (act,) = depot.rows(
        "SELECT rows, detail -> 'manifest' ->> 'month', content_hash = detail -> 'manifest' ->> 'content_hash' "
        "FROM ops.retention_ledger WHERE domain = %s AND act = 'archive_deleted'",
        (depot.name,),
    )
    assert act == (6, "2026-01", True)
    depot.require_balanced()
    assert depot.accounts()["orders"].deleted == 6


def test_rows_that_come_after_their_month_was_deleted_go_the_same_way_again(depot: Depot) -> None:
    years_later = date(2028, 2, 15)
    depot.retain()
    depot.retain([Kind.DELETE_ARCHIVE], today=years_later)
    depot.publish(ORDERS, [order("late", JANUARY)])
    # By then the months after January are past their time in Postgres as well.
    for kinds, hot, archived, deleted in (
        (ARCHIVING, 1, 0, 6),
        ([Kind.DROP], 0, 25, 6),
        ([Kind.DELETE_ARCHIVE], 0, 24, 7),
    ):
        depot.retain(kinds, today=years_later)
        depot.require_balanced()
        account = depot.accounts()["orders"]
        january = depot.rows("SELECT count(*)::int FROM {}.orders WHERE placed_at < '2026-02-01'")
        assert (january, account.archived, account.deleted) == ([(hot,)], archived, deleted)
        # What Postgres still has does not leave the archive, and what has left it no more.
        assert len(plan(depot.room, years_later, [Kind.DELETE_ARCHIVE]).acts) == (kinds == [Kind.DROP])
    assert not [name for name in depot.files() if "2026-01" in name]


def test_a_month_is_kept_in_the_archive_until_its_last_day_has_expired(depot: Depot) -> None:
    depot.retain()
    last_to_keep = date(2026, 1, 31) + timedelta(days=731)
    assert not plan(depot.room, last_to_keep, [Kind.DELETE_ARCHIVE]).acts
    assert len(plan(depot.room, last_to_keep + timedelta(days=1), [Kind.DELETE_ARCHIVE]).acts) == 1


def test_shorter_periods_are_another_policy_and_an_older_plan_is_not_carried_out_under_it(depot: Depot) -> None:
    made = plan(depot.room, TODAY)
    shorter = Policy({**DEFAULTS, RetentionClass.TRANSACTION_LOG: Periods(30, 731, archived=True)})
    changed = depot.as_of(policy=shorter)
    with pytest.raises(BadInputError, match="another policy"):
        carry_out(changed.room, made, dry_run=False)
    changed.retain()
    assert months(depot, ORDERS) == {"04", "05"}
    depot.require_balanced()
    versions = {row[0] for row in depot.ledger("policy_version")}
    assert versions == {shorter.version} != {depot.room.policy.version}


def test_the_ledger_is_only_added_to_and_shows_a_change_that_was_forced(depot: Depot) -> None:
    depot.retain()
    for statement in ("UPDATE {} SET rows = 0", "DELETE FROM {}", "TRUNCATE {}"):
        with psycopg.connect(depot.room.dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.replace("{}", "ops.retention_ledger"))
    with psycopg.connect(depot.room.dsn) as connection:
        assert broken_rows(connection) == []
        (number,) = connection.execute(
            "SELECT min(sequence) FROM ops.retention_ledger WHERE domain = %s", (depot.name,)
        ).fetchone()
        connection.execute("ALTER TABLE ops.retention_ledger DISABLE TRIGGER only_added_to")
        connection.execute("UPDATE ops.retention_ledger SET rows = rows + 1 WHERE sequence = %s", (number,))
        assert broken_rows(connection) == [number]
        connection.rollback()
