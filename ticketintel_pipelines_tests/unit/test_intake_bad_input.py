"""Bad raw files: one sentence that names file, row, column and rule, and nothing of the call is taken in."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines_tests.unit.raw_files import (
    HASH,
    Deployment,
    refusal,
    sale,
    user,
    working_deployment,
    write_column,
    write_rows,
)

FORMATS = ("parquet", "csv", "jsonl")


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return working_deployment(tmp_path)


# Folders and files.


def test_a_folder_that_is_missing_or_is_a_file(deployment: Deployment) -> None:
    refusal(deployment, "nowhere is not a folder", folder=deployment.root / "nowhere")
    refusal(deployment, "blocks.csv is not a folder", folder=deployment.raw / "blocks.csv")


def test_a_folder_with_nothing_in_it_or_nothing_of_the_contract(deployment: Deployment) -> None:
    empty = deployment.root / "empty"
    (empty / "truth").mkdir(parents=True)
    refusal(deployment, f"{empty} holds no raw file", folder=empty)
    (empty / "readme.txt").write_text("users")
    (empty / ".users.csv").write_text("hidden")
    (empty / "truth" / "users.csv").write_text("the simulator's")
    refusal(deployment, f"{empty} holds no raw file", folder=empty)


def test_a_file_of_no_table(deployment: Deployment) -> None:
    (deployment.raw / "customers.csv").write_text("a\n")
    refusal(deployment, "customers.csv belongs to no table", "sales, users")


def test_a_file_named_for_two_tables(deployment: Deployment) -> None:
    write_rows(deployment.raw / "users-orders.csv", [user()])
    refusal(deployment, "users-orders.csv names several tables (users, orders)")


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_file(deployment: Deployment, suffix: str) -> None:
    (deployment.raw / f"users.{suffix}").touch()
    refusal(deployment, f"users.{suffix} is empty (0 bytes)")


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_file_of_blank_lines(deployment: Deployment, suffix: str) -> None:
    (deployment.raw / f"users.{suffix}").write_text("\n  \n\n")
    refusal(deployment, f"users.{suffix}")


def test_text_renamed_to_parquet(deployment: Deployment) -> None:
    write_rows(deployment.raw / "users.csv", [user()]).rename(deployment.raw / "users.parquet")
    refusal(deployment, "users.parquet is not a whole Parquet file")


def test_parquet_renamed_to_text(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.parquet", [user()])
    for suffix in ("csv", "jsonl"):
        path = path.rename(deployment.raw / f"users.{suffix}")
        refusal(deployment, f"users.{suffix}")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_truncated_parquet(deployment: Deployment, share: float) -> None:
    path = write_rows(deployment.raw / "users.parquet", [user(n) for n in range(500)])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refusal(deployment, "users.parquet is not a whole Parquet file", "truncated")


@pytest.mark.parametrize("place", [0, 4, 200, 1_000, 4_000])
def test_parquet_with_zeros_inside(deployment: Deployment, place: int) -> None:
    path = write_rows(deployment.raw / "users.parquet", [user(n, full_name=f"{n:x}" * 9) for n in range(500)])
    content = bytearray(path.read_bytes())
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)
    refusal(deployment, "users.parquet")


# Rows that are none.


def test_truncated_csv(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.csv", [user(n, full_name="two\nlines") for n in range(1, 6)])
    path.write_text(path.read_text().rstrip().rsplit(",", 2)[0])
    refusal(deployment, "users.csv, row 5 has 5 columns where the header has 7 (rule csv_form)")


@pytest.mark.parametrize("end", ['"two', '"two\nlines', '"two\n', '"', '"x"y'])
def test_csv_truncated_within_quotes(deployment: Deployment, end: str) -> None:
    path = write_rows(deployment.raw / "users.csv", [user(n, full_name="two\nlines") for n in range(1, 6)])
    path.write_bytes(path.read_bytes().rsplit(b'"two', 1)[0] + end.encode())
    refusal(deployment, "users.csv, row 5 is not well-formed CSV")


def test_a_quote_that_is_never_closed_swallows_no_rows(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.csv", [user(n) for n in range(1, 200)])
    path.write_text(path.read_text().replace("u7@example.org", '"u7@example.org'))
    refusal(deployment, "users.csv, row 7 is not well-formed CSV")


def test_a_csv_row_with_a_cell_too_many(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.csv", [user(n) for n in range(1, 4)])
    path.write_text(path.read_text().replace("u2@example.org", "u2@example.org,x"))
    refusal(deployment, "users.csv, row 2 has 8 columns where the header has 7")


def test_csv_that_is_not_utf8(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.csv", [user(1), user(2, full_name="Zoë")])
    path.write_text(path.read_text(), encoding="latin-1")
    refusal(deployment, "users.csv, row 2 column full_name is not text in UTF-8")
    path.write_text(path.read_text("latin-1"), encoding="utf-16")
    refusal(deployment, "users.csv")


def test_csv_with_another_separator(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.csv", [user()])
    path.write_text(path.read_text().replace(",", ";"))
    refusal(deployment, "users.csv lacks the required columns user_id, ", "it has user_id;created_at;")


@pytest.mark.parametrize("header", ["user_id,email,Email", "user_id,,email", "\nuser_id,email"])
def test_a_header_with_a_repeated_or_empty_name(deployment: Deployment, header: str) -> None:
    (deployment.raw / "users.csv").write_text(header + "\n1,2,3\n")
    refusal(deployment, "users.csv", "name each column once")


def test_parquet_with_two_columns_of_one_name(deployment: Deployment) -> None:
    table = pa.Table.from_pylist([user()])
    pq.write_table(table.append_column("Email", table["email"]), deployment.raw / "users.parquet")
    refusal(deployment, "users.parquet names the column email more than once")


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda line: line[:-10], "row 3 is not a whole JSON object"),
        (lambda line: "7", "row 3 is not a JSON object"),
        (lambda line: "[1, 2]", "row 3 is not a JSON object"),
        (lambda line: line.replace('"email"', '"full_name"', 1), "row 3 names a key twice"),
        (lambda line: line.replace("Ada", "Zo\udceb"), "row 3 is not text in UTF-8"),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_a_broken_json_line(deployment: Deployment, damage: Callable[[str], str], what: str, last: bool) -> None:
    lines = [json.dumps(user(n)) for n in range(1, 4 if last else 6)]
    lines[2] = damage(lines[2])
    (deployment.raw / "users.jsonl").write_text("\n\n".join(lines), errors="surrogateescape")
    refusal(deployment, f"users.jsonl, {what} (rule json_form)")


# Columns.


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_missing_required_column(deployment: Deployment, suffix: str) -> None:
    rows = [
        {**{name: value for name, value in user().items() if name != "email"}, **{f"extra_column_{n}": n for n in range(50)}}
    ]
    write_rows(deployment.raw / f"users.{suffix}", rows)
    refusal(deployment, f"users.{suffix} lacks the required column email of users; it has user_id, created_at")


def test_a_column_name_of_many_lines(deployment: Deployment) -> None:
    (deployment.raw / "users.csv").write_text('"a\nb",c\n1,2\n')
    refusal(deployment, "users.csv lacks the required columns", r"'a\nb', c")


@pytest.mark.parametrize(
    ("table", "column", "cells", "kind"),
    [
        ("sales", "token_id", pa.array([[1]]), "BIGINT[]"),
        ("sales", "token_id", pa.array([1.0]), "DOUBLE"),
        ("sales", "token_id", pa.array([Decimal(2**200)], pa.decimal256(76, 0)), "DOUBLE"),
        ("sales", "price_wei", pa.array([Decimal("1.5")]), "DECIMAL(2,1)"),
        ("sales", "timestamp", pa.array([True]), "BOOLEAN"),
        ("sales", "timestamp", pa.array([1.6e9]), "DOUBLE"),
        ("sales", "from_address", pa.array([1]), "BIGINT"),
        ("sales", "block_number", pa.array([b"1"]), "BLOB"),
        ("sales", "block_number", pa.array([{f"field{n}": n for n in range(60)}]), "STRUCT"),
    ],
)
def test_a_parquet_type_that_cannot_hold_the_column(
    deployment: Deployment, table: str, column: str, cells: pa.Array, kind: str
) -> None:
    write_column(deployment.raw / f"{table}.parquet", [sale()], column, cells)
    refusal(deployment, f"{table}.parquet, column {column} is of type {kind}", "_type)", "export it as text")


@pytest.mark.parametrize("cells", [pa.array([7]), pa.array([[7]]), pa.array([{"a": 1}])], ids=lambda cells: str(cells.type))
def test_topics_of_a_type_that_holds_none(deployment: Deployment, cells: pa.Array) -> None:
    row = {"block_number": 1, "transaction_hash": HASH, "log_index": 0, "address": "0x", "data": "0x", "topics": ""}
    write_column(deployment.raw / "logs.parquet", [row], "topics", cells)
    refusal(deployment, "logs.parquet, column topics", "(rule topic0_type)")


# Times that are taken from blocks.

LOG = {"block_number": "1", "transaction_hash": HASH, "log_index": "0", "address": "0x" + "c0" * 20, "data": "0x"}


def test_a_log_of_a_block_that_is_not_at_hand(deployment: Deployment) -> None:
    write_rows(deployment.raw / "logs.csv", [LOG, {**LOG, "block_number": "2"}])
    refusal(deployment, "logs.csv, row 2: no blocks row has its block_number", "(rule block_timestamp_present)")


def test_a_log_whose_block_is_no_number(deployment: Deployment) -> None:
    write_rows(deployment.raw / "logs.csv", [LOG, {**LOG, "block_number": "latest"}])
    refusal(deployment, "logs.csv, row 2, column block_number: 'latest'", "(rule block_number_type)")


def test_logs_without_times_and_without_blocks(deployment: Deployment) -> None:
    (deployment.raw / "blocks.csv").unlink()
    write_rows(deployment.raw / "logs.csv", [LOG])
    refusal(deployment, "logs.csv has no block_timestamp", "put the blocks of the same range into the folder")


def test_after_the_bad_file_is_mended_the_whole_folder_is_taken_in(deployment: Deployment) -> None:
    write_rows(deployment.raw / "users.csv", [user(1, created_at="soon")])
    refusal(deployment, "users.csv, row 1, column created_at: 'soon'")
    write_rows(deployment.raw / "users.csv", [user(1)])
    assert len(deployment.take_in().landed) == 4
