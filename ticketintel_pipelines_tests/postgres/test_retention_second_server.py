"""Retention on another PostgreSQL than the embedded one, by a role that is no superuser: it does the same there."""

from datetime import date
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.retention.ledger import broken_rows
from ticketintel_pipelines.retention.restore import restore
from ticketintel_pipelines.retention.verify import verify
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines_tests.postgres.retaining import ORDERS, TODAY, VISITS, Depot, month_of_orders, new_depot
from ticketintel_pipelines_tests.postgres.test_retention_archive import ODD

JANUARY = date(2026, 1, 1)
KEEPER = "keeper"


def filled(dsn: str, folder: Path) -> Depot:
    depot = new_depot(dsn, folder)
    depot.publish(ORDERS, [*ODD, *month_of_orders(date(2026, 5, 1))])
    depot.publish(VISITS, month_of_orders(date(2026, 4, 1)))
    return depot


@pytest.fixture(scope="module")
def both(make_settings, second_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> list[Depot]:
    """The same rows on the embedded server and on the second one."""
    with psycopg.connect(second_server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {KEEPER} LOGIN CREATEDB CREATEROLE NOSUPERUSER")
    second = make_url(second_server_url).set(username=KEEPER).render_as_string(hide_password=False)
    depots = []
    for settings in (make_settings(), make_settings(second)):
        workspace = Workspace((), lambda settings=settings: settings)
        depots.append(filled(workspace.server.dsn, tmp_path_factory.mktemp("archive")))
    return depots


def test_the_same_rows_have_the_same_hash_on_both_servers_and_come_back_from_both(both: list[Depot]) -> None:
    before = [depot.content(ORDERS) for depot in both]
    for depot in both:
        depot.retain()
        depot.require_balanced()
        assert (len(depot.content(ORDERS)), depot.content(VISITS)) == (6, [])
        assert verify(depot.room).faults == ()
    columns = "act, table_name, first_day, last_day, rows, content_hash, file_hash, policy_version, result"
    assert both[0].ledger(columns) == both[1].ledger(columns)
    for depot in both:
        restore(depot.room, ORDERS, DayRange(JANUARY, JANUARY), until=TODAY)
        depot.require_balanced()
    after = [depot.content(ORDERS) for depot in both]
    assert repr(after) == repr(before)
    assert repr(after[0]) == repr(after[1])


@pytest.mark.parametrize("statement", ["UPDATE {} SET rows = 0", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_role_that_owns_the_ledger_only_adds_to_it(both: list[Depot], statement: str) -> None:
    with psycopg.connect(both[1].room.dsn) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = CURRENT_USER").fetchone() == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.replace("{}", "ops.retention_ledger"))
        connection.rollback()
        assert broken_rows(connection) == []
