"""Frozen days: what retention took away is not worked out again as if it had never been, and what comes late is told of."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ticketintel_pipelines.errors import PublishRefusedError
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.nights import stale_ranges
from ticketintel_pipelines.retention.carrying import carry_out
from ticketintel_pipelines.retention.outcome import Result
from ticketintel_pipelines.retention.plan import plan
from ticketintel_pipelines.retention.reconcile import reconcile
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.observation import stale_observation_days
from ticketintel_pipelines.stages.retention import retention_room
from ticketintel_pipelines.stages.retention_lake import purge_lake_of
from ticketintel_pipelines.stages.validate import validate_table
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.summary import status
from ticketintel_pipelines.ticketing.assets import source_of
from ticketintel_pipelines.ticketing.features.observing import OBSERVING
from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS
from ticketintel_pipelines.ticketing.retention import FEATURES_KEPT
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.feature_days import FeatureDays
from ticketintel_pipelines.warehouse.frozen import first_workable
from ticketintel_pipelines_tests.assets.handing_in import rows, write
from ticketintel_pipelines_tests.conftest import take_in
from ticketintel_pipelines_tests.postgres import test_features as folding
from ticketintel_pipelines_tests.postgres.publishing import Publisher
from ticketintel_pipelines_tests.postgres.test_versions import FIRST, ORDERS, PAYMENTS, order

TODAY = date(2026, 5, 20)
JANUARY = DayRange(date(2026, 1, 1), date(2026, 1, 31))
SPRING = DayRange(date(2026, 1, 1), date(2026, 4, 30))
LATE = {"orders-late": ORDERS + order(3, "paid"), "users": FIRST["users"]}
COUNT = "SELECT count(*)::int FROM ticketing.orders"


def hand_in(workspace: Workspace, folder: Path, days: DayRange = SPRING, **tables: str) -> None:
    take_in(workspace, write(folder, **tables))
    work_out(workspace, days, *(name.partition("-")[0] for name in tables))


def work_out(workspace: Workspace, days: DayRange, *names: str) -> None:
    for table in TICKETING.validated_tables:
        if table.name in names:
            validate_table(workspace, TICKETING, table, days, source_of(table), run_id="run")


def retain(workspace: Workspace) -> None:
    room = retention_room(workspace, TICKETING, actor="a test")
    assert set(carry_out(room, plan(room, TODAY), dry_run=False).results) <= {Result.DONE}
    purge_lake_of(workspace, TICKETING, room, FEATURES_KEPT, TODAY, dry_run=False)


def retain_from(workspace: Workspace, table: str, day: date) -> None:
    with psycopg.connect(workspace.server.dsn) as connection:
        connection.execute(
            "INSERT INTO ops.retained_from (domain, table_name, first_day) VALUES ('ticketing', %s, %s)", (table, day)
        )


def stale(workspace: Workspace) -> list[date]:
    with workspace.catalog() as catalog:
        return catalog.stale_days(TICKETING, RAW_INPUTS)


def test_a_purge_leaves_nothing_to_be_worked_out_again(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **FIRST)
    before = stale(workspace)
    retain(workspace)
    assert rows(workspace, COUNT) == [(0,)], "January's orders are in the archive"
    assert rows(workspace, "SELECT count(*)::int FROM ops.raw_fragments WHERE table_name = 'orders'") == [(0,)]
    assert set(stale(workspace)) <= set(before)
    work_out(workspace, SPRING, "orders", "payments")
    accounts = {account.table: account for account in reconcile(retention_room(workspace, TICKETING))}
    assert (accounts["orders"].archived, accounts["orders"].missing) == (2, 0)
    assert accounts["payments"].missing == 0
    hand_in(workspace, tmp_path / "again", **FIRST)
    assert rows(workspace, COUNT) == [(0,)], "a file whose rows were purged is not taken in again"
    assert rows(workspace, "SELECT count(*)::int FROM ops.raw_fragments WHERE table_name = 'orders'") == [(0,)]


def test_rows_that_come_late_for_frozen_days_stay_landed_and_are_told_of(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **FIRST)
    retain(workspace)
    before = stale(workspace)
    hand_in(workspace, tmp_path / "2", **LATE)
    assert stale(workspace) == before
    assert rows(workspace, COUNT) == [(0,)]
    assert rows(workspace, "SELECT rows::int FROM ops.raw_fragments WHERE table_name = 'orders'") == [(1,)]
    told = status(workspace, TICKETING, views=False)
    assert "1 row of orders of 2026-01-03 landed late and not published in orders: these days are frozen" in told
    retain(workspace)
    assert rows(workspace, "SELECT count(*)::int FROM ops.raw_fragments WHERE table_name = 'orders'") == [(1,)]


def test_transactions_are_frozen_with_the_orders_that_they_were_made_with(workspace: Workspace) -> None:
    days = [date(2026, 1, 5), date(2026, 1, 20), date(2026, 1, 21)]
    with psycopg.connect(workspace.server.dsn) as connection:
        for day in days:
            connection.execute("INSERT INTO ops.stale_days VALUES ('ticketing', 'transactions', %s, 'a test')", (day,))
    assert stale(workspace) == days
    retain_from(workspace, "orders", days[1])
    assert stale(workspace) == [days[2]], "an order may have been placed on the day before"
    assert "orders" in source_of(TICKETING.by_name["transactions"]).made_of
    retain_from(workspace, "sessions", days[2] + timedelta(days=9))
    assert stale(workspace) == [days[2]], "no transaction is made of sessions"


def test_quarantine_of_frozen_days_is_not_replayed(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **{**FIRST, "orders": ORDERS + order(1, "unheard-of")})
    assert DayRange(JANUARY.first, JANUARY.first) in stale_ranges(workspace, TICKETING, replay=True)
    for table in TICKETING.published_tables:
        retain_from(workspace, table.name, date(2026, 2, 1))
    assert stale_ranges(workspace, TICKETING, replay=True) == []


def test_a_row_is_not_refused_for_a_parent_that_was_purged(workspace: Workspace, tmp_path: Path) -> None:
    hand_in(workspace, tmp_path / "1", **{**FIRST, "payments": PAYMENTS})
    retain_from(workspace, "orders", date(2026, 2, 1))
    with psycopg.connect(workspace.server.dsn) as connection:
        connection.execute("DELETE FROM ticketing.orders")
    late = "p2,2026-02-02T10:00:00Z,o2,u1,card,40.00,USD,captured,\n"
    never = "p3,2026-04-01T10:00:00Z,o99,u1,card,40.00,USD,captured,\n"
    hand_in(workspace, tmp_path / "2", DayRange(date(2026, 2, 1), SPRING.last), payments=PAYMENTS + late + never)
    assert rows(workspace, "SELECT payment_id FROM ticketing.payments") == [("p2",)]
    assert rows(workspace, "SELECT row_key, rule FROM ops.quarantine") == [("p3", "order_exists")]


def test_a_day_that_is_frozen_while_it_is_worked_out_is_not_published(workspace: Workspace, tmp_path: Path) -> None:
    publisher = Publisher(workspace.server.dsn, tmp_path)
    day = JANUARY.first
    verdict = publisher.verdict(TICKETING.by_name["orders"], DayRange(day, day), [])
    retain_from(workspace, "orders", day + timedelta(days=1))
    with pytest.raises(PublishRefusedError, match="left Postgres"):
        publisher.publish(verdict)


def test_what_was_seen_on_frozen_days_stays_as_it_is(workspace: Workspace) -> None:
    days = DayRange(date(2026, 1, 1), date(2026, 1, 10))
    with psycopg.connect(workspace.server.dsn) as connection:
        connection.execute(
            "INSERT INTO ops.published_days SELECT 'ticketing', 'sessions', day::date, 1, 1, 0, 0, 'x', 1, '{}', 'run' "
            "FROM generate_series(%s::date, %s::date, '1 day') AS day",
            (days.first, days.last),
        )
    retain_from(workspace, "sessions", date(2026, 1, 6))
    by_name = {observing.name: observing for observing in OBSERVING}
    with workspace.catalog() as catalog:
        records = FeatureDays(catalog.connection, TICKETING.name)
        assert stale_observation_days(records, by_name["located_sessions"], days)[0] == date(2026, 1, 6)
        assert stale_observation_days(records, by_name["transactions"], days)[0] == date(2026, 1, 9)


family = folding.family


def test_folds_go_on_from_the_first_checkpoint_whose_days_are_all_there(workspace: Workspace, family) -> None:
    see, table, days = folding.See(workspace), folding._rows(5), folding.DAYS.days
    see(table)
    folding.work(workspace, family, folding.DAYS)
    before = folding.result(workspace, family)
    lake = workspace.lake(TICKETING)
    for day in days[:6]:
        lake.part(FEATURE_STAGE, "seen_visits", day).unlink()
    retain_from(workspace, f"{FEATURE_STAGE}/seen_visits", days[6])
    late = pa.table({"seen": [folding.start_of(days[6]) + 7], "wallet": [999], "kind": [77], "amount": pa.array([5])})
    see(pa.concat_tables([table, late]).sort_by("seen"), DayRange(days[6], days[6]))
    report = folding.work(workspace, family, folding.DAYS)
    assert report.worked_out == days[8:], "states of the end of the eighth day are kept, and none of the sixth"
    assert folding.result(workspace, family).equals(before), "nothing that was purged is missing from what follows"
    assert folding.work(workspace, family, folding.DAYS).worked_out == []


def test_without_states_days_that_are_known_stay_and_new_ones_go_on_from_what_is_held(workspace: Workspace, family) -> None:
    see, table, days = folding.See(workspace), folding._rows(6), folding.DAYS.days
    see(table)
    folding.work(workspace, family, DayRange(days[0], days[-2]))
    before = folding.result(workspace, family, days[:-1])
    lake = workspace.lake(TICKETING)
    for day in days[:6]:
        lake.part(FEATURE_STAGE, "seen_visits", day).unlink()
    retain_from(workspace, f"{FEATURE_STAGE}/seen_visits", days[6])
    shutil.rmtree(workspace.states(TICKETING, family.name).path)
    report = folding.work(workspace, family, folding.DAYS)
    assert (report.worked_out, report.changed) == (days[6:], [days[-1]])
    assert folding.result(workspace, family, days[:-1]).equals(before)
    held = table.filter(pc.greater_equal(table["seen"], folding.start_of(days[6])))
    expected = folding.in_one_go(held, family)
    last = expected.filter(pc.greater_equal(expected["seen"], folding.start_of(days[-1])))
    assert folding.result(workspace, family, days[-1:]).equals(last)
    assert folding.work(workspace, family, folding.DAYS).worked_out == []


def test_the_first_day_that_can_be_worked_out_is_the_last_of_those_of_its_inputs() -> None:
    first = date(2026, 3, 1)
    retained = {"orders": first, "sessions": first + timedelta(days=40)}
    assert first_workable({}, "orders", ("tickets",)) is None
    assert first_workable(retained, "orders", ("orders",)) == first
    assert first_workable(retained, "transactions", ("logs", "orders")) == first + timedelta(days=1)
    assert first_workable(retained, "orders", ("sessions",), 3) == first + timedelta(days=43)
