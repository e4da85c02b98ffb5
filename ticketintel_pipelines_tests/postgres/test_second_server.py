"""Another PostgreSQL than the embedded one, owned by a role that is no superuser: the same rows come out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.nights import Night, run_etl, stale_ranges
from ticketintel_pipelines.progress import Silence
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines.stages.view import views_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.roles import ANALYST
from ticketintel_pipelines.warehouse.server import MINIMUM_VERSION
from ticketintel_pipelines_tests.conftest import WORLD_START, take_in

PIPELINE = "pipeline"
FIRST_DAYS = 2


@pytest.fixture(scope="module")
def pipeline_url(second_server_url: str) -> str:
    """The second server as seen by a role that may make databases and roles, and nothing more."""
    with psycopg.connect(second_server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {PIPELINE} LOGIN CREATEDB CREATEROLE NOSUPERUSER")
    return as_user(second_server_url, PIPELINE)


def as_user(url: str, user: str) -> str:
    return make_url(url).set(username=user).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def small_world(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first days of the simulated world."""
    folder = tmp_path_factory.mktemp("small-world")
    days = DayRange(WORLD_START, WORLD_START.replace(day=FIRST_DAYS))
    for day in days.days:
        for path in world.glob(f"*/{day}.*"):
            target = folder / path.relative_to(world)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
    return folder


def worked_out(settings: Settings, folder: Path) -> tuple[Workspace, list[Night]]:
    workspace = Workspace([TICKETING], lambda: settings)
    take_in(workspace, folder)
    return workspace, [run_etl(workspace, TICKETING, days, Silence()) for days in stale_ranges(workspace, TICKETING)]


@pytest.fixture(scope="module")
def both(make_settings: Callable[..., Settings], pipeline_url: str, small_world: Path) -> list[tuple[Workspace, list[Night]]]:
    """The same days worked out on the embedded server and on the second one."""
    return [worked_out(make_settings(*url), small_world) for url in ([], [pipeline_url])]


def content(workspace: Workspace, relation: str) -> tuple[int, str]:
    """How many rows a relation has, and a hash of all of them in the order of their text."""
    with workspace.catalog() as catalog:
        row = catalog.connection.execute(
            f"SELECT count(*)::int, md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM {relation} t"
        ).fetchone()
    assert row is not None
    return row


def test_the_second_server_is_another_version_and_the_pipeline_no_superuser_there(both) -> None:
    versions = []
    for workspace, nights in both:
        assert all(night.succeeded for night in nights), [night.failures for night in nights]
        assert [night.disagreements for night in nights] == [()] * len(nights)
        with workspace.catalog() as catalog:
            versions.append(catalog.connection.info.server_version // 10_000)
    assert versions[0] != versions[1] >= MINIMUM_VERSION
    with both[1][0].catalog() as catalog:
        mine = catalog.connection.execute("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = CURRENT_USER").fetchone()
    assert mine == (PIPELINE, False)


@pytest.mark.parametrize("table", [table.name for table in TICKETING.published_tables])
def test_every_table_has_the_same_rows_on_both(both, table: str) -> None:
    embedded, second = (content(workspace, f"{TICKETING.name}.{table}") for workspace, _ in both)
    assert embedded == second
    if table in ("users", "tickets", "transfers", "transactions", "orders"):
        assert embedded[0] > 0


@pytest.mark.parametrize("view", [view.name for view in views_of(TICKETING)])
def test_every_view_has_the_same_rows_on_both(both, view: str) -> None:
    embedded, second = (content(workspace, f"{TICKETING.name}.{view}") for workspace, _ in both)
    assert embedded == second
    # Nothing waits for a person where no model has scored.
    assert embedded[0] > 0 or view == "review_queue"


@pytest.mark.parametrize(
    "relation",
    [
        "(SELECT table_name, day, rows_in, published, quarantined, duplicates, superseded, content_hash "
        "FROM ops.published_days)",
        "(SELECT table_name, day, rules, source_file, source_row, row_key, mended, content FROM ops.quarantine)",
    ],
)
def test_days_and_quarantine_are_recorded_alike_on_both(both, relation: str) -> None:
    embedded, second = (content(workspace, relation) for workspace, _ in both)
    assert embedded == second
    assert embedded[0] > 0


def test_a_second_run_by_another_process_changes_nothing(both) -> None:
    workspace, (first, *_) = both[1]
    before = content(workspace, "ops.published_days")
    again = Workspace([TICKETING], lambda: workspace.settings)
    assert run_etl(again, TICKETING, first.days, Silence()).succeeded
    assert content(workspace, "ops.published_days") == before


def test_the_analyst_reads_views_and_no_personal_column_there_too(both) -> None:
    dsn = as_user(both[1][0].server.dsn, ANALYST)
    with psycopg.connect(dsn, autocommit=True) as session:
        assert session.execute("SHOW statement_timeout").fetchone() == ("30s",)
        session.execute("SELECT * FROM ticketing.kpi_hourly")
        for statement in ("SELECT email FROM ticketing.users", "SELECT * FROM ops.quarantine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)


def test_another_pipeline_of_the_same_server_shares_the_analyst_without_owning_it(
    both, make_settings, second_server_url: str
) -> None:
    with psycopg.connect(second_server_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE neighbour LOGIN CREATEDB")
    settings = make_settings(as_user(second_server_url, "neighbour"))
    workspace = Workspace([TICKETING], lambda: settings)
    with psycopg.connect(as_user(workspace.server.dsn, ANALYST)) as session:
        session.execute("SELECT country_code FROM ticketing.users")


def test_a_role_that_is_no_superuser_prepares_an_empty_embedded_server_as_well(
    make_settings, server_url: str, monkeypatch
) -> None:
    """From version 16 on, who may make roles is no longer a member of those that it made."""
    monkeypatch.setattr("ticketintel_pipelines.warehouse.roles.ANALYST", "analyst_of_18")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {PIPELINE} LOGIN CREATEDB CREATEROLE NOSUPERUSER")
    settings = make_settings(as_user(server_url, PIPELINE))
    workspace = Workspace([TICKETING], lambda: settings)
    with workspace.catalog() as catalog:
        catalog.connection.execute("SET ROLE analyst_of_18")
        catalog.connection.execute("SELECT country_code FROM ticketing.users")


def test_a_role_that_may_not_make_the_analyst_is_told_what_to_do(make_settings, monkeypatch, second_server_url: str) -> None:
    monkeypatch.setattr("ticketintel_pipelines.warehouse.roles.ANALYST", "another_analyst")
    with psycopg.connect(second_server_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE powerless LOGIN CREATEDB")
    settings = make_settings(as_user(second_server_url, "powerless"))
    with pytest.raises(BadInputError, match="may not create the role another_analyst; give it CREATEROLE"):
        _ = Workspace([TICKETING], lambda: settings).server
