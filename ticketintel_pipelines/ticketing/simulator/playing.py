"""Playing the chain of a simulated world onto a development node, to be extracted from there as from a live chain.

The node then holds every block of the world at its height and time, and in it every log at its index, from its address, with
its topics and data, by the transaction of the same index. What the world leaves out of a block because it is not its business
(transactions and logs of others, to be seen by the gaps in the indexes) is played too, as traffic of one foreign contract.

A node decides by itself what the hashes of blocks and transactions are. `played_files` writes them into the world's files,
whose rows are then those of the chain, word for word.

Of the defects in the files, a log that claims to be what it is not is played like any other. A row that a file holds twice
is not: a chain has each log once. It is counted instead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.chain.development_node import DevelopmentNode, NodeRefusalError
from ticketintel_pipelines.chain.emitter import DISPATCHER, EMITTER, Emission, dispatch, enough_gas
from ticketintel_pipelines.errors import BadInputError, UnavailableError
from ticketintel_pipelines.ticketing.simulator.simulation import quiet

SENDER = "0x7ec4e70000000000000000000000000000005e4d"
"""Sends all transactions."""
DISPATCHER_CONTRACT = "0x7ec4e7000000000000000000000000000000d15c"
FOREIGN_CONTRACT = "0x7ec4e700000000000000000000000000000f0e16"
"""Emits the logs of others."""

LOGS_AT_ONCE = 5_000
"""So many logs are sent before the node is asked whether it holds them."""

_BALANCE = 1 << 127
_FOREIGN_LOG = Emission(bytes.fromhex(FOREIGN_CONTRACT[2:]), (), b"")


@dataclass(frozen=True)
class Played:
    """What was played, and what the node made of it.

    `blocks` has the columns number, hash, parent_hash; `transactions` has simulated_hash and hash. `contracts` are the
    addresses that emit the world's logs. `repeated_logs` counts the rows that repeat another one.
    """

    chain_id: int
    first_block: int
    last_block: int
    logs: int
    repeated_logs: int
    contracts: tuple[str, ...]
    blocks: pa.Table
    transactions: pa.Table


@dataclass(frozen=True)
class _Clock:
    """When the world's blocks were made: numbers without a gap, times the same `seconds` apart."""

    first_block: int
    last_block: int
    first_time: int
    seconds: int


@dataclass(frozen=True)
class _Transaction:
    """`simulated_hash` is None for a transaction of others."""

    simulated_hash: str | None
    logs: list[Emission] = field(default_factory=list)


@dataclass(frozen=True)
class _Block:
    number: int
    transactions: list[_Transaction]


def play(folder: Path, rpc_url: str, progress: Callable[[str], None] = quiet) -> Played:
    """Play the blocks and logs in a world's `folder` onto the node at `rpc_url`, which must stand right before them.

    Raises:
        BadInputError: the address is no development node's, its chain cannot take the world, or the folder holds none.
        UnavailableError: the node does not answer, or does not hold what it was given.
    """
    clock = _clock(folder)
    days = sorted(folder.glob("logs/*.parquet"))
    contracts = sorted(
        set().union(*(pq.read_table(path, columns=["address"])["address"].unique().to_pylist() for path in days))
    )
    with DevelopmentNode(rpc_url) as node:
        _check_position(node, clock)
        try:
            return _play(node, clock, days, contracts, progress)
        except NodeRefusalError as refusal:
            raise BadInputError(
                f"{node.name} refuses what it takes to play a world ({refusal}); use anvil 1.7 or later"
            ) from refusal


def _play(
    node: DevelopmentNode, clock: _Clock, days: Sequence[Path], contracts: Sequence[str], progress: Callable[[str], None]
) -> Played:
    count = repeated_count = 0
    with node.mining_on_demand(clock.seconds):
        player = _Player(node, clock)
        player.set_up(contracts)
        for path in days:
            logs, repeated = _logs_of(path)
            for block in _blocks_of(logs, path):
                player.add(block)
            count += len(logs)
            repeated_count += repeated
            progress(f"{path.stem}: {len(logs):,} logs")
        player.finish()
    return Played(
        chain_id=int(node.ask("eth_chainId"), 16),
        first_block=clock.first_block,
        last_block=clock.last_block,
        logs=count,
        repeated_logs=repeated_count,
        contracts=tuple(contracts),
        blocks=_block_hashes(node, clock),
        transactions=pa.table(player.hashes, pa.schema([("simulated_hash", pa.string()), ("hash", pa.string())])),
    )


def _clock(folder: Path) -> _Clock:
    paths = sorted(folder.glob("blocks/*.parquet"))
    if not paths:
        raise BadInputError(f"{folder} holds no blocks/*.parquet; name the folder of a simulated world")
    blocks = pa.concat_tables(pq.read_table(path, columns=["number", "timestamp"]) for path in paths).sort_by("number")
    numbers, times = blocks["number"].to_numpy(), blocks["timestamp"].to_numpy()
    seconds = int(times[1] - times[0]) if len(times) > 1 else 1
    if (numbers[1:] - numbers[:-1] != 1).any() or (times[1:] - times[:-1] != seconds).any() or seconds < 1:
        raise BadInputError(f"the blocks in {folder} have gaps or differ in their length; play a world as it was simulated")
    return _Clock(int(numbers[0]), int(numbers[-1]), int(times[0]), seconds)


def _check_position(node: DevelopmentNode, clock: _Clock) -> None:
    head = node.ask("eth_getBlockByNumber", "latest", False)
    number, time = int(head["number"], 16), int(head["timestamp"], 16)
    if number == clock.first_block - 1 and time < clock.first_time:
        return
    # Without the options for hard fork and history, anvil 1.7 takes longer for each block than for the one before it.
    raise BadInputError(
        f"{node.name} stands at block {number} of {_utc(time)}, the world begins with block {clock.first_block} of "
        f"{_utc(clock.first_time)}; start the node anew, right before it: anvil --number {clock.first_block - 1} "
        f"--timestamp {clock.first_time - clock.seconds} --hardfork cancun --prune-history"
    )


def _utc(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _logs_of(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The logs of a file in the order of the chain, each once, and how many rows repeated one."""
    table = pq.read_table(path).sort_by([("block_number", "ascending"), ("log_index", "ascending")])
    rows = table.to_pylist()
    logs = [row for place, row in enumerate(rows) if place == 0 or row != rows[place - 1]]
    return logs, len(rows) - len(logs)


def _blocks_of(logs: Sequence[dict[str, Any]], path: Path) -> Iterator[_Block]:
    """The blocks that hold the logs of a file, with the transactions and logs of others that the indexes leave room for."""
    block: _Block | None = None
    for row in logs:
        if block is None or row["block_number"] != block.number:
            if block is not None:
                yield block
            block = _Block(row["block_number"], [])
            logs_so_far = 0
        place, index = row["transaction_index"], row["log_index"]
        while len(block.transactions) < place:
            block.transactions.append(_Transaction(None))
        if len(block.transactions) == place:
            block.transactions.append(_Transaction(row["transaction_hash"]))
        transaction = block.transactions[-1]
        if index < logs_so_far or len(block.transactions) > place + 1 or transaction.simulated_hash != row["transaction_hash"]:
            raise BadInputError(
                f"log {index} of block {block.number} in {path} is out of order; play a world as it was simulated"
            )
        transaction.logs.extend([_FOREIGN_LOG] * (index - logs_so_far))
        transaction.logs.append(
            Emission(
                bytes.fromhex(row["address"][2:]),
                tuple(bytes.fromhex(topic[2:]) for topic in row["topics"]),
                bytes.fromhex(row["data"][2:]),
            )
        )
        logs_so_far = index + 1
    if block is not None:
        yield block


class _Player:
    """Sends blocks in the order of their numbers; what was sent is compared with what the node holds now and then."""

    def __init__(self, node: DevelopmentNode, clock: _Clock) -> None:
        self.hashes: dict[str, list[str]] = {"simulated_hash": [], "hash": []}
        self._node = node
        self._clock = clock
        self._mined = clock.first_block - 1
        self._nonce = 0
        self._gas_price = ""
        self._unchecked: list[tuple[Any, ...]] = []
        self._unchecked_from = clock.first_block

    def set_up(self, contracts: Sequence[str]) -> None:
        """Put code at all addresses that emit, and ether where the transactions come from."""
        node = self._node
        code = [(contract, EMITTER) for contract in (*contracts, FOREIGN_CONTRACT)] + [(DISPATCHER_CONTRACT, DISPATCHER)]
        node.ask_all([("anvil_setCode", (address, "0x" + content.hex())) for address, content in code])
        node.ask("anvil_impersonateAccount", SENDER)
        node.ask("anvil_setBalance", SENDER, hex(_BALANCE))
        node.ask("evm_setNextBlockTimestamp", self._clock.first_time)
        self._nonce = int(node.ask("eth_getTransactionCount", SENDER, "latest"), 16)
        # In blocks with all that room the base fee only falls.
        head = node.ask("eth_getBlockByNumber", "latest", False)
        self._gas_price = hex(2 * int(head.get("baseFeePerGas", "0x1"), 16) + 1)

    def add(self, block: _Block) -> None:
        """Play the empty blocks up to this one, and this one."""
        if not self._mined < block.number <= self._clock.last_block:
            raise BadInputError(f"block {block.number} has logs but no place in the chain; play a world as it was simulated")
        self._mine_to(block.number - 1)
        questions = []
        for transaction in block.transactions:
            calldata = dispatch(transaction.logs)
            content = {
                "from": SENDER,
                "to": DISPATCHER_CONTRACT,
                "nonce": hex(self._nonce),
                "gas": hex(enough_gas(transaction.logs, calldata)),
                "gasPrice": self._gas_price,
                "data": "0x" + calldata.hex(),
            }
            questions.append(("eth_sendTransaction", (content,)))
            self._nonce += 1
        names = self._node.ask_all(questions)
        self._mine_to(block.number)
        self._note(block, names)
        if len(self._unchecked) >= LOGS_AT_ONCE:
            self._check()

    def finish(self) -> None:
        """Play the empty blocks after the last log."""
        self._mine_to(self._clock.last_block)
        self._check()

    def _mine_to(self, number: int) -> None:
        self._node.mine(number - self._mined)
        self._mined = number

    def _note(self, block: _Block, names: Sequence[str]) -> None:
        index = 0
        for place, (transaction, name) in enumerate(zip(block.transactions, names, strict=True)):
            if transaction.simulated_hash is not None:
                self.hashes["simulated_hash"].append(transaction.simulated_hash)
                self.hashes["hash"].append(name)
            for log in transaction.logs:
                topics = ["0x" + topic.hex() for topic in log.topics]
                said = ("0x" + log.address.hex(), topics, "0x" + log.data.hex())
                self._unchecked.append((block.number, name, place, index, *said))
                index += 1

    def _check(self) -> None:
        """Compare what was sent since the last time with what the node holds."""
        span = {"fromBlock": hex(self._unchecked_from), "toBlock": hex(self._mined)}
        held = [
            (
                int(log["blockNumber"], 16),
                log["transactionHash"],
                int(log["transactionIndex"], 16),
                int(log["logIndex"], 16),
                log["address"].lower(),
                log["topics"],
                log["data"],
            )
            for log in self._node.ask("eth_getLogs", span)
        ]
        time = int(self._node.ask("eth_getBlockByNumber", hex(self._mined), False)["timestamp"], 16)
        due = self._clock.first_time + (self._mined - self._clock.first_block) * self._clock.seconds
        if held != self._unchecked or time != due:
            raise UnavailableError(
                f"{self._node.name} does not hold in the blocks {self._unchecked_from} to {self._mined} what it was given; "
                "start it anew, leave it to this command alone, and play again"
            )
        self._unchecked = []
        self._unchecked_from = self._mined + 1


def _block_hashes(node: DevelopmentNode, clock: _Clock) -> pa.Table:
    columns: dict[str, list[Any]] = {"number": [], "hash": [], "parent_hash": []}
    for first in range(clock.first_block, clock.last_block + 1, LOGS_AT_ONCE):
        numbers = range(first, min(first + LOGS_AT_ONCE, clock.last_block + 1))
        for header in node.ask_all([("eth_getBlockByNumber", (hex(number), False)) for number in numbers]):
            columns["number"].append(int(header["number"], 16))
            columns["hash"].append(header["hash"])
            columns["parent_hash"].append(header["parentHash"])
    return pa.table(columns)
