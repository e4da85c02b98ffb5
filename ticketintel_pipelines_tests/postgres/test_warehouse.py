"""The warehouse around the rows: migrations, the schema check, comments and look-ups by key."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from ticketintel_pipelines.errors import BadInputError, UnavailableError
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.settings import read_settings
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.lookups import look_up
from ticketintel_pipelines.warehouse.migrations import Migration, migrate, read_migrations
from ticketintel_pipelines.warehouse.prepare import prepare_warehouse
from ticketintel_pipelines.warehouse.schema_check import check_schema, column_words, write_comments
from ticketintel_pipelines.warehouse.server import Server, connect, start_server
from ticketintel_pipelines_tests.postgres.publishing import make_partition


@pytest.fixture(scope="module")
def server(make_settings) -> Server:
    server = start_server(make_settings())
    prepare_warehouse(server, [TICKETING])
    return server


@pytest.fixture
def connection(server: Server):
    """A session whose changes are undone."""
    with connect(server.dsn) as connection:
        yield connection
        connection.rollback()


def test_a_migration_is_applied_once_and_in_order(server: Server) -> None:
    known = read_migrations()
    assert [migration.version for migration in known] == list(range(1, len(known) + 1))
    with connect(server.dsn, autocommit=True) as connection:
        recorded = connection.execute("SELECT version, hash FROM ops.migrations ORDER BY 1").fetchall()
        assert migrate(connection, known) == []
    assert recorded == [(migration.version, migration.hash) for migration in known]


def test_an_edited_migration_is_refused_by_name(server: Server) -> None:
    first, *rest = read_migrations()
    edited = [Migration(first.version, first.name, first.text + "\n"), *rest]
    with connect(server.dsn, autocommit=True) as connection, pytest.raises(BadInputError, match="0001_ops was edited"):
        migrate(connection, edited)


def test_a_migration_that_fails_half_way_leaves_nothing(server: Server) -> None:
    half = Migration(9_999, "half", "CREATE TABLE ops.half (a int); SELECT 1 / 0")
    with connect(server.dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(connection, [half])
        assert connection.execute("SELECT to_regclass('ops.half')").fetchone() == (None,)


def test_a_database_that_holds_data_takes_up_versions(make_settings) -> None:
    server = start_server(make_settings())
    day = "INSERT INTO ops.published_days (domain, table_name, day, rows_in, published, quarantined, duplicates, content_hash, "
    day += "raw_sequence, run_id) VALUES ('ticketing', 'users', '2026-01-01', 2, 1, 0, 1, 'x', 1, 'run')"
    user = "INSERT INTO ticketing.users (user_id, created_at, email, is_verified) VALUES (%s, %s, 'a@b.example', true)"
    with connect(server.dsn, autocommit=True) as connection:
        migrate(connection, read_migrations()[:2])
        make_partition(connection, "users", "2026-01-01")
        connection.execute(day)
        connection.execute(user, ("old", "2026-01-01"))
    prepare_warehouse(server, [TICKETING])
    with connect(server.dsn, autocommit=True) as connection:
        make_partition(connection, "users", "2026-02-01")
        connection.execute(user, ("new", "2026-02-01"))
        found = connection.execute("SELECT user_id, known_at, deleted_at FROM ticketing.users ORDER BY 1").fetchall()
        assert connection.execute("SELECT superseded FROM ops.published_days").fetchone() == (0,)
    assert found == [("new", None, None), ("old", None, None)]


def test_listings_that_became_known_late_are_noted_in_a_database_that_holds_them(make_settings) -> None:
    server = start_server(make_settings())
    day = "INSERT INTO ops.published_days (domain, table_name, day, rows_in, published, quarantined, duplicates, content_hash, "
    day += "raw_sequence, run_id) VALUES ('ticketing', 'watch_list', %s, 1, 1, 0, 0, 'x', 1, 'run')"
    listing = "INSERT INTO ticketing.watch_list (list_name, address, listed_at, known_at) VALUES (%s, '0x', %s, %s)"
    known = {"never changed": None, "soon": "2026-01-31", "late": "2026-03-09T23:00Z", "as late": "2026-03-09"}
    with connect(server.dsn, autocommit=True) as connection:
        migrate(connection, read_migrations()[:23])
        make_partition(connection, "watch_list", "2026-01-01")
        for name, known_at in known.items():
            connection.execute(listing, (name, "2026-01-01", known_at))
        connection.execute(listing, ("other day", "2026-01-02", "2026-01-03"))
        for of in ("2026-01-01", "2026-01-02"):
            connection.execute(day, (of,))
        migrate(connection, read_migrations())
        found = connection.execute("SELECT late_on::text[] FROM ops.published_days ORDER BY day").fetchall()
    assert found == [(["2026-03-09"],), ([],)]


def test_migrations_are_read_in_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0002_second_step.sql", "0001_first.sql", "notes.txt"):
        (tmp_path / name).write_text("SELECT 1")
    assert [(m.version, m.name) for m in read_migrations(tmp_path)] == [(1, "first"), (2, "second_step")]


def test_several_processes_may_prepare_an_empty_database_at_once(make_settings) -> None:
    settings = make_settings()
    start = threading.Barrier(4)

    def prepare(_: int) -> int:
        start.wait()
        return len(prepare_warehouse(start_server(settings), [TICKETING]))

    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(prepare, range(4)))
    assert sum(applied) == len(read_migrations())


def test_several_processes_may_prepare_a_database_whose_comments_are_out_of_date_at_once(server: Server) -> None:
    with connect(server.dsn, autocommit=True) as connection:
        connection.execute("COMMENT ON TABLE ticketing.users IS 'old'")
    start = threading.Barrier(4)

    def prepare(_: int) -> None:
        start.wait()
        prepare_warehouse(server, [TICKETING])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, range(4)))


DIFFERENCES = {
    "a missing table": ("DROP TABLE ticketing.chargebacks", "CREATE TABLE ticketing.chargebacks is missing"),
    "a missing column": (
        "ALTER TABLE ticketing.orders DROP COLUMN market",
        "ALTER TABLE ticketing.orders ADD COLUMN market text NOT NULL",
    ),
    "a missing nullable column": (
        "ALTER TABLE ticketing.tickets DROP COLUMN seat",
        "ALTER TABLE ticketing.tickets ADD COLUMN seat text",
    ),
    "another type": (
        "ALTER TABLE ticketing.orders ALTER COLUMN amount TYPE numeric(18,3)",
        "ALTER TABLE ticketing.orders ALTER COLUMN amount TYPE numeric(18,2) (it is numeric(18,3))",
    ),
    "a nullable column": (
        "ALTER TABLE ticketing.orders ALTER COLUMN status DROP NOT NULL",
        "ALTER TABLE ticketing.orders ALTER COLUMN status SET NOT NULL",
    ),
    "a required column": (
        "ALTER TABLE ticketing.tickets ALTER COLUMN seat SET NOT NULL",
        "ALTER TABLE ticketing.tickets ALTER COLUMN seat DROP NOT NULL",
    ),
    "an extra column": (
        "ALTER TABLE ticketing.users ADD COLUMN shoe_size int",
        "ALTER TABLE ticketing.users DROP COLUMN shoe_size",
    ),
    "no primary key": (
        "ALTER TABLE ticketing.users DROP CONSTRAINT users_pkey",
        "ticketing.users has no primary key",
    ),
    "another primary key": (
        "ALTER TABLE ticketing.users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (created_at, user_id)",
        "the primary key of ticketing.users must be (user_id, created_at), it is (created_at, user_id)",
    ),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_the_schema_check_tells_a_difference_with_the_statement_that_mends_it(connection, kind: str) -> None:
    change, told = DIFFERENCES[kind]
    connection.execute(change)
    with pytest.raises(BadInputError) as refusal:
        check_schema(connection, TICKETING)
    assert str(refusal.value).endswith(f"write a migration in sql/migrations: {told}")
    if told.startswith("ALTER"):
        connection.execute(told.split(" (it is")[0])
        check_schema(connection, TICKETING)


def test_all_differences_are_told_at_once(connection) -> None:
    connection.execute(DIFFERENCES["a missing table"][0])
    connection.execute(DIFFERENCES["an extra column"][0])
    with pytest.raises(BadInputError, match=r"DROP COLUMN shoe_size; CREATE TABLE ticketing\.chargebacks is missing"):
        check_schema(connection, TICKETING)


def test_comments_say_what_the_declarations_say_and_are_written_once(connection) -> None:
    connection.execute("COMMENT ON COLUMN ticketing.users.email IS 'old'; COMMENT ON TABLE ticketing.users IS NULL")
    assert write_comments(connection, TICKETING) == 2
    assert write_comments(connection, TICKETING) == 0
    for table in TICKETING.published_tables:
        target = f"ticketing.{table.name}"
        found = connection.execute(
            "SELECT obj_description(%(t)s::regclass), array_agg(col_description(attrelid, attnum) ORDER BY attnum) "
            "FROM pg_attribute WHERE attrelid = %(t)s::regclass AND attnum > 0 GROUP BY 1",
            {"t": target},
        ).fetchone()
        assert table.grain in found[0]
        assert sorted(found[1]) == sorted(column_words(column) for column in table.columns)


def test_a_comment_tells_unit_and_personal_data() -> None:
    sessions = TICKETING.by_name["sessions"]
    assert column_words(sessions.column("latitude")).endswith("Unit: degrees. Personal data (direct).")


TOKEN_1, TOKEN_2 = "0", "1" * 78


@pytest.fixture
def tickets(connection):
    """A session on which three tickets of two days are published."""
    make_partition(connection, "tickets", "2026-01-01")
    rows = [("a", 1, "0xa", TOKEN_1), ("b", 2, "0xa", TOKEN_2), ("c", 2, "0xb", TOKEN_1)]
    for name, day, contract, token in rows:
        connection.execute(
            "INSERT INTO ticketing.tickets VALUES (%s, %s, 'e', %s, %s, 'vip', NULL, 9.90)",
            (name, datetime(2026, 1, day, 12, tzinfo=UTC), contract, token),
        )
    return connection


def find(connection, columns: tuple[str, ...], values: list[tuple], *more) -> list[dict]:
    arrays = [pa.array([row[place] for row in values], pa.string()) for place in range(len(columns))]
    found = look_up(connection, TICKETING, "tickets", columns, pa.table(arrays, names=list(columns)), *more)
    return sorted(found.to_pylist(), key=str)


def test_a_composite_key_is_looked_up_as_a_whole_with_all_its_digits(tickets) -> None:
    pairs = [("0xa", TOKEN_2), ("0xb", TOKEN_2), ("0xb", TOKEN_1), ("0xb", None), (None, TOKEN_1)]
    assert find(tickets, ("contract_address", "token_id"), pairs, ("ticket_id",)) == [
        {"contract_address": "0xa", "token_id": TOKEN_2, "ticket_id": "b"},
        {"contract_address": "0xb", "token_id": TOKEN_1, "ticket_id": "c"},
    ]


def test_rows_of_excluded_days_are_not_found(tickets) -> None:
    second = DayRange(date(2026, 1, 2), date(2026, 1, 2))
    assert find(tickets, ("ticket_id",), [("a",), ("b",)], (), second) == [{"ticket_id": "a"}]
    assert find(tickets, ("ticket_id",), [("a",), ("b",)], (), DayRange(date(2026, 1, 1), second.last)) == []


def test_carried_columns_keep_their_types(tickets) -> None:
    (found,) = find(tickets, ("ticket_id",), [("a",)], ("issued_at", "token_id", "face_value_usd", "seat"))
    assert found == {
        "ticket_id": "a",
        "issued_at": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "token_id": TOKEN_1,
        "face_value_usd": Decimal("9.90"),
        "seat": None,
    }


def test_nothing_to_look_up_finds_nothing_and_odd_texts_do_no_harm(tickets) -> None:
    assert find(tickets, ("ticket_id",), []) == []
    assert find(tickets, ("ticket_id",), [("\\.",), ('a"\n',), ("",), ("a",)]) == [{"ticket_id": "a"}]


def test_a_look_up_leaves_a_table_of_the_same_name_as_its_own_alone(tickets) -> None:
    tickets.execute("CREATE TABLE public.wanted (a int)")
    find(tickets, ("ticket_id",), [("a",)])
    find(tickets, ("ticket_id",), [("a",)])
    assert tickets.execute("SELECT to_regclass('public.wanted')::text").fetchone() == ("public.wanted",)


@pytest.mark.parametrize("url", ["mysql://x@y/z", "postgresql://host", "no url at all", "postgresql://u:secret@h:port/d"])
def test_what_is_no_url_of_a_postgres_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    settings = read_settings({"TICKETINTEL_HOME": str(tmp_path), "TICKETINTEL_DATABASE_URL": url})
    with pytest.raises(BadInputError, match="TICKETINTEL_DATABASE_URL") as refusal:
        start_server(settings)
    assert "secret" not in str(refusal.value)


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://u:secret@127.0.0.1:1/d"
    settings = read_settings({"TICKETINTEL_HOME": str(tmp_path), "TICKETINTEL_DATABASE_URL": url})
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1, database d cannot be reached") as refusal:
        start_server(settings)
    assert "secret" not in str(refusal.value)
