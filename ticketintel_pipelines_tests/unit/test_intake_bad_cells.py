"""Raw files with a cell that breaks the contract: the first one is named, whatever the format, and nothing is taken in."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from ticketintel_pipelines_tests.unit.raw_files import (
    Deployment,
    chargeback,
    refusal,
    sale,
    session,
    user,
    working_deployment,
    write_column,
    write_rows,
)

FORMATS = ("parquet", "csv", "jsonl")


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return working_deployment(tmp_path)


ROWS = {"users": user, "sales": sale, "sessions": session, "chargebacks": chargeback}
CELLS = [
    ("users", "wallet_address", "alice.eth", "a text of 9 characters is not an address"),
    ("users", "created_at", "01/02/2024", "'01/02/2024' is not a time"),
    ("users", "created_at", "2026-02-30", "'2026-02-30' is not a time"),
    ("users", "created_at", "2026-01-01T00:00:00+25:00", "is not a time"),
    ("users", "created_at", "1767225600000", "'1767225600000' is not a time"),
    ("users", "created_at", "infinity", "'infinity' is not a time"),
    ("users", "is_verified", "perhaps", "'perhaps' is not true or false"),
    ("users", "full_name", "A\0B", "a text of 3 characters is not text without NUL"),
    ("users", "email", "x\0" + "y" * 900, "is not text without NUL"),
    ("sales", "token_id", "-1", "'-1' is not a whole number"),
    ("sales", "token_id", "1.5", "'1.5' is not a whole number"),
    ("sales", "price_wei", "1e18", "'1e18' is not a whole number"),
    ("sales", "token_id", "0x1f", "'0x1f' is not a whole number"),
    ("sales", "tx_hash", "0x12g4", "'0x12g4' is not a hash"),
    ("sessions", "page_views", "9223372036854775808", "'9223372036854775808' is not a whole number"),
    ("sessions", "page_views", "1.5", "'1.5' is not a whole number"),
    ("sessions", "latitude", "inf", "a text of 3 characters is not a finite number"),
    ("sessions", "latitude", "-Infinity", "a text of 9 characters is not a finite number"),
    ("sessions", "latitude", "NaN", "a text of 3 characters is not a finite number"),
    ("sessions", "latitude", "1e400", "a text of 5 characters is not a finite number"),
    ("sessions", "latitude", "1_000", "a text of 5 characters is not a finite number"),
    ("sessions", "latitude", "47,5", "a text of 4 characters is not a finite number"),
    ("chargebacks", "amount", "1.005", "'1.005' is not an amount"),
    ("chargebacks", "amount", "1,000.00", "'1,000.00' is not an amount"),
    ("chargebacks", "amount", "9" * 17, "is not an amount"),
]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("table", "column", "cell", "what"), CELLS)
def test_a_cell_that_is_not_of_its_type(
    deployment: Deployment, suffix: str, table: str, column: str, cell: str, what: str
) -> None:
    row = ROWS[table]
    write_rows(deployment.raw / f"{table}.{suffix}", [row(1), row(2), row(3, **{column: cell}), row(4)])
    named = {"tx_hash": "transaction_hash"}.get(column, column)
    refusal(deployment, f"{table}.{suffix}, row 3, column {named}: ", what, f"(rule {named}_type)", "nothing was taken in")


@pytest.mark.parametrize(
    ("table", "column", "cells"),
    [
        ("sessions", "latitude", pa.array([1.0, float("inf")])),
        ("sessions", "latitude", pa.array([1.0, float("nan")])),
        ("sessions", "page_views", pa.array([1.0, float("-inf")])),
        ("sessions", "page_views", pa.array([1.0, 1.5])),
        ("sessions", "page_views", pa.array([1.0, 2.0**53])),
        ("sessions", "page_views", pa.array([1.0, 2.0**24], pa.float32())),
        ("sessions", "page_views", pa.array([1, 2**63], pa.uint64())),
        ("sales", "token_id", pa.array([1, -1])),
        ("sales", "token_id", pa.array([Decimal(1), Decimal(-1)], pa.decimal128(38, 0))),
        ("chargebacks", "amount", pa.array([1.0, 1.005])),
        ("chargebacks", "amount", pa.array([1.0, float("nan")])),
        ("chargebacks", "amount", pa.array([1.0, 1e17])),
        ("chargebacks", "amount", pa.array([Decimal(1), Decimal("99999999999999.001")], pa.decimal128(38, 3))),
        ("chargebacks", "amount", pa.array([Decimal(1), Decimal(10**20)], pa.decimal128(38, 0))),
        ("users", "is_verified", pa.array([1, 2])),
        ("users", "created_at", pa.array([1_600_000_000, 1_600_000_000_000])),
        ("users", "created_at", pa.array([1_600_000_000, 1_600_000_000_000], pa.timestamp("s"))),
        ("users", "created_at", pa.array([1_600_000_000_000_000, 2**62], pa.timestamp("us", "UTC"))),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else value,
)
def test_a_typed_parquet_cell_that_does_not_fit(deployment: Deployment, table: str, column: str, cells: pa.Array) -> None:
    write_column(deployment.raw / f"{table}.parquet", [ROWS[table](1), ROWS[table](2)], column, cells)
    refusal(deployment, f"{table}.parquet, row 2, column {column}: ", f"(rule {column}_type)")


def test_the_first_of_several_bad_cells_is_named(deployment: Deployment) -> None:
    rows = [user(1), user(2, is_verified="?"), user(3, wallet_address="?"), user(4, created_at="")]
    write_rows(deployment.raw / "users.csv", rows)
    refusal(deployment, "users.csv, row 2, column is_verified")


def test_mixed_dates_are_refused_at_the_first_that_is_not_iso(deployment: Deployment) -> None:
    write_rows(deployment.raw / "users.csv", [user(1, created_at="2024-02-01"), user(2, created_at="01/02/2024")])
    refusal(deployment, "users.csv, row 2, column created_at: '01/02/2024'", "ISO 8601")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_row_without_its_time(deployment: Deployment, suffix: str) -> None:
    write_rows(deployment.raw / f"users.{suffix}", [user(1), user(2, created_at=None)])
    refusal(deployment, f"users.{suffix}, row 2: column created_at is empty", "(rule created_at_present)")


@pytest.mark.parametrize("moment", ["1970-01-01", datetime(2016, 12, 31, 23, 59).isoformat()])
def test_a_time_before_the_first_day(deployment: Deployment, moment: str) -> None:
    write_rows(deployment.raw / "users.csv", [user(1), user(2, created_at=moment)])
    refusal(
        deployment, "users.csv, row 2, column created_at: ", "before 2017-01-01", "(rule first_day)", "TICKETINTEL_FIRST_DAY"
    )
