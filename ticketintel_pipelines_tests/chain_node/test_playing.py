"""A simulated world played onto a real node and read back from there."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.chain.contracts import read_chain_settings
from ticketintel_pipelines.chain.development_node import DevelopmentNode
from ticketintel_pipelines.chain.emitter import DISPATCHER, EMITTER, Emission, dispatch, enough_gas
from ticketintel_pipelines.chain.events import KNOWN_EVENTS
from ticketintel_pipelines.chain.extraction.fetch import fetch_ranges
from ticketintel_pipelines.chain.extraction.filter import LogFilter
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines.errors import BadInputError, UnavailableError
from ticketintel_pipelines.ticketing.simulator import simulate
from ticketintel_pipelines.ticketing.simulator.clock import GENESIS_BLOCK
from ticketintel_pipelines.ticketing.simulator.defects import EXACT_DUPLICATE, UNDECODABLE
from ticketintel_pipelines.ticketing.simulator.played_files import carry_hashes, chain_settings
from ticketintel_pipelines.ticketing.simulator.playing import Played, play
from ticketintel_pipelines_tests.chain_double import DoubleChain, NodeDouble
from ticketintel_pipelines_tests.node import Node, running_node

START = date(2026, 1, 1)
START_SECONDS = int(datetime(START.year, START.month, START.day, tzinfo=UTC).timestamp())
BLOCK_SECONDS = 12
FAST = ("--hardfork", "cancun", "--prune-history")
RIGHT_BEFORE = ("--number", str(GENESIS_BLOCK - 1), "--timestamp", str(START_SECONDS - BLOCK_SECONDS))
MADE_BY_THE_NODE = ("hash", "parent_hash", "block_hash", "transaction_hash")

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class PlayedWorld:
    """A world as it was simulated, its copy that carries the node's hashes, and the node."""

    simulated: Path
    carried: Path
    played: Played
    node: Node


@pytest.fixture(scope="module")
def played_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedWorld]:
    simulated = tmp_path_factory.mktemp("played") / "simulated"
    carried = simulated.with_name("carried")
    simulate(simulated, days=1, daily_events=4_000, seed=5, start=START)
    shutil.copytree(simulated, carried)
    with running_node(*RIGHT_BEFORE, *FAST) as node:
        played = play(simulated, node.url)
        carry_hashes(carried, played)
        yield PlayedWorld(simulated, carried, played, node)


def rows_of(folder: Path, table: str) -> Rows:
    """The rows of a raw table, each once, in the order of the chain."""
    rows = [row for path in sorted((folder / table).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    rows.sort(key=lambda row: (row.get("block_number", row.get("number")), row.get("log_index", 0)))
    return [row for place, row in enumerate(rows) if place == 0 or row != rows[place - 1]]


def without_hashes(rows: Rows) -> Rows:
    return [{name: value for name, value in row.items() if name not in MADE_BY_THE_NODE} for row in rows]


def logs_of_node(node: Node, contracts: tuple[str, ...]) -> Rows:
    """What plain eth_getLogs and the headers say, as rows of the raw contract."""
    span = {"fromBlock": hex(GENESIS_BLOCK), "toBlock": "latest", "address": list(contracts)}
    return [
        {
            "block_number": int(log["blockNumber"], 16),
            "block_hash": log["blockHash"],
            "block_timestamp": datetime.fromtimestamp(int(log["blockTimestamp"], 16), UTC),
            "transaction_hash": log["transactionHash"],
            "transaction_index": int(log["transactionIndex"], 16),
            "log_index": int(log["logIndex"], 16),
            "address": log["address"],
            "topics": log["topics"],
            "data": log["data"],
        }
        for log in node.rpc("eth_getLogs", span)
    ]


def blocks_of_node(node: Node, *numbers: int) -> Rows:
    headers = [node.rpc("eth_getBlockByNumber", hex(number), False) for number in numbers]
    return [
        {
            "number": int(header["number"], 16),
            "hash": header["hash"],
            "parent_hash": header["parentHash"],
            "timestamp": int(header["timestamp"], 16),
        }
        for header in headers
    ]


def test_every_log_is_on_the_chain_as_the_files_have_it(played_world: PlayedWorld) -> None:
    on_chain = logs_of_node(played_world.node, played_world.played.contracts)
    assert without_hashes(on_chain) == without_hashes(rows_of(played_world.simulated, "logs"))
    assert len(on_chain) == played_world.played.logs > 300


def test_every_block_is_on_the_chain_empty_ones_too(played_world: PlayedWorld) -> None:
    node, rows = played_world.node, rows_of(played_world.carried, "blocks")
    assert node.height() == rows[-1]["number"]
    numbers = [row["number"] for row in rows]
    sample = sorted({*numbers[:3], *numbers[::199], *numbers[-3:]})
    assert blocks_of_node(node, *sample) == [row for row in rows if row["number"] in sample]
    assert without_hashes(rows) == without_hashes(rows_of(played_world.simulated, "blocks"))


def test_files_that_carry_the_hashes_of_the_node_equal_the_chain_word_for_word(played_world: PlayedWorld) -> None:
    assert rows_of(played_world.carried, "logs") == logs_of_node(played_world.node, played_world.played.contracts)


def test_the_client_extracts_the_rows_of_the_files(played_world: PlayedWorld, tmp_path: Path) -> None:
    path = tmp_path / "chain.toml"
    path.write_text(chain_settings(played_world.played), encoding="utf-8")
    settings = read_chain_settings(path)
    wanted = LogFilter(tuple(contract.address for contract in settings.contracts), tuple(event.topic for event in KNOWN_EVENTS))
    first = min(contract.start_block for contract in settings.contracts)
    with ChainClient([played_world.node.url]) as client:
        assert client.chain_id() == settings.chain_id
        last = client.finalized(settings.confirmations).number
        pieces = list(fetch_ranges(client, wanted, first, last, parent_hash=None, sample_rate=1.0))
    headers = [header for piece in pieces for header in piece.headers]
    assert [(header.number, header.hash, header.parent_hash, header.timestamp) for header in headers] == [
        (row["number"], row["hash"], row["parent_hash"], row["timestamp"]) for row in rows_of(played_world.carried, "blocks")
    ]
    logs = pa.concat_tables([piece.logs for piece in pieces]).to_pylist()
    topics = [[row.pop(f"topic{place}") for place in range(4)] for row in logs]
    extracted = [
        {**row, "topics": [topic for topic in several if topic is not None]} for row, several in zip(logs, topics, strict=True)
    ]
    assert extracted == rows_of(played_world.carried, "logs")


def test_what_names_a_transaction_names_the_one_on_the_chain(played_world: PlayedWorld) -> None:
    hashes = {row["transaction_hash"] for row in rows_of(played_world.carried, "logs")}
    orders = pq.read_table(played_world.carried / "orders")
    before = pq.read_table(played_world.simulated / "orders")
    assert set(orders["transaction_hash"].drop_null().to_pylist()) <= hashes
    assert orders["transaction_hash"].null_count == before["transaction_hash"].null_count > 0
    assert orders.drop_columns("transaction_hash").equals(before.drop_columns("transaction_hash"))
    truth = pq.read_table(played_world.carried / "truth" / "transactions.parquet")
    assert set(truth["transaction_hash"].to_pylist()) <= hashes
    named = {name.split(":")[0] for name in truth["transaction_id"].to_pylist()}
    named |= {row["transaction_id"].split(":")[0] for row in rows_of(played_world.carried, "fraud_reviews")}
    assert named <= hashes


def test_defects_of_logs_are_played_as_far_as_a_chain_can_have_them(played_world: PlayedWorld) -> None:
    truth = pq.read_table(played_world.carried / "truth" / "defects.parquet").to_pylist()
    planted = {
        rule: [row["key"] for row in truth if row["table"] == "logs" and row["rule"] == rule]
        for rule in (EXACT_DUPLICATE, UNDECODABLE)
    }
    on_chain = {
        f"{row['transaction_hash']}:{row['log_index']}": row
        for row in logs_of_node(played_world.node, played_world.played.contracts)
    }
    assert played_world.played.repeated_logs == len(planted[EXACT_DUPLICATE]) > 0
    assert planted[UNDECODABLE]
    assert {len(on_chain[key]["topics"]) for key in planted[UNDECODABLE]} == {2}
    assert set(planted[EXACT_DUPLICATE]) <= set(on_chain)


def test_logs_of_any_form_come_out_of_one_transaction(node: Node) -> None:
    contracts = [bytes([number]) * 20 for number in (0x21, 0x22, 0x23)]
    dispatcher, sender = "0x" + "dd" * 20, node.rpc("eth_accounts")[0]
    logs = [
        Emission(contracts[number % 3], tuple(bytes([topic + 1]) * 32 for topic in range(number % 5)), bytes(number * 7 % 100))
        for number in range(40)
    ]
    logs.append(Emission(contracts[0], (b"\xff" * 32,) * 4, b"\xff" * 10_000))
    calldata = dispatch(logs)
    gas = enough_gas(logs, calldata)
    with DevelopmentNode(node.url) as development:
        development.ask("anvil_setCode", dispatcher, "0x" + DISPATCHER.hex())
        for contract in contracts:
            development.ask("anvil_setCode", "0x" + contract.hex(), "0x" + EMITTER.hex())
        call = {"from": sender, "to": dispatcher, "gas": hex(gas), "data": "0x" + calldata.hex()}
        with development.mining_on_demand(BLOCK_SECONDS):
            name = development.ask("eth_sendTransaction", call)
            development.mine(1)
    receipt = node.rpc("eth_getTransactionReceipt", name)
    assert receipt["status"] == "0x1"
    assert [(log["address"], log["topics"], log["data"]) for log in receipt["logs"]] == [
        ("0x" + log.address.hex(), ["0x" + topic.hex() for topic in log.topics], "0x" + log.data.hex()) for log in logs
    ]


def test_a_log_with_more_topics_than_the_machine_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 4 topics"):
        dispatch([Emission(bytes(20), (bytes(32),) * 5, b"")])


def test_a_node_that_does_not_stand_right_before_the_world_is_refused_with_what_to_do(played_world: PlayedWorld) -> None:
    with pytest.raises(BadInputError, match=rf"start the node anew.*anvil --number {GENESIS_BLOCK - 1} --timestamp \d+ "):
        play(played_world.simulated, played_world.node.url)


def test_a_node_at_the_right_height_whose_time_has_passed_is_refused(played_world: PlayedWorld) -> None:
    with (
        running_node("--number", str(GENESIS_BLOCK - 1), "--timestamp", str(START_SECONDS)) as node,
        pytest.raises(BadInputError, match="2026-01-01 00:00:00 UTC, the world begins"),
    ):
        play(played_world.simulated, node.url)


def test_a_node_mines_by_itself_again_after_a_world_was_played(played_world: PlayedWorld) -> None:
    node = played_world.node
    assert node.rpc("anvil_getAutomine") is True


@pytest.fixture
def small_world(tmp_path: Path) -> Path:
    """Blocks alone: where playing is refused, nothing of the world matters."""
    (tmp_path / "blocks").mkdir()
    pq.write_table(pa.table({"number": [1, 2], "timestamp": [100, 112]}), tmp_path / "blocks" / "2026-01-01.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: shutil.rmtree(folder / "blocks"), "holds no blocks"),
        (
            lambda folder: pq.write_table(
                pa.table({"number": [1, 3], "timestamp": [100, 112]}), folder / "blocks" / "2026-01-01.parquet"
            ),
            "have gaps",
        ),
    ],
)
def test_a_folder_that_is_no_whole_world_is_refused(small_world: Path, spoil: Callable[[Path], Any], sentence: str) -> None:
    spoil(small_world)
    with pytest.raises(BadInputError, match=sentence):
        play(small_world, "http://127.0.0.1:1")


def test_a_node_that_people_use_is_refused(small_world: Path) -> None:
    with NodeDouble(DoubleChain(1)) as node, pytest.raises(BadInputError, match="is no development node"):
        play(small_world, node.url)


def test_no_node_at_all_is_told(small_world: Path) -> None:
    with pytest.raises(UnavailableError, match=r"cannot be reached .*start the node"):
        play(small_world, "http://127.0.0.1:1")
    with pytest.raises(BadInputError, match="is no http:// address"):
        play(small_world, "127.0.0.1:8545")
