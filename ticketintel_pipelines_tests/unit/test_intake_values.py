"""Numbers and times of raw files: exact and in UTC, however they are written and whatever their type."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketintel_pipelines_tests.unit.raw_files import (
    Deployment,
    chargeback,
    landed,
    landing,
    only,
    sale,
    session,
    user,
    write_rows,
)

FORMATS = ("parquet", "csv", "jsonl")
LARGEST = 2**256 - 1
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


# Numbers.


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("value", [0, 2**53 + 1, 2**64, 2**128 + 1, LARGEST])
def test_unsigned_integers_stay_exact_as_text(deployment: Deployment, suffix: str, value: int) -> None:
    write_rows(deployment.raw / f"sales.{suffix}", [sale(token_id=str(value), price_wei=str(value))])
    deployment.take_in()
    (row,) = deployment.rows("sales")
    assert (row["token_id"], row["price_wei"]) == (str(value), str(value))


@pytest.mark.parametrize("value", [0, 2**53 + 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 10**30 + 1, LARGEST])
def test_unsigned_integers_stay_exact_as_json_numbers(deployment: Deployment, value: int) -> None:
    write_rows(deployment.raw / "sales.jsonl", [sale(1, token_id=1), sale(2, token_id=value)])
    deployment.take_in()
    assert [row["token_id"] for row in deployment.rows("sales")] == ["1", str(value)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pa.uint64(), 2**64 - 1), (pa.int64(), 2**63 - 1), (pa.decimal128(38, 0), 10**38 - 1), (pa.uint8(), 255)],
    ids=str,
)
def test_unsigned_integers_stay_exact_in_typed_parquet(deployment: Deployment, kind: pa.DataType, value: int) -> None:
    cells = pa.array([Decimal(value) if pa.types.is_decimal(kind) else value], kind)
    table = pa.Table.from_pylist([sale()]).drop_columns(["token_id"]).append_column("token_id", cells)
    pq.write_table(table, deployment.raw / "sales.parquet")
    assert only(deployment, "sales", "token_id") == str(value)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.tuples(
            st.integers(0, LARGEST),
            st.datetimes(datetime(2017, 1, 1), datetime(2026, 1, 1)),
            st.decimals(-(10**15), 10**15, places=2),
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_value_lands_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, values: list[tuple]) -> None:
    root = tmp_path_factory.mktemp("any")
    for suffix in FORMATS:
        with landing(root, suffix) as deployment:
            write_rows(
                deployment.raw / f"sales.{suffix}",
                [sale(token_id=str(token), timestamp=moment.isoformat(" ")) for token, moment, _, _ in values],
            )
            write_rows(
                deployment.raw / f"chargebacks.{suffix}",
                [chargeback(n, amount=str(amount), reason=reason) for n, (_, _, amount, reason) in enumerate(values)],
            )
        sales, money = deployment.rows("sales"), deployment.rows("chargebacks")
        assert [row["token_id"] for row in sales] == [str(value[0]) for value in values]
        assert [row["block_timestamp"] for row in sales] == [value[1].replace(tzinfo=UTC) for value in values]
        assert [row["amount"] for row in money] == [value[2] for value in values]
        assert [row["reason"] for row in money] == [value[3] for value in values]


def test_whole_numbers_that_a_data_frame_wrote_as_floats_are_whole(tmp_path: Path) -> None:
    rows = [session(1, page_views=3.0), session(2, page_views=None)]
    for suffix in FORMATS:
        assert [row["page_views"] for row in landed(tmp_path, "sessions", suffix, rows)] == [3, None]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.float64(), 19.99),
        (pa.float32(), 12345.67),
        (pa.float64(), 0.1 + 0.2),
        (pa.int32(), 7),
        (pa.decimal128(38, 18), Decimal("99999999999999.99")),
        (pa.decimal128(6, 2), Decimal("1.50")),
    ],
    ids=str,
)
def test_money_is_read_from_every_number_type(deployment: Deployment, kind: pa.DataType, value: float | Decimal) -> None:
    table = pa.Table.from_pylist([chargeback()]).drop_columns(["amount"]).append_column("amount", pa.array([value], kind))
    pq.write_table(table, deployment.raw / "chargebacks.parquet")
    assert only(deployment, "chargebacks", "amount") == round(Decimal(str(value)), 2)


# Times.


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-01T12:30:00", "2026-01-01T12:30:00+00:00"),
        ("2026-01-01 12:30:00", "2026-01-01T12:30:00+00:00"),
        ("2026-01-01T12:30", "2026-01-01T12:30:00+00:00"),
        ("2026-01-01", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T12:30:00Z", "2026-01-01T12:30:00+00:00"),
        ("2021-01-01 00:00:00 UTC", "2021-01-01T00:00:00+00:00"),
        ("2026-01-01T00:30:00+02:00", "2025-12-31T22:30:00+00:00"),
        ("2026-01-01 00:30:00-0530", "2026-01-01T06:00:00+00:00"),
        ("2026-01-01 00:30:00+02", "2025-12-31T22:30:00+00:00"),
        ("2026-01-01T12:30:00.123456Z", "2026-01-01T12:30:00.123456+00:00"),
        ("1600000000", "2020-09-13T12:26:40+00:00"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_times_are_utc_however_they_are_written(deployment: Deployment, suffix: str, written: str, meant: str) -> None:
    write_rows(deployment.raw / f"users.{suffix}", [user(created_at=written)])
    moment = only(deployment, "users", "created_at")
    assert moment == datetime.fromisoformat(meant)
    (fragment,) = deployment.catalog.files[0].fragments
    assert fragment.day == datetime.fromisoformat(meant).date()


@pytest.mark.parametrize(
    "kind",
    [pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Europe/Zurich")]
    + [pa.date32(), pa.uint32(), pa.int64()],
    ids=str,
)
def test_times_are_utc_whatever_their_parquet_type(deployment: Deployment, kind: pa.DataType) -> None:
    cells = pa.array([int(START.timestamp()) if pa.types.is_integer(kind) else START], kind)
    table = pa.Table.from_pylist([user()]).drop_columns(["created_at"]).append_column("created_at", cells)
    pq.write_table(table, deployment.raw / "users.parquet")
    assert only(deployment, "users", "created_at") == START


def test_rows_land_by_their_day_in_utc(deployment: Deployment) -> None:
    moments = ["2026-01-01T23:59:59Z", "2026-01-02T00:00:00Z", "2026-01-02T01:00:00+02:00", "2026-01-03T00:00:00Z"]
    write_rows(deployment.raw / "users.csv", [user(n, created_at=moment) for n, moment in enumerate(moments)])
    (file,) = deployment.take_in().landed
    assert [(fragment.day, fragment.rows) for fragment in file.fragments] == [
        (date(2026, 1, 1), 2),
        (date(2026, 1, 2), 1),
        (date(2026, 1, 3), 1),
    ]
    for fragment in file.fragments:
        assert fragment.path.parent.name == f"day={fragment.day}"
        assert {row["created_at"].date() for row in pq.read_table(fragment.path).to_pylist()} == {fragment.day}
