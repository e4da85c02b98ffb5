"""Whole blocks of Ethereum with their receipts, put together from the exports that came with the shared data."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ticketintel_pipelines.chain.extraction.header_chain import Header
from ticketintel_pipelines_tests.chain_double.encoding import bloom_of, bloom_text
from ticketintel_pipelines_tests.shared_data import shared_data


@dataclass(frozen=True)
class MainnetBlock:
    header: Header
    receipts: list[dict[str, Any]]


def mainnet_blocks(name: str) -> list[MainnetBlock]:
    """The blocks of one folder of the exports; the blooms of receipts, which they lack, are worked out from the logs."""
    folder = shared_data("evm_ethereum_etl_fixtures") / "test_stream" / name
    transactions, logs = _lines(folder / "expected_transactions.json"), _lines(folder / "expected_logs.json")
    blocks = []
    for block in _lines(folder / "expected_blocks.json"):
        header = Header(
            number=block["number"],
            hash=block["hash"],
            parent_hash=block["parent_hash"],
            timestamp=block["timestamp"],
            logs_bloom=bytes.fromhex(block["logs_bloom"][2:]),
            receipts_root=block["receipts_root"],
        )
        receipts = [
            _receipt(transaction, [log for log in logs if log["transaction_hash"] == transaction["hash"]])
            for transaction in sorted(transactions, key=lambda transaction: transaction["transaction_index"])
            if transaction["block_number"] == header.number
        ]
        blocks.append(MainnetBlock(header, receipts))
    return blocks


def _receipt(transaction: dict[str, Any], logs: list[dict[str, Any]]) -> dict[str, Any]:
    logs = sorted(logs, key=lambda log: log["log_index"])
    receipt = {
        "cumulativeGasUsed": hex(transaction["receipt_cumulative_gas_used"]),
        "logs": [{**log, "logIndex": hex(log["log_index"])} for log in logs],
        "logsBloom": bloom_text(bloom_of(item for log in logs for item in (log["address"], *log["topics"]))),
    }
    if transaction["receipt_root"]:
        return {**receipt, "root": transaction["receipt_root"]}
    return {**receipt, "status": hex(transaction["receipt_status"]), "type": hex(transaction["transaction_type"])}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
