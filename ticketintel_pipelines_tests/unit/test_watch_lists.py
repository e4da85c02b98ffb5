"""Other people's lists of addresses become raw files of the watch list: each address once a list, the wrong ones told apart."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.commands.watch_list import TakenList, write_listings
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.files import FORMATS, RawFile, find_files
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.watch_list import WATCH_LIST
from ticketintel_pipelines_tests.shared_data import shared_data

SINCE = datetime(2026, 1, 5, 12, tzinfo=UTC)
CHECKSUMMED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
ONE, TWO = "0x" + "1" * 40, "0x" + "2" * 40


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_engine(tmp_path / "scratch") as connection:
        yield connection


class Desk:
    """Takes lists in one after another, as a deployment would."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.landed: list[Path] = []
        self.times = 0

    def take(self, *files: Path, name: str | None = None, dated: bool = True) -> list[TakenList]:
        self.times += 1
        out = self.folder / str(self.times)
        out.mkdir()
        raw = [RawFile(path, path.name, WATCH_LIST, FORMATS[path.suffix]) for path in files]
        taken = write_listings(self.engine, raw, name, SINCE, self.landed, out, dated=dated)
        self.landed += sorted(out.rglob("*.parquet"))
        return taken

    @property
    def rows(self) -> list[tuple[str, str, str | None]]:
        tables = [pq.read_table(path) for path in self.landed]
        return [(row["list_name"], row["address"], row["label"]) for table in tables for row in table.to_pylist()]


@pytest.fixture
def desk(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path)


def csv(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("header", "listed"),
    [
        ("banned_address,wallet_tag,data_source", ("feed", ONE, "Phisher")),
        ("address,etherscan_tag,etherscan_labels", ("list", ONE, "Phisher")),
        ("contract_address,contract_tag,source", ("feed", ONE, "Phisher")),
        ("Address,Label,list_name", ("feed", ONE, "Phisher")),
    ],
)
def test_the_columns_of_others_are_understood(desk: Desk, tmp_path: Path, header: str, listed: tuple[str, ...]) -> None:
    desk.take(csv(tmp_path, "list.csv", header, f"{ONE},Phisher,feed"))
    assert desk.rows == [listed]


def test_addresses_as_bytes_are_understood(desk: Desk, tmp_path: Path) -> None:
    pq.write_table(pa.table({"address": [bytes.fromhex(ONE[2:])]}), tmp_path / "list.parquet")
    desk.take(tmp_path / "list.parquet")
    assert desk.rows == [("list", ONE, None)]


def test_the_name_given_counts_for_every_row(desk: Desk, tmp_path: Path) -> None:
    desk.take(csv(tmp_path, "list.csv", "address,source", f"{ONE},a", f"{TWO},"), name="o'ne list")
    assert {row[0] for row in desk.rows} == {"o'ne list"}


def test_a_list_taken_in_again_adds_what_is_new_alone(desk: Desk, tmp_path: Path) -> None:
    first = csv(tmp_path, "list.csv", "address,label", f"{CHECKSUMMED},a", f"{CHECKSUMMED.lower()},b", f"{ONE},c")
    assert [(taken.rows, taken.new) for taken in desk.take(first)] == [(3, 2)]
    assert [(taken.rows, taken.new) for taken in desk.take(first)] == [(3, 0)]
    grown = csv(tmp_path, "list.csv", "address,label", f"{TWO},d", f"{ONE},renamed")
    assert [(taken.rows, taken.new) for taken in desk.take(grown)] == [(2, 1)]
    assert sorted(desk.rows) == [("list", ONE, "c"), ("list", TWO, "d"), ("list", CHECKSUMMED.lower(), "b")]


def test_two_lists_name_one_address_twice(desk: Desk, tmp_path: Path) -> None:
    files = [csv(tmp_path, name, "address", ONE) for name in ("a.csv", "b.csv")]
    desk.take(*files)
    assert [row[:2] for row in desk.rows] == [("a", ONE), ("b", ONE)]


def test_a_row_with_a_wrong_checksum_may_come_again_mended(desk: Desk, tmp_path: Path) -> None:
    wrong = CHECKSUMMED.replace("aA", "Aa")
    bad = csv(tmp_path, "list.csv", "address", wrong)
    assert [desk.take(bad)[0].new, desk.take(bad)[0].new] == [1, 0]
    assert desk.take(csv(tmp_path, "list.csv", "address", CHECKSUMMED))[0].new == 1


@pytest.mark.parametrize("name", ["users.csv", "blocks and logs.csv", "fraud_reviews.csv", "-.csv"])
def test_whatever_a_list_s_file_is_called_its_rows_are_those_of_the_watch_list(desk: Desk, tmp_path: Path, name: str) -> None:
    desk.take(csv(tmp_path, name, "address", ONE))
    (file,) = find_files(TICKETING, desk.folder / "1")
    assert file.table is WATCH_LIST


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        (["wallet_id", ONE], ["list.csv lacks the required column address", "it has wallet_id"]),
        (["address,label", f"{ONE},a", "alice,b"], ["list.csv, row 2, column address: 'alice'", "rule address_type"]),
        (["address,added_at", f"{ONE},2026-01-01"], ["list.csv says itself since when", "--listed-at"]),
        (["address,label", f'{ONE},"a'], ["list.csv, row 1"]),
        ([""], ["list.csv"]),
    ],
)
def test_what_is_no_list_is_refused_with_one_sentence(desk: Desk, tmp_path: Path, lines: list[str], parts: list[str]) -> None:
    good, bad = csv(tmp_path, "good.csv", "address", TWO), csv(tmp_path, "list.csv", *lines)
    with pytest.raises(BadInputError) as refused:
        desk.take(good, bad)
    assert all(part in str(refused.value) for part in parts)
    assert "\n" not in str(refused.value)


def test_dates_of_a_list_s_own_give_way_to_one_that_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.take(csv(tmp_path, "list.csv", "address,added_at", f"{ONE},yesterday"), dated=False)
    (row,) = pq.read_table(desk.landed[0]).to_pylist()
    assert row["listed_at"] == SINCE


def test_every_row_of_the_real_lists_is_read(desk: Desk) -> None:
    files = sorted(shared_data("forta_malicious_labels").glob("*.csv"))
    taken = desk.take(*files)
    assert sum(one.rows for one in taken) == 13_148
    keys = [(row[0], row[1].lower()) for row in desk.rows]
    assert len(set(keys)) == len(keys) == sum(one.new for one in taken) == 12_273
    assert [one.new for one in desk.take(*files)] == [0, 0, 0, 0]
