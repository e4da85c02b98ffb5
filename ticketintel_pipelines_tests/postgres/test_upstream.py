"""Increments from a platform's own PostgreSQL: everything once, whatever is committed when."""

import math
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from eth_utils import to_checksum_address

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.lake.engine import fetch_rows, parquet
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.upstream.source import PlatformSource
from ticketintel_pipelines_tests.conftest import take_in
from ticketintel_pipelines_tests.platform_double import PLATFORM_TABLES, change, fill_platform, make_platform
from ticketintel_pipelines_tests.postgres.extracting import Pipeline, add_account, minutes_ago, of

WALLET = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture(scope="module")
def platform_world(make_settings, make_platform_url, world: Path) -> Pipeline:
    """A deployment that has taken a simulated world's platform tables once."""
    url = make_platform_url()
    with psycopg.connect(url) as connection:
        make_platform(connection)
        fill_platform(connection, world)
    settings = make_settings()
    pipeline = Pipeline(Workspace(DOMAINS, lambda: settings), PlatformSource(url), TICKETING)
    pipeline.increment()
    return pipeline


def test_a_world_from_the_platform_equals_the_same_world_from_files(platform_world: Pipeline, make_settings, world) -> None:
    settings = make_settings()
    from_files = replace(platform_world, workspace=Workspace(DOMAINS, lambda: settings))
    take_in(from_files.workspace, world)
    for table in PLATFORM_TABLES:
        columns = ", ".join(name for name in table.column_names if name != table.version)
        files = from_files.landed(table.name, columns)
        assert sorted(map(repr, platform_world.landed(table.name, columns))) == sorted(map(repr, files)), table.name
        assert not files or platform_world.landed(table.name, f"count(*), count({table.version})") == [(len(files), len(files))]


def test_every_row_lies_in_the_fragment_of_its_day(platform_world: Pipeline) -> None:
    with platform_world.workspace.engine() as engine:
        for name, day, path, rows in platform_world.ops("table_name, day, path, rows", "raw_fragments"):
            time = TICKETING.by_name[name].time
            file = parquet([platform_world.workspace.settings.lake_root / path])
            found = f"SELECT count(*), min(CAST({time} AS DATE)), max(CAST({time} AS DATE)) FROM {file}"
            assert fetch_rows(engine, found) == [(rows, day, day)]


def test_later_changes_arrive_as_versions_and_nothing_else_does(platform_world: Pipeline) -> None:
    now = minutes_ago(1)
    with platform_world.platform() as platform:
        order, payment = platform.execute(
            "SELECT o.order_id, p.payment_id FROM orders o JOIN payments p USING (order_id) "
            "WHERE o.status = 'paid' AND p.amount IS NOT NULL GROUP BY 1, 2 HAVING count(*) = 1 ORDER BY 1 LIMIT 1"
        ).fetchone()
        user = platform.execute(
            "SELECT user_id FROM users WHERE email IS NOT NULL GROUP BY 1 HAVING count(*) = 1 ORDER BY 1 LIMIT 1"
        ).fetchone()[0]
        change(platform, "orders", order, now, status="cancelled")
        change(platform, "users", user, now, deleted_at=now)
        platform.execute(
            "INSERT INTO chargebacks (chargeback_id, received_at, payment_id, amount, currency, reason, updated_at) "
            "VALUES ('late', %s, %s, 10, 'EUR', 'fraud', %s)",
            (now, payment, now),
        )
    increment = platform_world.increment()
    assert {table.table: table.counts.landed for table in increment.tables if table.counts.landed} == {
        "orders": 1,
        "users": 1,
        "chargebacks": 1,
    }
    versions = platform_world.landed("orders", "order_id, status, known_at")
    assert [(status, known_at == now) for key, status, known_at in versions if key == order] == [
        ("paid", False),
        ("cancelled", True),
    ]
    assert (user, now) in platform_world.landed("users", "user_id, deleted_at")
    assert platform_world.increment().rows == 0


def test_every_value_arrives_as_it_is(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    created, moment = datetime(2026, 1, 5, 23, 59, 59, 999999, tzinfo=UTC), minutes_ago(60)
    texts = ["plain", "two\nlines\ttab", '"quoted", comma', r"\N", "žluťoučký 🎟", " space ", "NULL"]
    rows = [
        (
            "a",
            number,
            created,
            Decimal(2**256 - 1 - number),
            Decimal("-9999999999999999.99"),
            math.pi,
            True,
            "0x" + "ab" * 32,
            note,
        )
        for number, note in enumerate(texts)
    ]
    rows += [("b", 2**63 - 1, created, Decimal(0), Decimal("0.10"), 5e-324, False, None, None)]
    with shop.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO purchases "
            "(account_id, number, created_at, token_id, amount, weight, is_gift, receipt, note, updated_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(*row, moment) for row in rows],
        )
    shop.commit()
    pipeline.increment()
    names = "account_id, number, created_at, CAST(token_id AS VARCHAR), amount, weight, is_gift, receipt, note, known_at"
    expected = [(*row[:3], str(row[3]), *row[4:], moment) for row in rows]
    assert pipeline.landed("purchases", names) == sorted(expected, key=lambda row: (row[0], str(row[1])))


def test_wallets_are_stored_in_lower_case_and_wrong_checksums_are_left_for_quarantine(
    pipeline: Pipeline, shop: psycopg.Connection
) -> None:
    wrong = WALLET.replace("5aA", "5Aa")
    for number, wallet in enumerate([WALLET, wrong, WALLET.lower(), "0x" + WALLET[2:].upper(), "0x12", "satoshi", None, ""]):
        add_account(shop, f"a{number}", minutes_ago(60 - number), wallet=wallet)
    shop.commit()
    pipeline.increment()
    plain = WALLET.lower()
    assert [row[0] for row in pipeline.landed("accounts", "wallet")] == [
        plain,
        wrong,
        plain,
        plain,
        "0x12",
        "satoshi",
        None,
        None,
    ]
    assert to_checksum_address(plain) == WALLET


def test_many_rows_of_one_moment_committed_one_after_the_other_are_all_taken(
    pipeline: Pipeline, shop: psycopg.Connection
) -> None:
    moment = minutes_ago(5)
    for round_ in range(3):
        for number in range(10):
            # Later keys are smaller: a watermark by key would have passed them.
            add_account(shop, f"a{9 - round_}{number}", moment)
        shop.commit()
        assert of(pipeline.increment(), "accounts").counts.landed == 10
    assert len(set(pipeline.landed("accounts", "account_id"))) == 30


def test_a_row_dated_within_the_overlap_is_taken_when_it_is_committed_late(
    pipeline: Pipeline, shop: psycopg.Connection
) -> None:
    add_account(shop, "punctual", minutes_ago(1))
    shop.commit()
    pipeline.increment()
    add_account(shop, "late", minutes_ago(10))
    shop.commit()
    increment = of(pipeline.increment(), "accounts")
    assert (increment.counts.landed, increment.counts.known) == (1, 1)
    assert pipeline.landed("accounts", "account_id") == [("punctual",), ("late",)]


def test_a_transaction_open_for_longer_than_the_overlap_loses_nothing(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    pipeline.source = replace(pipeline.source, overlap=timedelta(0))
    shop.execute("INSERT INTO accounts (account_id, created_at, updated_at) VALUES ('slow', now(), now())")
    with pipeline.platform() as other:
        other.execute("INSERT INTO accounts (account_id, created_at, updated_at) VALUES ('quick', now(), now())")
    first = pipeline.increment()
    shop.commit()
    second = pipeline.increment()
    assert first.open_since is not None
    assert second.open_since is None
    assert pipeline.landed("accounts", "account_id") == [("quick",), ("slow",)]


def test_two_changes_under_one_updated_at_are_both_taken(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    moment = minutes_ago(5)
    add_account(shop, "a", moment)
    shop.commit()
    pipeline.increment()
    shop.execute("UPDATE accounts SET wallet = %s", (WALLET,))
    shop.commit()
    assert pipeline.increment().rows == 1
    assert pipeline.increment().rows == 0
    assert pipeline.landed("accounts", "wallet, known_at") == [(None, moment), (WALLET.lower(), moment)]


def test_a_row_dated_in_the_future_does_not_carry_the_watermark_off(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    add_account(shop, "ahead", minutes_ago(-60 * 24 * 365), created_at=minutes_ago(5))
    shop.commit()
    first = of(pipeline.increment(), "accounts")
    add_account(shop, "ordinary", minutes_ago(0))
    shop.commit()
    second = of(pipeline.increment(), "accounts")
    assert first.notes == ("1 rows carry an updated_at ahead of the platform's own clock",)
    assert (second.counts.landed, second.counts.known) == (1, 1)
    assert second.newest < datetime.now(UTC)


def test_all_tables_of_an_increment_are_seen_at_one_moment(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    add_account(shop, "a", minutes_ago(5))
    shop.commit()

    def buy_meanwhile(message: str) -> None:
        if message.endswith("rows of accounts") and message.startswith("read"):
            moment = minutes_ago(0)
            add_account(shop, "b", moment)
            shop.execute("UPDATE accounts SET wallet = %s, updated_at = %s WHERE account_id = 'a'", (WALLET, moment))
            shop.execute(
                "INSERT INTO purchases (account_id, number, created_at, updated_at) VALUES ('b', 1, %s, %s)", (moment, moment)
            )
            shop.commit()

    assert pipeline.increment(buy_meanwhile).rows == 1
    assert {table.table: table.counts.landed for table in pipeline.increment().tables} == {"accounts": 2, "purchases": 1}


def test_cells_and_rows_that_do_not_fit_never_stop_the_others(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    shop.execute("ALTER TABLE purchases ALTER token_id TYPE text, ALTER amount TYPE numeric")
    shop.execute(
        "INSERT INTO purchases (account_id, number, created_at, token_id, amount, weight, receipt, updated_at) VALUES "
        "('good', 1, '2026-01-05', '7', 1.50, 1, NULL, now()), ('bad', 1, '2026-01-05', '1.5', 1.505, 'NaN', 'none', now()), "
        "('timeless', 1, NULL, '7', 1, 1, NULL, now()), ('endless', 1, 'infinity', '7', 1, 1, NULL, now()), "
        "('early', 1, '1999-12-31', '7', 1, 1, NULL, now()), ('later', 1, now() + '1 week', '7', 1, 1, NULL, now())"
    )
    shop.commit()
    increment = of(pipeline.increment(), "purchases")
    assert pipeline.landed("purchases", "account_id, token_id, amount, weight, receipt") == [
        ("bad", None, None, None, "none"),
        ("good", "7", Decimal("1.50"), 1.0, None),
    ]
    counts = increment.counts
    assert (counts.arrived, counts.landed, counts.known, counts.too_early, counts.left_out) == (6, 2, 0, 1, 3)
    assert counts.emptied == {"created_at": 1, "token_id": 1, "amount": 1, "weight": 1}
    assert pipeline.ops("row_key, rule", "platform_left_out") == [
        ("endless:1", "created_at_present"),
        ("later:1", "not_in_the_future"),
        ("timeless:1", "created_at_present"),
    ]
    shop.execute("UPDATE purchases SET created_at = '2026-01-06', updated_at = now() WHERE account_id IN ('timeless', 'later')")
    shop.commit()
    assert pipeline.increment().rows == 2
    assert pipeline.ops("row_key, rule", "platform_left_out") == [("endless:1", "created_at_present")]


def test_an_updated_at_at_the_end_of_time_is_taken_once(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    shop.execute("INSERT INTO accounts (account_id, created_at, updated_at) VALUES ('a', '2026-01-05', 'infinity')")
    add_account(shop, "b", minutes_ago(5))
    shop.commit()
    assert [pipeline.increment().rows for _ in range(3)] == [2, 0, 0]


def test_lag_is_the_age_of_the_newest_row(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    moment = minutes_ago(60)
    add_account(shop, "a", moment)
    shop.commit()
    first = pipeline.increment(now=moment + timedelta(minutes=90))
    second = pipeline.increment(now=moment + timedelta(minutes=120))
    assert [of(first, "accounts").lag_minutes, of(second, "accounts").lag_minutes] == [90, 120]
    assert (of(first, "purchases").newest, of(first, "purchases").lag_minutes) == (None, None)


def test_increments_without_rows_add_nothing_to_the_catalogue(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    pipeline.increment()
    # An empty table was delivered, which is not the same as a table that is not there.
    assert pipeline.ops("table_name, rows", "imported_files") == [("accounts", 0), ("purchases", 0)]
    pipeline.increment()
    assert pipeline.ops("table_name, rows", "imported_files") == [("accounts", 0), ("purchases", 0)]
    assert pipeline.ops("table_name, increments, rows", "platform_watermarks") == [
        ("accounts", 2, 0),
        ("purchases", 2, 0),
    ]


def test_rows_can_be_traced_to_their_increment(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    for number in range(4):
        add_account(shop, f"a{number}", minutes_ago(10 - number), created_at=minutes_ago(60 * 24 * number))
    shop.commit()
    increment = of(pipeline.increment(), "accounts")
    traces = pipeline.landed("accounts", "source_file, source_row")
    assert sorted(traces) == [(increment.file, number) for number in range(1, 5)]
    assert increment.file.startswith("platform:accounts:20")


def test_two_increments_at_once_take_each_row_once(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    for number in range(20):
        add_account(shop, f"a{number}", minutes_ago(5))
    shop.commit()
    _ = pipeline.workspace.server
    together = threading.Barrier(3)
    rows: list[int] = []

    def run() -> None:
        together.wait()
        rows.append(pipeline.increment().rows)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rows) == [0, 0, 20]
    assert len(pipeline.landed("accounts")) == 20


def test_a_table_is_taken_anew_once_its_watermark_is_deleted(pipeline: Pipeline, shop: psycopg.Connection) -> None:
    add_account(shop, "a", minutes_ago(5))
    shop.commit()
    pipeline.increment()
    with pipeline.workspace.catalog() as catalog:
        catalog.connection.execute("DELETE FROM ops.platform_watermarks WHERE domain = %s", (pipeline.domain.name,))
    pipeline.increment()
    first, second = pipeline.landed("accounts", "* EXCLUDE (source_file, source_row)")
    assert first == second
