"""Files are taken in or refused for what each cell says, however many rows, batches and good cells there are around it."""

from pathlib import Path

import pyarrow as pa
import pytest

from ticketintel_pipelines_tests.unit.raw_files import (
    ADDRESS,
    HASH,
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

MANY = 20_000
"""More rows than are looked at in one batch."""
RIGHT = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
"""A checksum of EIP-55's own examples."""
WRONG = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return working_deployment(tmp_path)


@pytest.mark.parametrize(
    "cells",
    [
        ["0", "x" + "0" * 40],
        ["00x" + "c0" * 19 + "c"],
        ["0x12x4"],
        ["0xc0x"],
        ["0X" + "c0" * 20],
        ["x0" + "c0" * 20],
        ["c0" * 20],
        ["0"],
        ["0x" + "ç0" * 20],
        ["0x" + "c0" * 20 + "\n"],
        ["0x\N{FULLWIDTH DIGIT ZERO}"],
    ],
    ids=ascii,
)
@pytest.mark.parametrize("around", [ADDRESS, RIGHT, None, ""], ids=["lower", "checksum", "null", "empty"])
def test_a_text_that_is_not_hexadecimal_is_found_whatever_is_around_it(
    deployment: Deployment, cells: list[str], around: str | None
) -> None:
    rows = [user(n, wallet_address=cell) for n, cell in enumerate([around, *cells, around, ADDRESS])]
    write_rows(deployment.raw / "users.parquet", rows)
    refusal(deployment, "users.parquet, row 2, column wallet_address: ", "(rule wallet_address_type)")


def test_a_bad_cell_in_the_last_of_many_rows(deployment: Deployment) -> None:
    write_rows(deployment.raw / "sales.parquet", [*(sale(n) for n in range(MANY)), sale(MANY, tx_hash=HASH[:-1] + "g")])
    refusal(deployment, f"sales.parquet, row {MANY + 1}, column transaction_hash: ", "(rule transaction_hash_type)")


@pytest.mark.parametrize("last", [RIGHT, WRONG, ADDRESS.upper().replace("X", "x"), "", None])
def test_case_is_seen_in_the_last_of_many_rows(tmp_path: Path, last: str | None) -> None:
    deployment = Deployment(tmp_path)
    rows = [*(user(n) for n in range(MANY)), user(MANY, wallet_address=last)]
    write_rows(deployment.raw / "users.parquet", rows)
    deployment.take_in()
    *others, landed = (row["wallet_address"] for row in deployment.rows("users"))
    assert set(others) == {ADDRESS}
    assert landed == (last if last == WRONG else last.lower() if last else None)


def test_a_csv_that_breaks_after_many_good_rows_is_told_as_such(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.csv", [user(n) for n in range(MANY)])
    path.write_text(path.read_text() + "u1,2026-01-01T00:00:00Z\n")
    refusal(deployment, f"users.csv, row {MANY + 1} has 2 columns where the header has 7", "(rule csv_form)")


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [("chargebacks", chargeback, "amount"), ("sessions", session, "latitude")],
    ids=["chargebacks", "sessions"],
)
def test_a_number_that_the_statistics_of_a_file_leave_out_is_found(
    deployment: Deployment, table: str, row: object, column: str
) -> None:
    # NaN stands in no minimum and no maximum: from those alone the column is constant.
    assert callable(row)
    write_column(deployment.raw / f"{table}.parquet", [row(n) for n in range(3)], column, pa.array([1.0, 1.0, float("nan")]))
    refusal(deployment, f"{table}.parquet, row 3, column {column}: ", f"(rule {column}_type)")


def test_columns_of_its_own_do_not_disturb_a_file(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    more = {"day": "Monday", "instant": 7, "cells0": "x", "raw": None}
    write_rows(deployment.raw / "users.jsonl", [user(n, created_at=f"2026-01-0{n}T23:59:59.999999Z", **more) for n in (1, 2)])
    write_rows(deployment.raw / "sales.csv", [sale(1, **more)])
    report = deployment.take_in()
    users = next(file for file in report.landed if file.table == "users")
    assert [(str(fragment.day), fragment.rows) for fragment in users.fragments] == [("2026-01-01", 1), ("2026-01-02", 1)]
    assert set(users.ignored_columns) == set(more)
