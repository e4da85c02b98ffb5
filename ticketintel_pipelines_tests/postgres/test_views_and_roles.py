"""Views that analysts read, and what else they may not."""

import threading
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.stages.view import views_of
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.prepare import prepare_warehouse
from ticketintel_pipelines.warehouse.roles import ANALYST, grant_roles
from ticketintel_pipelines.warehouse.server import Server, connect, start_server
from ticketintel_pipelines.warehouse.views import View, first_rows, is_current, read_view, refresh_view
from ticketintel_pipelines_tests.postgres.publishing import make_partition

USERS_SEEN = View(
    domain="ticketing",
    name="users_seen",
    description="Users.",
    key=("user_id",),
    reads=("users",),
    show="user_id DESC",
    columns={"user_id": "User.", "seen_at": "When."},
    query="SELECT user_id, created_at AS seen_at FROM ticketing.users",
)
CHANGED = replace(USERS_SEEN, query="SELECT user_id, created_at + interval '1 day' AS seen_at FROM ticketing.users")


@pytest.fixture(scope="module")
def server(make_settings) -> Server:
    server = start_server(make_settings())
    prepare_warehouse(server, [TICKETING])
    with connect(server.dsn, autocommit=True) as connection:
        make_partition(connection, "users", "2026-01-01")
        for view in views_of(TICKETING):
            refresh_view(connection, view, "empty", ANALYST)
    return server


@pytest.fixture
def connection(server: Server):
    """A session on which there are two users and no view of them."""
    with connect(server.dsn, autocommit=True) as connection:
        connection.execute("DROP MATERIALIZED VIEW IF EXISTS ticketing.users_seen")
        connection.execute("DELETE FROM ops.view_refreshes WHERE view_name = 'users_seen'; TRUNCATE ticketing.users")
        add_user(connection, "a")
        add_user(connection, "b")
        yield connection


def add_user(connection, name: str) -> None:
    connection.execute(
        "INSERT INTO ticketing.users VALUES (%s, '2026-01-02', '0x', 'a@x.org', 'A', 'DE', true)",
        (name,),
    )


def seen(connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT user_id FROM ticketing.users_seen ORDER BY 1").fetchall()]


def test_a_view_is_built_then_left_alone_then_refreshed(connection) -> None:
    assert refresh_view(connection, USERS_SEEN, "1", ANALYST).action == "built"
    add_user(connection, "c")
    assert is_current(connection, USERS_SEEN, "1")
    assert refresh_view(connection, USERS_SEEN, "1", ANALYST).action == "unchanged"
    assert seen(connection) == ["a", "b"]
    assert not is_current(connection, USERS_SEEN, "2")
    refreshed = refresh_view(connection, USERS_SEEN, "2", ANALYST)
    assert (refreshed.action, refreshed.rows) == ("refreshed", 3)
    assert seen(connection) == ["a", "b", "c"]


@pytest.mark.parametrize("change", [{"query": CHANGED.query}, {"description": "People."}, {"key": ("user_id", "seen_at")}])
def test_a_changed_definition_is_built_anew_even_if_the_data_is_the_same(connection, change: dict) -> None:
    refresh_view(connection, USERS_SEEN, "1", ANALYST)
    changed = replace(USERS_SEEN, **change)
    assert not is_current(connection, changed, "1")
    assert refresh_view(connection, changed, "1", ANALYST).action == "built"
    assert refresh_view(connection, changed, "1", ANALYST).action == "unchanged"
    assert connection.execute("SELECT to_regclass('ticketing.users_seen__new')").fetchone() == (None,)


@pytest.mark.parametrize(
    "loss",
    [
        "COMMENT ON MATERIALIZED VIEW ticketing.users_seen IS NULL",
        "REFRESH MATERIALIZED VIEW ticketing.users_seen WITH NO DATA",
    ],
)
def test_a_view_that_lost_its_mark_or_its_rows_is_built_anew(connection, loss: str) -> None:
    refresh_view(connection, USERS_SEEN, "1", ANALYST)
    connection.execute(loss)
    assert refresh_view(connection, USERS_SEEN, "1", ANALYST).action == "built"
    assert seen(connection) == ["a", "b"]


def test_readers_of_the_old_view_neither_wait_nor_see_a_gap_while_its_successor_is_built(connection, server) -> None:
    refresh_view(connection, USERS_SEEN, "1", ANALYST)
    slow = replace(CHANGED, query=CHANGED.query + " WHERE pg_sleep(0.15) IS NOT NULL")
    done = threading.Event()
    read: list[int] = []

    def keep_reading() -> None:
        with connect(server.dsn, autocommit=True) as reader:
            while not done.is_set():
                read.append(len(reader.execute("SELECT * FROM ticketing.users_seen").fetchall()))

    reading = threading.Thread(target=keep_reading)
    reading.start()
    refresh_view(connection, slow, "1", ANALYST)
    done.set()
    reading.join()
    assert set(read) == {2}
    assert len(read) > 3


def test_a_reader_in_a_transaction_does_not_hold_up_a_refresh(connection, server) -> None:
    refresh_view(connection, USERS_SEEN, "1", ANALYST)
    add_user(connection, "c")
    with connect(server.dsn) as reader:
        assert seen(reader) == ["a", "b"]
        connection.execute("SET lock_timeout = '2s'")
        assert refresh_view(connection, USERS_SEEN, "2", ANALYST).action == "refreshed"
        assert seen(reader) == ["a", "b", "c"]


def test_two_refreshes_at_once_build_a_view_once(connection, server) -> None:
    actions: list[str] = []

    def refresh() -> None:
        with connect(server.dsn, autocommit=True) as session:
            actions.append(refresh_view(session, USERS_SEEN, "1", ANALYST).action)

    threads = [threading.Thread(target=refresh) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(actions) == ["built", "unchanged", "unchanged"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"columns": {"user_id": "User."}}, "seen_at selected but not described"),
        ({"columns": {**USERS_SEEN.columns, "gone": "?"}}, "gone described or part of the key but not selected"),
        ({"key": ("nobody",)}, "nobody described or part of the key but not selected"),
    ],
)
def test_a_view_whose_comment_names_other_columns_than_its_query_is_refused_and_the_old_one_stays(
    connection, change: dict, told: str
) -> None:
    refresh_view(connection, USERS_SEEN, "1", ANALYST)
    with pytest.raises(BadInputError, match=rf"users_seen\.sql: {told}"):
        refresh_view(connection, replace(USERS_SEEN, **change), "1", ANALYST)
    assert seen(connection) == ["a", "b"]


def test_a_view_file_is_read_with_its_opening_comment(tmp_path: Path) -> None:
    path = tmp_path / "things.sql"
    path.write_text(
        "-- One row\n-- per thing.\n-- key: a, b\n-- reads: t,u\n-- show: a DESC\n-- column a: The a: first.\n"
        "SELECT a,\n-- b\nb;\n"
    )
    view = read_view("ticketing", path)
    assert (view.name, view.key, view.reads, view.columns) == ("things", ("a", "b"), ("t", "u"), {"a": "The a: first."})
    assert view.query == "SELECT a,\nb"


@pytest.mark.parametrize("tag", ["key", "reads", "show"])
def test_a_view_file_without_a_tag_is_refused_by_name(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "things.sql"
    path.write_text("".join(f"-- {other}: a\n" for other in ("key", "reads", "show") if other != tag) + "SELECT 1 AS a")
    with pytest.raises(BadInputError, match=rf"things\.sql has no line '-- {tag}: …'"):
        read_view("ticketing", path)


def test_the_first_rows_of_a_view_come_in_the_order_its_file_names(connection) -> None:
    refresh_view(connection, USERS_SEEN, "1", ANALYST)
    header, rows = first_rows(connection, USERS_SEEN, 1)
    assert (header, rows[0][0]) == (["user_id", "seen_at"], "b")


def analyst(server: Server) -> psycopg.Connection:
    """A session of the analyst's own, with the role's own settings."""
    return psycopg.connect(server.warehouse.set(username=ANALYST).render_as_string(hide_password=False), autocommit=True)


def test_the_analyst_reads_every_view_and_every_column_without_personal_data(server) -> None:
    with analyst(server) as session:
        for view in views_of(TICKETING):
            session.execute(f"SELECT * FROM ticketing.{view.name}")
        for table in TICKETING.published_tables:
            columns = ", ".join(column.name for column in table.columns if column.personal is None)
            session.execute(f"SELECT {columns} FROM ticketing.{table.name} LIMIT 1")


PERSONAL = [(table.name, column.name) for table in TICKETING.published_tables for column in table.columns if column.personal]


def test_the_analyst_reads_no_personal_column(server) -> None:
    assert len(PERSONAL) > 10
    with analyst(server) as session:
        for table, column in PERSONAL:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(f"SELECT {column} FROM ticketing.{table} LIMIT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM ticketing.users",
        "SELECT email FROM ticketing.users_2026_01",
        "SELECT user_id FROM ticketing.users_2026_01",
        "SELECT * FROM ops.quarantine",
        "SELECT * FROM ops.published_days",
        "SELECT ops.make_month_partition('ticketing', 'users', '2027-01-01')",
        "INSERT INTO ticketing.events (event_id) VALUES ('x')",
        "UPDATE ticketing.users SET country_code = 'DE'",
        "DELETE FROM ticketing.tickets",
        "TRUNCATE ticketing.tickets",
        "CREATE TABLE ticketing.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "REFRESH MATERIALIZED VIEW ticketing.kpi_hourly",
        "COPY ticketing.events TO PROGRAM 'cat'",
    ],
)
def test_the_analyst_may_do_nothing_else(server, statement: str) -> None:
    with analyst(server) as session:
        session.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)


def test_an_analysts_statement_ends_after_half_a_minute_and_writes_nothing_by_default(server) -> None:
    with analyst(server) as session:
        assert session.execute("SHOW statement_timeout").fetchone() == ("30s",)
        assert session.execute("SHOW default_transaction_read_only").fetchone() == ("on",)


def test_the_analyst_reads_a_new_view_and_a_rebuilt_one(connection, server) -> None:
    with analyst(server) as session:
        for view in (USERS_SEEN, CHANGED):
            assert refresh_view(connection, view, "1", ANALYST).action == "built"
            assert seen(session) == ["a", "b"]


def test_what_was_granted_or_taken_by_hand_is_put_right_at_the_next_start(connection, server) -> None:
    refresh_view(connection, USERS_SEEN, "1", ANALYST)
    for change in (
        f"GRANT SELECT (email) ON ticketing.users TO {ANALYST}",
        f"GRANT SELECT ON ticketing.users TO {ANALYST}",
        f"GRANT UPDATE (country_code) ON ticketing.users TO {ANALYST}",
        f"REVOKE SELECT (is_verified) ON ticketing.users FROM {ANALYST}",
        f"REVOKE SELECT ON ticketing.users_seen FROM {ANALYST}",
    ):
        connection.execute(change)
        grant_roles(connection, TICKETING)
        rights = connection.execute(
            "SELECT string_agg(DISTINCT privilege_type, ','), bool_or(column_name = 'email'), "
            "bool_or(column_name = 'is_verified') "
            "FROM information_schema.column_privileges WHERE grantee = %s AND table_name = 'users'",
            (ANALYST,),
        ).fetchone()
        assert rights == ("SELECT", False, True), change
        with analyst(server) as session:
            assert seen(session) == ["a", "b"]
