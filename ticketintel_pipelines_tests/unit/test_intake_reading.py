"""Reading raw files: every format gives the same rows, numbers stay exact, and each row knows where it stood."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines_tests.unit.raw_files import (
    ADDRESS,
    HASH,
    Deployment,
    landed,
    landing,
    only,
    sale,
    user,
    write_rows,
)

FORMATS = ("parquet", "csv", "jsonl")
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def test_the_same_rows_land_alike_from_every_format(tmp_path: Path) -> None:
    rows = [
        user(n, created_at=f"2026-01-{1 + n % 3:02d}T10:00:00+02:00", full_name=None if n == 2 else f"N {n}") for n in range(9)
    ]
    parquet, text, lines = (landed(tmp_path, "users", suffix, rows) for suffix in FORMATS)
    assert parquet == text == lines
    assert len(parquet) == 9
    assert [row["source_row"] for row in parquet] == list(range(1, 10))


# Logs, as ethereum-etl and cryo export them.

TOPICS = ["0x" + f"{place}{place}" * 32 for place in range(1, 4)]
SECONDS = 1_600_000_000


def log(number: int) -> dict[str, object]:
    return {
        "log_index": number,
        "transaction_hash": "0x" + f"{number:064x}",
        "transaction_index": 7,
        "block_hash": HASH,
        "block_number": 100 + number,
        "block_timestamp": SECONDS + number,
        "address": ADDRESS,
        "data": "0x" + "0f" * number,
    }


def raw_bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def write_cryo(folder: Path) -> None:
    blocks = {
        "block_hash": pa.array([raw_bytes(HASH)] * 3, pa.binary()),
        "block_number": pa.array([100, 101, 102], pa.uint32()),
        "timestamp": pa.array([SECONDS, SECONDS + 1, SECONDS + 2], pa.uint32()),
        "chain_id": pa.array([1] * 3, pa.uint64()),
    }
    pq.write_table(pa.table(blocks), folder / "ethereum__blocks__00000100_to_00000102.parquet")
    logs = [log(number) for number in range(3)]
    columns = {
        "block_number": pa.array([row["block_number"] for row in logs], pa.uint32()),
        "transaction_index": pa.array([7] * 3, pa.uint32()),
        "log_index": pa.array([0, 1, 2], pa.uint32()),
        "transaction_hash": pa.array([raw_bytes(str(row["transaction_hash"])) for row in logs], pa.binary()),
        "address": pa.array([raw_bytes(ADDRESS)] * 3, pa.binary()),
        **{f"topic{place}": pa.array([raw_bytes(topic)] * 3, pa.binary()) for place, topic in enumerate(TOPICS)},
        "topic3": pa.array([None] * 3, pa.binary()),
        "data": pa.array([raw_bytes(str(row["data"])) for row in logs], pa.binary()),
    }
    pq.write_table(pa.table(columns), folder / "ethereum__logs__00000100_to_00000102.parquet")


def test_logs_land_alike_from_ethereum_etl_and_from_cryo(tmp_path: Path) -> None:
    logs = [log(number) for number in range(3)]
    topics = {"csv": ",".join(TOPICS)}
    found = {
        suffix: landed(tmp_path, "logs", suffix, [{**row, "topics": topics.get(suffix, TOPICS)} for row in logs])
        for suffix in FORMATS
    }
    with landing(tmp_path, "cryo") as cryo:
        write_cryo(cryo.raw)
    assert found["parquet"] == found["csv"] == found["jsonl"]
    assert [{**row, "block_hash": HASH} for row in cryo.rows("logs")] == found["parquet"]
    first = found["parquet"][0]
    assert [first[f"topic{place}"] for place in range(4)] == [*TOPICS, None]
    assert first["block_timestamp"] == datetime.fromtimestamp(SECONDS, UTC)
    assert first["data"] == "0x"


@pytest.mark.parametrize("kind", [pa.list_(pa.binary()), pa.list_(pa.string(), 3)], ids=["binary", "fixed size"])
def test_topics_are_read_from_any_list(deployment: Deployment, kind: pa.DataType) -> None:
    topics = [raw_bytes(topic) for topic in TOPICS] if kind.value_type == pa.binary() else TOPICS
    table = pa.Table.from_pylist([log(1)]).append_column("topics", pa.array([topics], kind))
    pq.write_table(table, deployment.raw / "logs.parquet")
    assert only(deployment, "logs", "topic2") == TOPICS[2]


def test_time_is_joined_from_blocks_of_an_earlier_import_or_another_format(deployment: Deployment) -> None:
    blocks = [{"number": 100 + n, "hash": HASH, "timestamp": SECONDS + n} for n in range(3)]
    write_rows(deployment.raw / "blocks.csv", blocks)
    deployment.take_in()
    logs = [{name: value for name, value in log(n).items() if name != "block_timestamp"} for n in (2, 0, 1)]
    write_rows(deployment.raw / "logs.jsonl", logs)
    report = deployment.take_in()
    assert [file.table for file in report.landed] == ["logs"]
    rows = deployment.rows("logs")
    assert [row["log_index"] for row in rows] == [2, 0, 1]
    assert [row["block_timestamp"].timestamp() for row in rows] == [SECONDS + 2, SECONDS, SECONDS + 1]


# Cells and columns.


def test_aliases_and_null_markers_are_read(deployment: Deployment) -> None:
    rows = [sale(1, price_wei="-"), sale(2, price_wei=""), sale(3, price_wei="007")]
    write_rows(deployment.raw / "punks_sales.csv", rows)
    deployment.take_in()
    found = deployment.rows("sales")
    assert [row["price_wei"] for row in found] == [None, None, "7"]
    named = {(row["transaction_hash"], row["seller_address"], row["contract_address"]) for row in found}
    assert named == {(HASH, ADDRESS, None)}


NAMES = [" Ada", "Ada ", "A, B", 'the "A"', "two\nlines", "CR\r\nLF", "-", "NULL", "nan", "Zoë ☃ 𝕏", "#1"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_text_survives_as_it_is(deployment: Deployment, suffix: str, name: str) -> None:
    write_rows(deployment.raw / f"users.{suffix}", [user(full_name=name)])
    assert only(deployment, "users", "full_name") == name


def test_hexadecimal_becomes_lower_case(deployment: Deployment) -> None:
    write_rows(deployment.raw / "users.csv", [user(wallet_address="0x" + "AB" * 20)])
    assert only(deployment, "users", "wallet_address") == "0x" + "ab" * 20


def test_an_address_with_a_wrong_checksum_stays_as_it_is_for_validation_to_refuse(deployment: Deployment) -> None:
    """EIP-55: the letters' case is the checksum of an address in mixed case."""
    right = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    wrong = right.replace("a", "A", 1)
    write_rows(deployment.raw / "users.csv", [user(1, wallet_address=right), user(2, wallet_address=wrong)])
    deployment.take_in()
    assert [row["wallet_address"] for row in deployment.rows("users")] == [right.lower(), wrong]


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_the_cells(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.csv", [user(1), user(2)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert b"\r\n" in path.read_bytes()
    deployment.take_in()
    assert [(row["user_id"], row["is_verified"]) for row in deployment.rows("users")] == [("u1", True), ("u2", True)]


def test_a_column_without_any_value_is_null_whatever_its_type(deployment: Deployment) -> None:
    names = ("wallet_address", "full_name", "country_code")
    pq.write_table(pa.Table.from_pylist([user(**dict.fromkeys(names))]), deployment.raw / "users.parquet")
    deployment.take_in()
    assert [deployment.rows("users")[0][name] for name in names] == [None] * 3


@pytest.mark.parametrize("suffix", FORMATS)
def test_columns_beyond_the_contract_are_reported_even_with_the_readers_own_names(deployment: Deployment, suffix: str) -> None:
    rows = [user(n, shoe_size="43", raw_row="9", file_row_number="9", source_row="9") for n in (1, 2)]
    write_rows(deployment.raw / f"users.{suffix}", rows)
    (file,) = deployment.take_in().landed
    assert {"shoe_size", "file_row_number", "source_row"} <= set(file.ignored_columns)
    assert [row["source_row"] for row in deployment.rows("users")] == [1, 2]


def test_topics_are_no_ignored_column(deployment: Deployment) -> None:
    write_rows(deployment.raw / "logs.jsonl", [{**log(1), "topics": TOPICS, "type": "log"}])
    assert deployment.take_in().landed[0].ignored_columns == ("type",)


# Row numbers in files that are read in pieces.


def test_rows_of_a_large_csv_keep_order_and_number_across_line_breaks_in_cells(deployment: Deployment) -> None:
    count = 210_000
    lines = [
        f'u{n},2026-01-01T00:00:00Z,u@example.org,true,"{n}\nx,2026-01-01,y,""z"",{"w" * 150}"' for n in range(1, count + 1)
    ]
    (deployment.raw / "users.csv").write_text("user_id,created_at,email,is_verified,full_name\n" + "\n".join(lines) + "\n")
    assert deployment.take_in().rows == count
    (fragment,) = deployment.catalog.files[0].fragments
    found = pq.read_table(fragment.path, columns=["user_id", "source_row"])
    assert found["source_row"].to_pylist() == list(range(1, count + 1))
    assert found["user_id"].to_pylist() == [f"u{n}" for n in range(1, count + 1)]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_rows_of_a_large_file_keep_order_and_number(deployment: Deployment, suffix: str) -> None:
    count = 205_000
    base = json.dumps(user(full_name="F" * 60))
    path = deployment.raw / f"users.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(base.replace('"u1"', f'"u{n}"') + "\n" for n in range(1, count + 1)))
    else:
        ids = pa.array([f"u{n}" for n in range(1, count + 1)])
        others = {name: pa.array([value] * count) for name, value in user().items() if name != "user_id"}
        pq.write_table(pa.table({"user_id": ids, **others}), path, row_group_size=10_000)
    assert deployment.take_in().rows == count
    (fragment,) = deployment.catalog.files[0].fragments
    found = pq.read_table(fragment.path, columns=["user_id", "source_row"])
    assert found["source_row"].to_pylist() == list(range(1, count + 1))
    assert found["user_id"].to_pylist() == [f"u{n}" for n in range(1, count + 1)]


# Files.


def test_a_file_is_taken_in_once_under_any_name_and_in_any_folder(deployment: Deployment) -> None:
    path = write_rows(deployment.raw / "users.csv", [user()])
    (deployment.raw / "users-copy.csv").write_bytes(path.read_bytes())
    first = deployment.take_in()
    assert ([file.name for file in first.landed], first.repeated) == (["users-copy.csv"], ["users.csv"])
    other = deployment.root / "elsewhere" / "users"
    other.mkdir(parents=True)
    path.rename(other / "2026.csv")
    again = deployment.take_in(other.parent)
    assert (again.landed, again.known) == ([], ["users/2026.csv"])
    assert len(deployment.files()) == 1


def test_a_name_with_the_characters_of_a_pattern_is_one_file(deployment: Deployment) -> None:
    write_rows(deployment.raw / "users [1].csv", [user(1)])
    write_rows(deployment.raw / "users 1.csv", [user(2)])
    write_rows(deployment.raw / "users *.jsonl", [user(3)])
    write_rows(deployment.raw / "users ?'s.parquet", [user(4)])
    deployment.take_in()
    assert sorted(row["user_id"] for row in deployment.rows("users")) == ["u1", "u2", "u3", "u4"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_folders_named_like_partitions_add_no_column(deployment: Deployment, suffix: str) -> None:
    folder = deployment.raw / "country_code=DE"
    folder.mkdir()
    write_rows(folder / f"users.{suffix}", [{name: value for name, value in user().items() if name != "country_code"}])
    assert only(deployment, "users", "country_code") is None


def test_the_longest_table_name_in_a_files_name_counts(deployment: Deployment) -> None:
    row = {"security_event_id": "e1", "occurred_at": START.isoformat(), "kind": "new_device"}
    write_rows(deployment.raw / "security_events-2026.csv", [row])
    assert deployment.take_in().landed[0].table == "security_events"


def test_a_csv_of_nothing_but_its_header_has_no_rows(deployment: Deployment) -> None:
    (deployment.raw / "users.csv").write_text(",".join(user()) + "\n")
    report = deployment.take_in()
    assert (report.rows, report.landed[0].fragments, deployment.files()) == (0, (), [])


def test_fifty_days_of_one_file_keep_their_rows(deployment: Deployment) -> None:
    write_rows(
        deployment.raw / "users.parquet",
        [user(n, created_at=(START + timedelta(days=n % 50, seconds=n)).isoformat()) for n in range(500)],
    )
    (file,) = deployment.take_in().landed
    assert [fragment.rows for fragment in file.fragments] == [10] * 50
    assert [row["user_id"] for row in deployment.rows("users")] == [f"u{n}" for n in range(500)]
