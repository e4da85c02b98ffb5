"""The extractor beside its peers and the bare limit: the same ERC-721 transfers of one local node, fetched, decoded, written.

The node is anvil, the logs are those of a contract that emits many transfers a call. In each round, in turn: this extractor
(`fetch_ranges`, checked as in production, `decode_logs`, Parquet); the same requests answered and thrown away, as many at
once; the `cryo` wheel; web3.py's `get_logs` and event decoding, on fewer logs for its slowness. What they wrote is compared.
Memory is that of a process of its own, for the logs and for four times as many.

Node and extractor share the machine, so as many requests are in flight as half of its cores.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import urllib3

from ticketintel_pipelines.chain.decode import decode_logs
from ticketintel_pipelines.chain.events import TRANSFER
from ticketintel_pipelines.chain.extraction.fetch import fetch_ranges
from ticketintel_pipelines.chain.extraction.filter import LogFilter
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines.chain.rpc.endpoint import Endpoint, HttpAnswer
from ticketintel_pipelines_tests.node import INSTALL, Node, find_anvil, running_node

LOGS = 200_000
LOGS_OF_WEB3 = 4_000
LOGS_OF_TRANSACTION = 125
TRANSACTIONS_OF_BLOCK = 4
LOGS_OF_BLOCK = LOGS_OF_TRANSACTION * TRANSACTIONS_OF_BLOCK
ROUNDS = 7
MEMORY_LOGS = (100_000, 400_000)
IN_FLIGHT = max(1, (os.cpu_count() or 1) // 2)

DECODED_ROWS = 16_384
"""Rows decoded and written at once."""
COMPRESSION = "lz4"
"""What cryo takes by default."""
_READ_BYTES = 1 << 18

_EVENT = "event Transfer(address indexed sender, address indexed receiver, uint256 indexed token_id)"
_ABI = [
    {
        "type": "event",
        "name": "Transfer",
        "anonymous": False,
        "inputs": [
            {"name": "sender", "type": "address", "indexed": True},
            {"name": "receiver", "type": "address", "indexed": True},
            {"name": "token_id", "type": "uint256", "indexed": True},
        ],
    }
]
_CONTRACT = """
# pragma version ^0.4.0
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    token_id: indexed(uint256)

@external
def transfer_many(first: uint256, count: uint256):
    for place: uint256 in range(count, bound=1000):
        token: uint256 = first + place
        wallet: uint256 = convert(keccak256(convert(token, bytes32)), uint256) >> 96
        log Transfer(sender=msg.sender, receiver=convert(wallet, address), token_id=token)
"""


@dataclass(frozen=True)
class Transfers:
    """The transfers on the node: one contract's, tokens 0.. in order, from block `first` on."""

    url: str
    address: str
    first: int

    def last(self, logs: int) -> int:
        """The block that ends the first `logs` of them."""
        return self.first + logs // LOGS_OF_BLOCK - 1

    @property
    def wanted(self) -> LogFilter:
        return LogFilter((self.address,), (TRANSFER.topic,))


def emit(node: Node, logs: int) -> Transfers:
    """Put so many transfers on the chain."""
    from vyper import compile_code

    compiled = compile_code(_CONTRACT, output_formats=["bytecode", "method_identifiers"])
    account = node.rpc("eth_accounts")[0]
    creation = node.rpc("eth_sendTransaction", {"from": account, "data": compiled["bytecode"], "gas": hex(2_000_000)})
    node.mine()
    address = node.rpc("eth_getTransactionReceipt", creation)["contractAddress"]
    selector = compiled["method_identifiers"]["transfer_many(uint256,uint256)"]
    first = node.height() + 1
    for token in range(0, logs, LOGS_OF_TRANSACTION):
        arguments = f"{token:064x}{LOGS_OF_TRANSACTION:064x}"
        call = {"from": account, "to": address, "data": selector + arguments, "gas": hex(2_000_000)}
        node.rpc("eth_sendTransaction", call)
        if (token + LOGS_OF_TRANSACTION) % LOGS_OF_BLOCK == 0:
            node.mine()
    return Transfers(node.url, address, first)


def extract(transfers: Transfers, logs: int, target: Path) -> Path:
    """This extractor, from the node to one Parquet file of decoded transfers."""
    writer: pq.ParquetWriter | None = None
    with ChainClient([transfers.url], in_flight=IN_FLIGHT) as client:
        for table in _of_size(client, transfers, logs):
            decoded = decode_logs(table).transfers
            writer = writer or pq.ParquetWriter(
                target, decoded.schema, compression=COMPRESSION, use_dictionary=["contract_address", "standard", "quantity"]
            )
            writer.write_table(decoded)
    assert writer is not None
    writer.close()
    return target


def _of_size(client: ChainClient, transfers: Transfers, logs: int) -> Iterator[pa.Table]:
    """The logs of the range, DECODED_ROWS and a little more at once."""
    held: list[pa.Table] = []
    for piece in fetch_ranges(client, transfers.wanted, transfers.first, transfers.last(logs), parent_hash=None):
        held.append(piece.logs)
        if sum(table.num_rows for table in held) >= DECODED_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def requests_of_extraction(transfers: Transfers, logs: int, target: Path) -> list[bytes]:
    """The bodies that the extractor sends for the range."""
    bodies: list[bytes] = []
    exchange = Endpoint.exchange

    def noting(endpoint: Endpoint, body: bytes) -> HttpAnswer:
        bodies.append(body)
        return exchange(endpoint, body)

    Endpoint.exchange = noting  # type: ignore[method-assign]
    try:
        extract(transfers, logs, target)
    finally:
        Endpoint.exchange = exchange  # type: ignore[method-assign]
    return bodies


def throw_away(url: str, bodies: Sequence[bytes]) -> None:
    """Send the requests and forget the answers."""
    with urllib3.PoolManager(maxsize=IN_FLIGHT) as pool, ThreadPoolExecutor(IN_FLIGHT) as threads:

        def forget(body: bytes) -> None:
            headers = {"Content-Type": "application/json"}
            response = pool.request("POST", url, body=body, headers=headers, preload_content=False)
            while response.read(_READ_BYTES):
                pass
            response.release_conn()

        list(threads.map(forget, bodies))


def run_cryo(transfers: Transfers, logs: int, folder: Path) -> Path:
    import cryo

    cryo.freeze(
        "logs",
        start_block=transfers.first,
        end_block=transfers.last(logs) + 1,
        rpc=transfers.url,
        output_dir=str(folder),
        contract=[transfers.address],
        topic0=[TRANSFER.topic],
        event_signature=_EVENT,
        hex=True,
        compression=[COMPRESSION],
        # Measured: its own defaults, one block a request and a thousand a file, are half as fast.
        inner_request_size=20,
        chunk_size=20,
        no_report=True,
        verbose=False,
    )
    return folder


def run_web3(transfers: Transfers, logs: int, target: Path) -> Path:
    """web3.py as its documentation has it: get_logs, and the contract's event decoding each log."""
    from web3 import HTTPProvider, Web3

    web3 = Web3(HTTPProvider(transfers.url))
    contract = web3.eth.contract(Web3.to_checksum_address(transfers.address), abi=_ABI)
    events = contract.events.Transfer().get_logs(from_block=transfers.first, to_block=transfers.last(logs))
    rows = [
        {
            "block_number": event["blockNumber"],
            "transaction_hash": event["transactionHash"].to_0x_hex(),
            "log_index": event["logIndex"],
            "contract_address": event["address"].lower(),
            "from_address": event["args"]["sender"].lower(),
            "to_address": event["args"]["receiver"].lower(),
            "token_id": str(event["args"]["token_id"]),
        }
        for event in events
    ]
    pq.write_table(pa.Table.from_pylist(rows), target, compression=COMPRESSION)
    return target


_COMPARED = ("block_number", "log_index", "transaction_hash", "contract_address", "from_address", "to_address", "token_id")
_CRYO_NAMES = {"address": "contract_address"} | {
    f"event__{name}": column
    for name, column in {"sender": "from_address", "receiver": "to_address", "token_id_string": "token_id"}.items()
}


def delivered(path: Path, names: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
    """What a peer wrote, in the order of the chain."""
    table = pq.read_table(path)
    table = table.rename_columns([(names or {}).get(name, name) for name in table.column_names])
    return sorted(zip(*(table[name].to_pylist() for name in _COMPARED), strict=True))


def check_same(transfers: Transfers, folder: Path) -> None:
    """Every peer delivers the logs that are there, and the same of each."""
    ours = delivered(extract(transfers, LOGS, folder / "ours.parquet"))
    assert [row[-1] for row in ours] == [str(token) for token in range(LOGS)]
    assert ours == delivered(run_cryo(transfers, LOGS, folder / "cryo"), _CRYO_NAMES)
    assert ours[:LOGS_OF_WEB3] == delivered(run_web3(transfers, LOGS_OF_WEB3, folder / "web3.parquet"))


def seconds(work: partial[Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_megabytes(transfers: Transfers, logs: int, folder: Path) -> tuple[float, float]:
    """Peak memory of a fresh process that extracts so many logs: before it begins, and at its end."""
    task = json.dumps({"transfers": vars(transfers), "logs": logs, "target": str(folder / "memory.parquet")})
    command = [sys.executable, "-m", __spec__.name, task]
    before, after = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return before, after


def extract_for_memory(task: dict[str, Any]) -> None:
    """The work of that process."""
    transfers = Transfers(**task["transfers"])
    # What the first use of the libraries takes once is none of the range's.
    extract(transfers, LOGS_OF_BLOCK, Path(task["target"]))
    before = _peak()
    extract(transfers, task["logs"], Path(task["target"]))
    print(json.dumps([before, _peak()]))


def _peak() -> float:
    """Peak memory of this process in MB. Unlike getrusage's, it does not begin with the parent's."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    if find_anvil() is None:
        sys.exit(f"no anvil; in the root of the repository: {INSTALL}")
    if missing := [name for name in ("cryo", "vyper", "web3") if find_spec(name) is None]:
        sys.exit(
            f"not installed: {', '.join(missing)}; install the extras dev and benchmarks: pip install -e '.[dev,benchmarks]'"
        )
    with (
        tempfile.TemporaryDirectory() as name,
        running_node("--no-mining", "--gas-limit", str(10**9)) as node,
    ):
        folder = Path(name)
        transfers = emit(node, max(LOGS, *MEMORY_LOGS))
        check_same(transfers, folder)
        bodies = requests_of_extraction(transfers, LOGS, folder / "ours.parquet")
        work = {
            "ours": partial(extract, transfers, LOGS, folder / "ours.parquet"),
            "bare": partial(throw_away, transfers.url, bodies),
            "cryo": partial(run_cryo, transfers, LOGS, folder / "cryo"),
            "web3": partial(run_web3, transfers, LOGS_OF_WEB3, folder / "web3.parquet"),
        }
        rounds: list[dict[str, float]] = []
        for _ in range(ROUNDS):
            for old in (folder / "cryo").iterdir():
                old.unlink()
            took = {peer: seconds(task) for peer, task in work.items()}
            rounds.append({peer: (LOGS_OF_WEB3 if peer == "web3" else LOGS) / took[peer] for peer in took})
        memory = [peak_megabytes(transfers, logs, folder) for logs in MEMORY_LOGS]

    titles = {"ours": "this extractor", "bare": "bare HTTP", "cryo": "cryo", "web3": "web3.py"}
    print(f"{LOGS:,} logs ({LOGS_OF_WEB3:,} for web3.py), {IN_FLIGHT} requests in flight, median of {ROUNDS} rounds")
    print(f"{'':<16}{'logs/s':>12}{'this extractor / it':>22}")
    ratios = {}
    for peer, title in titles.items():
        ratios[peer] = statistics.median(measured["ours"] / measured[peer] for measured in rounds)
        rate = statistics.median(measured[peer] for measured in rounds)
        print(f"{title:<16}{rate:>12,.0f}{ratios[peer]:>22.2f}")
    for (before, peak), logs in zip(memory, MEMORY_LOGS, strict=True):
        print(f"memory for {logs:,} logs: {peak:,.0f} MB at its peak, {before:,.0f} MB before the first of them")
    figures = {
        "vs_web3": round(ratios["web3"], 1),
        "vs_cryo": round(ratios["cryo"], 2),
        "of_bare": round(ratios["bare"], 2),
        "memory_4x": round(memory[1][1] / memory[0][1], 2),
        "peak_mb": round(memory[1][1]),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        extract_for_memory(json.loads(sys.argv[1]))
    else:
        main()
