"""The archive: rows come out of it as they went in, whatever is in them, and what was done to its files is noticed."""

import json
import shutil
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.retention import archive as archiving
from ticketintel_pipelines.retention.carrying import carry_out
from ticketintel_pipelines.retention.export import export
from ticketintel_pipelines.retention.figures import figures_in_parquet, figures_in_postgres
from ticketintel_pipelines.retention.index import rebuild
from ticketintel_pipelines.retention.manifest import DamagedArchiveError
from ticketintel_pipelines.retention.outcome import Result
from ticketintel_pipelines.retention.plan import ARCHIVING, plan
from ticketintel_pipelines.retention.query import query
from ticketintel_pipelines.retention.restore import restore
from ticketintel_pipelines.retention.room import Bounds, BusyError
from ticketintel_pipelines.retention.verify import verify
from ticketintel_pipelines.stages.retention_report import retention_report
from ticketintel_pipelines_tests.postgres.retaining import (
    ALL_TYPES,
    MINTS,
    ORDERS,
    TODAY,
    Depot,
    month_of_orders,
    new_depot,
    order,
)

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
MONTH = DayRange(JANUARY, date(2026, 1, 31))
ODD = [
    order("01", JANUARY, note="", user_id=None, buyer_address=None),
    order("02", JANUARY, note=None, price_wei=None, price_usd=None, weight=None, pieces=None, is_paid=None, paid_at=None),
    order("03", JANUARY, note='a,"b"\r\n\\.\n\t\x1f~', price_wei=Decimal(2**256 - 1), weight=float("nan")),
    order("04", JANUARY, note="\\N", price_wei=Decimal(0), price_usd=Decimal("-0.01"), weight=-0.0),
    order("05", JANUARY, note="NULL", weight=float("inf"), pieces=2**63 - 1, is_paid=False),
    order("06", JANUARY, note="naïve 🎫 e\u0301 \U0001f468\u200d\U0001f469", weight=float("-inf"), pieces=-(2**63)),
    order("07", JANUARY, note="'", weight=5e-324, price_usd=Decimal("9999999999999999.99")),
    order("08", JANUARY, note="~", weight=0.1 + 0.2, paid_at=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    order("09", JANUARY, note=" ", weight=1.7976931348623157e308, paid_at=datetime(1, 1, 1, tzinfo=UTC)),
    order("10", JANUARY, note="2:ab", price_wei=Decimal("9" * 78)),
]


@pytest.fixture
def depot(dsn: str, tmp_path: Path) -> Depot:
    """January, which is due, and May, which is not."""
    depot = new_depot(dsn, tmp_path / "archive")
    depot.publish(ORDERS, [*ODD, *month_of_orders(date(2026, 5, 1))])
    return depot


def the_file(depot: Depot) -> Path:
    (file,) = depot.room.archive.rglob("rows-*.parquet")
    return file


def test_values_of_every_type_have_one_hash_in_postgres_and_in_parquet(depot: Depot, tmp_path: Path) -> None:
    with psycopg.connect(depot.room.dsn) as connection, open_engine(tmp_path) as engine:
        relation = (depot.name, "orders_2026_01")
        assert export(connection, relation, ALL_TYPES, tmp_path / "rows.parquet") == len(ODD)
        hot = figures_in_postgres(connection, relation, ALL_TYPES)
        assert figures_in_parquet(engine, [tmp_path / "rows.parquet"], ALL_TYPES) == hot
        connection.execute("SET TimeZone = 'Asia/Kathmandu'")
        connection.execute("SET extra_float_digits = -5")
        assert figures_in_postgres(connection, relation, ALL_TYPES) == hot


CELLS = ("note", "user_id", "price_wei", "price_usd", "weight", "pieces", "is_paid", "paid_at")
cells = st.fixed_dictionaries(
    {
        "note": st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=8),
        "user_id": st.none() | st.sampled_from(["", "~", "1:a", "\x1f"]),
        "price_wei": st.none() | st.integers(0, 10**78 - 1).map(Decimal),
        "price_usd": st.none() | st.decimals(-(10**15), 10**15, places=2),
        "weight": st.none() | st.floats(width=64),
        "pieces": st.none() | st.integers(-(2**63), 2**63 - 1),
        "is_paid": st.none() | st.booleans(),
        "paid_at": st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),
    }
)


@example(rows=[dict.fromkeys(CELLS) | {"weight": struct.unpack("d", struct.pack("Q", 0xFFF8000000000001))[0]}], changed=None)
@example(rows=[dict.fromkeys(CELLS) | {"weight": weight} for weight in (0.0, float("nan"))], changed=None)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(cells, min_size=1, max_size=5), changed=st.data())
def test_any_rows_hash_alike_on_both_sides_and_otherwise_once_a_cell_differs(dsn: str, tmp_path: Path, rows, changed) -> None:
    with psycopg.connect(dsn) as connection, open_engine(tmp_path) as engine:
        columns = [column for column in ALL_TYPES if column.name in rows[0]]
        definition = ", ".join(f"{column.name} {column.type.postgres}" for column in columns)
        connection.execute(f"CREATE TEMPORARY TABLE any_rows ({definition})")
        names = [column.name for column in columns]
        connection.cursor().executemany(
            f"INSERT INTO any_rows VALUES ({', '.join(['%s'] * len(names))})", [[row[name] for name in names] for row in rows]
        )
        relation = ("pg_temp", "any_rows")
        file = tmp_path / "any.parquet"
        assert export(connection, relation, columns, file) == len(rows)
        hot = figures_in_postgres(connection, relation, columns)
        assert figures_in_parquet(engine, [file], columns) == hot
        if changed is None:
            return
        column = changed.draw(st.sampled_from(columns))
        other = changed.draw(cells.filter(lambda row: repr(row[column.name]) not in {repr(one[column.name]) for one in rows}))
        connection.execute(
            f"UPDATE any_rows SET {column.name} = %s WHERE ctid = (SELECT ctid FROM any_rows LIMIT 1)", (other[column.name],)
        )
        assert figures_in_postgres(connection, relation, columns) != hot
        connection.rollback()


@pytest.mark.parametrize("fault", ["a row less", "a row twice", "another value"])
def test_an_export_that_went_wrong_is_not_kept_and_nothing_is_dropped(depot: Depot, monkeypatch, fault: str) -> None:
    def faulty(*given) -> int:
        rows, file = export(*given), given[-1]
        table = pq.read_table(file, partitioning=None)
        cut = {"a row less": table[1:], "a row twice": pa.concat_tables([table[1:], table[:1], table[:1]])}
        note = pa.array([None, *table["note"].to_pylist()[1:]], pa.string())
        pq.write_table(cut.get(fault, table.set_column(table.column_names.index("note"), "note", note)), file)
        return rows

    monkeypatch.setattr(archiving, "export", faulty)
    report = depot.retain()
    assert set(report.results) == {Result.CHANGED}
    assert (len(depot.content(ORDERS)), depot.files(), depot.ledger()) == (16, set(), [])


def test_purged_and_restored_rows_are_equal(depot: Depot) -> None:
    before = depot.content(ORDERS)
    depot.retain()
    assert len(depot.content(ORDERS)) == 6
    (month,) = restore(depot.room, ORDERS, DayRange(date(2026, 1, 7), date(2026, 1, 8)), until=date(2026, 6, 30))
    assert (month.month, month.rows, month.kept) == (JANUARY, 10, 0)
    assert repr(depot.content(ORDERS)) == repr(before)
    depot.require_balanced()


def test_a_restored_month_stays_until_its_day_and_leaves_again_without_being_exported(depot: Depot) -> None:
    depot.retain()
    restore(depot.room, ORDERS, MONTH, until=date(2026, 6, 30))
    (act,) = plan(depot.room, date(2026, 6, 30)).acts
    assert act.stopped == "its restoration, which lasts until 2026-06-30"
    depot.retain(today=date(2026, 7, 1))
    assert len(depot.content(ORDERS)) == 6
    assert [row[0] for row in depot.ledger()] == ["archived", "dropped", "restored", "dropped"]
    depot.require_balanced()
    with pytest.raises(BadInputError, match="nothing to bring back"):
        restore(depot.room, ORDERS, DayRange(date(2026, 3, 1), date(2026, 3, 31)), until=TODAY)


def test_a_month_is_not_restored_while_somebody_has_its_table(depot: Depot) -> None:
    depot.retain()
    with psycopg.connect(depot.room.dsn) as somebody:
        somebody.execute(f"LOCK TABLE {depot.name}.orders IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(BusyError, match="orders is in use"):
            restore(depot.room, ORDERS, MONTH, until=TODAY, bounds=Bounds(lock_seconds=0.2))
    assert restore(depot.room, ORDERS, MONTH, until=TODAY)[0].rows == 10


def test_a_restored_month_is_overdue_only_once_a_purge_had_the_time_to_take_it(depot: Depot) -> None:
    depot.retain()
    restore(depot.room, ORDERS, MONTH, until=date(2026, 6, 30))
    assert retention_report(depot.room, date(2026, 7, 8)).overdue == ()
    assert [act.table for act in retention_report(depot.room, date(2026, 7, 9)).overdue] == ["orders"]


def test_a_month_that_somebody_dropped_by_hand_is_missed_and_comes_back_from_its_copy(depot: Depot) -> None:
    depot.retain(ARCHIVING)
    with psycopg.connect(depot.room.dsn) as connection:
        connection.execute(f"DROP TABLE {depot.name}.orders_2026_01")
    assert depot.accounts()["orders"].missing == 10
    restore(depot.room, ORDERS, MONTH, until=TODAY)
    depot.require_balanced()


def test_rows_that_came_after_the_month_was_dropped_do_not_replace_it(depot: Depot) -> None:
    depot.retain()
    depot.publish(ORDERS, [order("late", JANUARY)])
    report = depot.retain()
    assert [outcome.result for outcome in report.outcomes] == [Result.HELD]
    assert "ticketintel archive restore orders" in report.outcomes[0].words
    (month,) = restore(depot.room, ORDERS, MONTH, until=TODAY)
    assert (month.rows, month.kept) == (10, 0)
    depot.retain(today=date(2026, 5, 25))
    depot.require_balanced()
    assert depot.accounts()["orders"].archived == 11


def test_an_older_plan_does_not_overwrite_a_month_that_was_dropped_since(depot: Depot) -> None:
    older = plan(depot.room, TODAY)
    depot.retain()
    before = the_file(depot).read_bytes()
    depot.publish(ORDERS, [order("late", JANUARY)])
    report = carry_out(depot.room, older, dry_run=False)
    assert [outcome.result for outcome in report.outcomes] == [Result.CHANGED, Result.CHANGED]
    assert the_file(depot).read_bytes() == before
    depot.require_balanced()


def changes(file: Path) -> dict[str, bytes]:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    return {"one bit": bytes(content), "shorter": file.read_bytes()[:-1], "nothing": b""}


@pytest.mark.parametrize("change", ["one bit", "shorter", "nothing", "gone"])
def test_a_file_that_was_tampered_with_is_found_and_neither_restored_nor_dropped(depot: Depot, change: str) -> None:
    depot.retain(ARCHIVING)
    assert verify(depot.room).faults == ()
    file = the_file(depot)
    file.unlink() if change == "gone" else file.write_bytes(changes(file)[change])
    (fault,) = verify(depot.room).faults
    assert "orders 2026-01" in fault
    report = depot.retain()
    assert [outcome.result for outcome in report.outcomes] == [Result.REFUSED]
    assert f"remove {file.parent}" in report.outcomes[0].words
    assert len(depot.content(ORDERS)) == 16
    assert depot.ledger("act")[-1] == ("refused",)
    depot.require_balanced()


def test_a_damaged_file_is_not_restored_and_its_month_stays_as_it_was(depot: Depot) -> None:
    depot.retain()
    the_file(depot).write_bytes(changes(the_file(depot))["one bit"])
    with pytest.raises(DamagedArchiveError, match="other bytes than were archived"):
        restore(depot.room, ORDERS, MONTH, until=TODAY)
    assert len(depot.content(ORDERS)) == 6


def test_a_month_is_restored_from_the_file_of_its_manifest_wherever_the_index_points(depot: Depot) -> None:
    before = depot.content(ORDERS)
    depot.retain()
    forged = the_file(depot).with_name("forged.parquet")
    rows = pq.read_table(the_file(depot), partitioning=None)
    place = rows.column_names.index("note")
    pq.write_table(rows.set_column(place, "note", pa.array(["forged"] * len(rows))), forged)
    with psycopg.connect(depot.room.dsn) as connection:
        path = str(forged.relative_to(depot.room.archive))
        connection.execute("UPDATE ops.archive_index SET path = %s WHERE domain = %s", (path, depot.name))
    restore(depot.room, ORDERS, MONTH, until=TODAY)
    assert repr(depot.content(ORDERS)) == repr(before)


def test_a_month_that_went_from_archive_and_index_is_missed(depot: Depot) -> None:
    depot.retain()
    shutil.rmtree(the_file(depot).parent)
    with psycopg.connect(depot.room.dsn) as connection:
        connection.execute("DELETE FROM ops.archive_index WHERE domain = %s", (depot.name,))
    (fault,) = verify(depot.room).faults
    assert fault.startswith("orders 2026-01: the ledger tells of it")


@pytest.mark.parametrize("name", ["rows", "content_hash", "policy_version", "last_day"])
def test_a_manifest_that_was_tampered_with_is_found(depot: Depot, name: str) -> None:
    depot.retain()
    file = the_file(depot).with_name("manifest.json")
    content = json.loads(file.read_text())
    content[name] = 9 if name == "rows" else "2026-01-02"
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    faults = verify(depot.room).faults
    assert any("not the one that was entered" in fault for fault in faults)
    assert any("not the one that the ledger tells of" in fault for fault in faults)
    with pytest.raises(DamagedArchiveError):
        restore(depot.room, ORDERS, MONTH, until=TODAY)


def test_file_manifest_and_index_that_were_altered_together_still_differ_from_the_ledger(depot: Depot) -> None:
    depot.retain()
    with psycopg.connect(depot.room.dsn) as connection:
        connection.execute("UPDATE ops.archive_index SET manifest_hash = 'x' WHERE domain = %s", (depot.name,))
    manifest = the_file(depot).with_name("manifest.json")
    content = json.loads(manifest.read_text()) | {"source": "elsewhere"}
    manifest.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    with psycopg.connect(depot.room.dsn) as connection:
        connection.execute(
            "UPDATE ops.archive_index SET manifest_hash = encode(sha256(%s), 'hex') WHERE domain = %s",
            (manifest.read_bytes(), depot.name),
        )
    (fault,) = verify(depot.room).faults
    assert "not the one that the ledger tells of" in fault


def test_a_file_that_nobody_archived_is_found(depot: Depot) -> None:
    depot.retain()
    the_file(depot).with_name("rows-1.parquet").write_bytes(b"x")
    (fault,) = verify(depot.room).faults
    assert "the index does not know it" in fault


def test_the_index_can_be_made_anew_from_the_manifests(depot: Depot) -> None:
    depot.publish(ORDERS, month_of_orders(date(2025, 12, 1), prefix="old"))
    depot.retain()
    restore(depot.room, ORDERS, DayRange(date(2025, 12, 1), date(2025, 12, 1)), until=date(2026, 6, 30))
    columns = "month, path, rows, content_hash, file_hash, manifest_hash, first_day, last_day, dropped_at IS NULL"
    index = f"SELECT {columns} FROM ops.archive_index WHERE domain = %s ORDER BY month"
    before = depot.rows(index, (depot.name,))
    with depot.room.session() as connection:
        connection.execute("DELETE FROM ops.archive_index WHERE domain = %s", (depot.name,))
        assert rebuild(connection, depot.room) == 2
        assert rebuild(connection, depot.room) == 0
    assert depot.rows(index, (depot.name,)) == before
    assert [row[-1] for row in before] == [True, False]
    depot.require_balanced()
    assert verify(depot.room).faults == ()


def test_archive_and_postgres_are_asked_together_and_each_row_counts_once(depot: Depot) -> None:
    depot.publish(MINTS, [order("m", JANUARY)])
    counts = "SELECT (SELECT count(*) FROM {}orders) AS n, (SELECT max(price_wei) FROM {}orders) AS wei"

    def count(place: str) -> int:
        return query(depot.room, counts.replace("{}", place))["n"][0].as_py()

    assert [count(place) for place in ("", "hot.", "archive.")] == [16, 16, 0]
    depot.retain(ARCHIVING)
    assert [count(place) for place in ("", "hot.", "archive.")] == [16, 16, 10]
    depot.retain()
    assert [count(place) for place in ("", "hot.", "archive.")] == [16, 6, 10]
    joined = "SELECT o.order_id, m.note FROM orders o JOIN mints m ON m.placed_at = o.placed_at ORDER BY ALL"
    assert query(depot.room, joined).num_rows == 10


@pytest.mark.parametrize("statement", ["DROP TABLE orders", "SELECT * FROM nothing", "SELEKT", "SELECT 1; SELECT 2", ""])
def test_what_is_no_single_select_over_known_tables_is_refused(depot: Depot, statement: str) -> None:
    with pytest.raises(BadInputError):
        query(depot.room, statement)


def test_a_column_that_was_added_since_is_null_in_what_comes_back(depot: Depot) -> None:
    from dataclasses import replace

    from ticketintel_pipelines.contract import Column, ColumnType, Domain

    depot.retain()
    wider = replace(ORDERS, columns=(*ORDERS.columns, Column("channel", ColumnType.TEXT, "Channel.", required=False)))
    with psycopg.connect(depot.room.dsn) as connection:
        connection.execute(f"ALTER TABLE {depot.name}.orders ADD COLUMN channel text")
    depot = depot.as_of(domain=Domain(depot.name, "A depot.", (wider,)))
    restore(depot.room, wider, MONTH, until=TODAY)
    assert depot.rows("SELECT count(*)::int, count(channel)::int FROM {}.orders") == [(16, 0)]
    assert query(depot.room, "SELECT count(*) AS n FROM orders WHERE channel IS NULL")["n"][0].as_py() == 16
    narrower = replace(ORDERS, columns=tuple(column for column in ORDERS.columns if column.name != "note"))
    depot.retain(today=date(2026, 5, 25))
    assert verify(depot.room).faults == ()
    with pytest.raises(BadInputError, match="was archived with channel, note"):
        restore(depot.as_of(domain=Domain(depot.name, "A depot.", (narrower,))).room, narrower, MONTH, until=TODAY)
