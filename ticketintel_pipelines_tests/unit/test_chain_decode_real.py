"""Real logs of Ethereum, decoded by others before."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ticketintel_pipelines.chain.decode import WRAPPED_ETHER, decode_logs
from ticketintel_pipelines.chain.events import ZERO_ADDRESS
from ticketintel_pipelines_tests.shared_data import shared_data
from ticketintel_pipelines_tests.unit.chain_logs import Log, assert_accounted, seaport_orders, table_of

RINKEBY_WRAPPED_ETHER = "0xc778417e063141139fce010982780140aa0cd5ab"
ETHEREUM_ETL = "evm_ethereum_etl_fixtures"


@pytest.fixture(scope="module")
def golden() -> list[dict[str, Any]]:
    return json.loads((shared_data("evm_logs_golden") / "golden_logs.json").read_text())


@pytest.fixture(scope="module")
def golden_logs(golden: list[dict[str, Any]]) -> list[Log]:
    # Where a log was published without its place, its position in the file stands for the place.
    return [
        Log(
            topics=entry["topics"],
            data=entry["data"],
            address=entry["address"] or ZERO_ADDRESS,
            transaction_hash=f"0x{place:064x}",
            log_index=place,
        )
        for place, entry in enumerate(golden)
    ]


def test_every_golden_log_decodes(golden_logs: list[Log]) -> None:
    result = decode_logs(table_of(golden_logs))
    assert (result.decoded, result.unknown, result.undecodable.num_rows) == (30, 0, 0)


def test_golden_transfers(golden: list[dict[str, Any]], golden_logs: list[Log]) -> None:
    transfers = decode_logs(table_of(golden_logs)).transfers.to_pylist()
    by_place = {row["log_index"]: row for row in transfers}
    expected = {
        place: entry["decoded"]
        for place, entry in enumerate(golden)
        if entry["decoded"]["event"] in ("Transfer", "TransferSingle")
    }
    assert len(expected) == 13
    for place, decoded in expected.items():
        row = by_place[place]
        assert row["standard"] == decoded["standard"]
        assert row["token_id"] == decoded["token_id"]
        assert row["from_address"] == decoded["from"]
        assert row["to_address"] == decoded["to"]
        assert row["quantity"] == decoded.get("value", "1")
        assert row["batch_index"] == 0
        assert row["contract_address"] == (golden[place]["address"] or ZERO_ADDRESS)


def test_golden_punks(golden: list[dict[str, Any]], golden_logs: list[Log]) -> None:
    result = decode_logs(table_of(golden_logs))
    sales = {row["log_index"]: row for row in result.sales.to_pylist()}
    moved = {row["log_index"] for row in result.transfers.to_pylist()}
    punks = {place: e["decoded"] for place, e in enumerate(golden) if e["decoded"]["event"] == "PunkBought"}
    assert len(punks) == 15
    for place, decoded in punks.items():
        sale = sales[place]
        assert sale["marketplace"] == "cryptopunks"
        assert sale["token_id"] == decoded["punk_index"]
        assert sale["price_wei"] == decoded["value"]
        assert sale["seller_address"] == decoded["from_address"]
        assert sale["buyer_address"] == decoded["to_address"]
        assert (place in moved) == (decoded["to_address"] != ZERO_ADDRESS)


def test_golden_seaport(golden: list[dict[str, Any]], golden_logs: list[Log]) -> None:
    places = [place for place, entry in enumerate(golden) if entry["decoded"]["event"] == "OrderFulfilled"]
    logs = table_of([golden_logs[place] for place in places])
    orders = seaport_orders(logs)
    sales = decode_logs(logs, (WRAPPED_ETHER, RINKEBY_WRAPPED_ETHER)).sales.to_pylist()
    assert len(places) == len(sales) == 2
    for place, order, sale in zip(places, orders, sales, strict=True):
        decoded = golden[place]["decoded"]
        assert order == {name: decoded[name] for name in order}
        derived = decoded["derived"]
        assert sale["marketplace"] == "seaport"
        assert sale["seller_address"] == derived["seller"]
        assert sale["buyer_address"] == derived["buyer"]
        assert sale["contract_address"] == derived["token"]
        assert sale["token_id"] == derived["token_id"]
        assert sale["quantity"] == derived["quantity"]
        assert sale["price_wei"] == derived["price_wei"]


def test_a_bid_in_another_currency_has_no_price(golden_logs: list[Log]) -> None:
    prices = decode_logs(table_of(golden_logs)).sales.filter(_is_seaport(golden_logs))["price_wei"].to_pylist()
    assert sorted(prices, key=str) == ["500000000000000000", None]


def _is_seaport(golden_logs: list[Log]) -> Any:
    sales = decode_logs(table_of(golden_logs)).sales
    return [name == "seaport" for name in sales["marketplace"].to_pylist()]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _log(entry: dict[str, Any]) -> Log:
    topics = entry["topics"].split(",") if isinstance(entry["topics"], str) else entry["topics"]
    return Log(
        topics=[topic for topic in topics if topic],
        data=entry["data"],
        address=entry["address"],
        transaction_hash=entry["transaction_hash"],
        log_index=int(entry["log_index"]),
        block_number=int(entry["block_number"]),
    )


@pytest.mark.parametrize(
    ("folder", "logs_name", "transfers_name", "count"),
    [
        ("test_stream/blocks_17173049_17173050", "expected_logs.json", "expected_token_transfers.json", 291),
        ("test_stream/blocks_1755634_1755635", "expected_logs.json", "expected_token_transfers.json", 1),
        ("test_extract_token_transfers_job/logs", "logs.csv", "expected_token_transfers.csv", 2),
    ],
)
def test_transfers_equal_those_of_ethereum_etl(folder: str, logs_name: str, transfers_name: str, count: int) -> None:
    base = shared_data(ETHEREUM_ETL) / folder
    read = _json_lines if logs_name.endswith("json") else _csv_rows
    logs = table_of([_log(entry) for entry in read(base / logs_name)])
    result = decode_logs(logs)
    assert_accounted(result, logs)
    assert result.undecodable.num_rows == 0
    # ethereum-etl knows nothing but `Transfer`, and calls its third argument the value.
    decoded = {
        (
            row["transaction_hash"],
            row["log_index"],
            row["block_number"],
            row["contract_address"],
            row["from_address"],
            row["to_address"],
            row["token_id"] if row["standard"] == "erc721" else row["quantity"],
        )
        for row in result.transfers.to_pylist()
        if row["standard"] in ("erc20", "erc721")
    }
    expected = {
        (
            row["transaction_hash"],
            int(row["log_index"]),
            int(row["block_number"]),
            row["token_address"],
            row["from_address"],
            row["to_address"],
            str(row["value"]),
        )
        for row in read(base / transfers_name)
    }
    assert decoded == expected
    assert len(decoded) == count
    assert result.fungible == sum(row["standard"] == "erc20" for row in result.transfers.to_pylist())
