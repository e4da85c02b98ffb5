"""What stands between the pipeline and the platform: grants, forms of tables, waits; told before anything is taken."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import make_url

from ticketintel_pipelines.errors import BadInputError, UnavailableError
from ticketintel_pipelines.upstream.source import PlatformSource, open_snapshot
from ticketintel_pipelines_tests.postgres.extracting import Pipeline, add_account, minutes_ago, of

READER = "ticketintel_test_reader"
NOTHING = "nothing was taken"


@pytest.fixture(scope="module", autouse=True)
def reader(server_url: str) -> Iterator[None]:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {READER} LOGIN")
    yield
    with psycopg.connect(server_url, autocommit=True) as connection:
        databases = connection.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()
    for (database,) in databases:
        with psycopg.connect(server_url, dbname=database, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {READER}")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP ROLE {READER}")


def read_by(role: str, pipeline: Pipeline) -> Pipeline:
    url = make_url(pipeline.source.url).set(username=role).render_as_string(hide_password=False)
    return replace(pipeline, source=replace(pipeline.source, url=url))


def grant(shop: psycopg.Connection, pipeline: Pipeline, *grants: str) -> None:
    shop.execute(f"GRANT USAGE ON SCHEMA {pipeline.source.schema} TO {READER}")
    for words in grants:
        shop.execute(f"GRANT {words} TO {READER}")
    shop.commit()


def refusal(pipeline: Pipeline, kind: type[Exception] = BadInputError) -> str:
    with pytest.raises(kind) as caught:
        pipeline.increment()
    assert pipeline.ops("table_name", "platform_watermarks") == []
    return str(caught.value).replace(pipeline.source.schema, "shop")


def test_a_role_that_may_only_select_is_enough(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    add_account(shop, "a", minutes_ago(5))
    grant(shop, pipeline, "SELECT ON accounts", "SELECT ON purchases")
    assert read_by(READER, pipeline).increment().rows == 1


def test_the_session_cannot_write_even_where_its_role_may(pipeline: Pipeline) -> None:
    for statement in ("DELETE FROM accounts", "CREATE TABLE t (a int)", "SELECT nextval('s')"):
        with pytest.raises(UnavailableError, match="read-only transaction"), open_snapshot(pipeline.source) as snapshot:
            snapshot.connection.execute(f"SET LOCAL search_path = {pipeline.source.schema}")
            if "nextval" in statement:
                with pipeline.platform() as platform:
                    platform.execute("CREATE SEQUENCE s")
            snapshot.connection.execute(statement)


def test_a_snapshot_stays_as_it_was(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    count = f"SELECT count(*) FROM {pipeline.source.schema}.accounts"
    with open_snapshot(pipeline.source) as snapshot:
        before = snapshot.connection.execute(count).fetchone()
        add_account(shop, "a", minutes_ago(5))
        shop.commit()
        assert snapshot.connection.execute(count).fetchone() == before


def test_what_may_not_be_read_is_named(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    blind = read_by(READER, pipeline)
    assert re.search(r"let this role into schema shop; GRANT USAGE ON SCHEMA shop", refusal(blind))
    grant(shop, pipeline, "SELECT (account_id, updated_at) ON accounts")
    told = refusal(blind)
    assert "accounts.created_at may not be read by this role (GRANT SELECT on it)" in told
    assert "purchases may not be read by this role (GRANT SELECT on it)" in told
    assert NOTHING in told


def test_an_optional_column_that_is_kept_back_lands_as_null(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    add_account(shop, "a", minutes_ago(5), wallet="0x" + "1" * 40)
    grant(shop, pipeline, "SELECT (account_id, created_at, updated_at) ON accounts", "SELECT ON purchases")
    increment = of(read_by(READER, pipeline).increment(), "accounts")
    assert pipeline.landed("accounts", "account_id, wallet") == [("a", None)]
    assert "null, since the source does not have or show them: wallet, deleted_at" in increment.notes


def test_rows_hidden_by_row_security_are_not_lost_in_silence(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    add_account(shop, "a", minutes_ago(5))
    shop.execute("ALTER TABLE accounts ENABLE ROW LEVEL SECURITY")
    grant(shop, pipeline, "SELECT ON accounts", "SELECT ON purchases")
    assert "row-level security" in refusal(read_by(READER, pipeline))


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@host/shop", "postgresql://me:%secret@host/shop", "secret", "postgresql://me:secret@host"]
)
def test_a_url_of_something_else_is_refused_and_not_repeated(pipeline: Pipeline, url: str) -> None:
    told = refusal(replace(pipeline, source=PlatformSource(url)))
    assert "TICKETINTEL_PLATFORM_DATABASE_URL is not the URL of a PostgreSQL database" in told
    assert "secret" not in told
    assert url not in repr(PlatformSource(url))


def test_a_database_that_does_not_answer_is_unavailable(pipeline: Pipeline) -> None:
    nobody = read_by("nobody_of_this_name", pipeline)
    nobody.source = replace(nobody.source, url=nobody.source.url.replace("nobody_of_this_name", "nobody_of_this_name:secret"))
    silent = replace(pipeline, source=PlatformSource("postgresql://me:secret@127.0.0.1:1/shop"))
    for trouble in (refusal(nobody, UnavailableError), refusal(silent, UnavailableError)):
        assert re.match("the platform's database at .* cannot be reached", trouble)
        assert "secret" not in trouble
        assert "\n" not in trouble


def test_a_locked_table_is_not_waited_for_without_end(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    shop.execute("LOCK TABLE purchases")
    pipeline.source = replace(pipeline.source, lock_timeout=timedelta(milliseconds=50))
    assert re.search(r"keeps shop\.purchases locked .* run again", refusal(pipeline, UnavailableError))


def test_a_slow_chunk_is_broken_off(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    shop.execute("ALTER TABLE accounts RENAME TO stored")
    shop.execute("CREATE VIEW accounts AS SELECT stored.* FROM stored, pg_sleep(60)")
    shop.execute("INSERT INTO stored (account_id, created_at, updated_at) VALUES ('a', now(), now())")
    shop.commit()
    pipeline.source = replace(pipeline.source, statement_timeout=timedelta(milliseconds=100))
    told = refusal(pipeline, UnavailableError)
    assert "broke off reading shop.accounts (canceling statement due to statement timeout" in told


def test_a_server_that_goes_away_is_told_in_one_sentence(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    def end_the_session(message: str) -> None:
        shop.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ticketintel' "
            "AND datname = current_database()"
        )
        shop.commit()

    with pytest.raises(UnavailableError, match=r"failed while reading .*; nothing was taken, run again"):
        pipeline.increment(end_the_session)


def test_every_misfit_of_every_table_is_named_at_once(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    shop.execute("ALTER TABLE accounts DROP COLUMN updated_at, ALTER wallet TYPE jsonb USING NULL")
    shop.execute("ALTER TABLE purchases RENAME number TO position")
    shop.execute("ALTER TABLE purchases ALTER amount TYPE double precision, ALTER created_at TYPE date")
    shop.commit()
    told = refusal(pipeline)
    assert told.startswith("the platform's database does not fit the declared tables: ")
    for misfit in (
        "accounts.updated_at is missing (timestamp with time zone or timestamp without time zone is expected)",
        "accounts.wallet is jsonb, and text or bytea is expected",
        "purchases.number is missing (bigint or integer or smallint or numeric is expected)",
        "purchases.amount is double precision, and numeric or bigint or integer or smallint is expected",
        "purchases.created_at is date, and timestamp with time zone or timestamp without time zone is expected",
    ):
        assert misfit in told
    assert NOTHING in told


def test_changes_of_form_that_fit_are_told_by_name(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    pipeline.increment()
    assert of(pipeline.increment(), "accounts").drift == ()
    shop.execute("ALTER TABLE accounts ADD COLUMN shoe_size integer, DROP COLUMN deleted_at, ALTER wallet TYPE char(42)")
    shop.commit()
    increment = of(pipeline.increment(), "accounts")
    assert increment.drift == (
        "shoe_size (integer) is new",
        "deleted_at is gone",
        "wallet was text and is character(42) now",
    )
    assert increment.notes == (
        "left out, since they are not declared: shoe_size",
        "null, since the source does not have or show them: deleted_at",
    )
    assert of(pipeline.increment(), "accounts").drift == ()


def test_a_table_that_is_not_there_is_absent_until_it_was_taken_once(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    shop.execute("ALTER TABLE purchases RENAME TO elsewhere")
    shop.commit()
    assert pipeline.increment().absent == ("purchases",)
    assert pipeline.ops("table_name", "imported_files") == [("accounts",)]
    shop.execute("ALTER TABLE elsewhere RENAME TO purchases")
    shop.commit()
    assert pipeline.increment().absent == ()
    shop.execute("DROP TABLE purchases")
    shop.commit()
    with pytest.raises(BadInputError, match="table purchases is missing, and was taken before"):
        pipeline.increment()


def test_a_schema_without_the_tables_is_refused(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    assert "has no schema shop" in refusal(replace(pipeline, source=replace(pipeline.source, schema="elsewhere")))
    shop.execute("DROP TABLE accounts, purchases")
    shop.commit()
    assert "has none of the tables accounts, purchases" in refusal(pipeline)


def test_other_types_that_hold_the_declared_values_are_read(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    shop.execute("DROP TABLE accounts, purchases")
    shop.execute("CREATE TYPE kind AS ENUM ('gift wrap', 'plain')")
    shop.execute("CREATE DOMAIN price AS numeric CHECK (value >= 0)")
    shop.execute(
        "CREATE TABLE accounts (account_id uuid, created_at timestamp, wallet bytea, updated_at timestamp NOT NULL)",
    )
    shop.execute(
        "CREATE TABLE purchases (account_id inet, number smallint, created_at timestamptz, token_id numeric(80, 2), "
        "amount price, weight real, is_gift boolean, receipt bytea, note kind, updated_at timestamptz NOT NULL, "
        "deleted_at timestamptz)"
    )
    moment = "2026-01-05 12:00:00"
    shop.execute(
        "INSERT INTO accounts VALUES ('6f9619ff-8b86-d011-b42d-00c04fc964ff', %s, %s, %s)", (moment, bytes([171] * 20), moment)
    )
    shop.execute(
        "INSERT INTO purchases VALUES ('2001:db8::1', 7, %(m)s, 12.00, 1.5, 0.1, true, %(r)s, 'gift wrap', %(m)s, NULL)",
        {"m": moment, "r": bytes([205] * 32)},
    )
    shop.commit()
    increment = pipeline.increment()
    assert pipeline.landed("accounts", "account_id, CAST(created_at AS VARCHAR), wallet, CAST(known_at AS VARCHAR)") == [
        ("6f9619ff-8b86-d011-b42d-00c04fc964ff", "2026-01-05 12:00:00+00", "0x" + "ab" * 20, "2026-01-05 12:00:00+00")
    ]
    [row] = pipeline.landed("purchases", "account_id, number, token_id, amount, weight, is_gift, receipt, note")
    assert row[:4] == ("2001:db8::1", 7, "12", Decimal("1.50"))
    assert math.isclose(row[4], 0.1)
    assert row[5:] == (True, "0x" + "cd" * 32, "gift wrap")
    assert (
        "read as UTC, since the source does not say their time zone: created_at, updated_at" in of(increment, "accounts").notes
    )
    assert pipeline.increment().rows == 0


def test_rows_without_updated_at_are_taken_by_the_first_increment(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    shop.execute("ALTER TABLE accounts ALTER updated_at DROP NOT NULL")
    shop.execute("INSERT INTO accounts (account_id, created_at) VALUES ('old', '2026-01-05')")
    shop.commit()
    assert [pipeline.increment().rows for _ in range(2)] == [1, 0]
    add_account(shop, "new", minutes_ago(5))
    shop.commit()
    increments = [of(pipeline.increment(), "accounts") for _ in range(2)]
    assert [increment.counts.landed for increment in increments] == [1, 0]
    assert increments[0].notes == (
        "updated_at may be null: such rows are taken by the first increment only; declare it NOT NULL",
    )
    assert sorted(pipeline.landed("accounts", "account_id, known_at IS NULL")) == [("new", False), ("old", True)]
