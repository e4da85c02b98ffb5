"""Tables of logs for the decoder's tests, and Seaport orders as plain Python values to compare with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.decode import DecodedLogs
from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.chain.seaport import Items, Orders, decode_orders
from ticketintel_pipelines.chain.uint256 import decimal_text
from ticketintel_pipelines.chain.words import log_columns

CONTRACT = "0x" + "c0" * 20


@dataclass(frozen=True)
class Log:
    topics: Sequence[str]
    data: str
    address: str = CONTRACT
    transaction_hash: str = "0x" + "ab" * 32
    log_index: int = 0
    block_number: int = 1
    block_timestamp: int = 1_600_000_000


def table_of(logs: Sequence[Log]) -> pa.Table:
    """Logs as a table with the lake's columns."""
    seconds = pa.array([log.block_timestamp * 1_000_000 for log in logs], pa.int64())
    columns = {
        "block_number": pa.array([log.block_number for log in logs], pa.int64()),
        "block_timestamp": seconds.cast(pa.timestamp("us", "UTC")),
        "transaction_hash": pa.array([log.transaction_hash for log in logs], pa.string()),
        "log_index": pa.array([log.log_index for log in logs], pa.int64()),
        "address": pa.array([log.address for log in logs], pa.string()),
        "data": pa.array([log.data for log in logs], pa.string()),
    }
    for place in range(4):
        topics = [log.topics[place] if place < len(log.topics) else None for log in logs]
        columns[f"topic{place}"] = pa.array(topics, pa.string())
    return pa.table(columns)


def word(value: int) -> str:
    return "0x" + value.to_bytes(32, "big").hex()


def address_word(address: str) -> str:
    return "0x" + "00" * 12 + address.removeprefix("0x")


def assert_accounted(result: DecodedLogs, logs: pa.Table) -> None:
    assert result.decoded + result.unknown + result.undecodable.num_rows == logs.num_rows
    rows = result.undecodable["row"].to_pylist()
    assert rows == sorted(set(rows))


def seaport_orders(logs: pa.Table) -> list[dict[str, object]]:
    """The whole of each order in a table that holds nothing but good `OrderFulfilled` logs."""
    orders, faults = decode_orders(log_columns(logs), np.arange(logs.num_rows))
    assert faults == []
    return _order_values(orders)


def _order_values(orders: Orders) -> list[dict[str, object]]:
    single = zip(
        bytes_to_hex(orders.order_hashes).to_pylist(),
        bytes_to_hex(orders.offerers).to_pylist(),
        bytes_to_hex(orders.zones).to_pylist(),
        bytes_to_hex(orders.recipients).to_pylist(),
        strict=True,
    )
    offers = _item_values(orders.offer, len(orders.rows))
    considerations = _item_values(orders.consideration, len(orders.rows))
    return [
        {
            "order_hash": order_hash,
            "offerer": offerer,
            "zone": zone,
            "recipient": recipient,
            "offer": offers[place],
            "consideration": considerations[place],
        }
        for place, (order_hash, offerer, zone, recipient) in enumerate(single)
    ]


def _item_values(items: Items, orders: int) -> list[list[dict[str, object]]]:
    columns = {
        "item_type": items.item_types.tolist(),
        "token": bytes_to_hex(items.tokens).to_pylist(),
        "identifier": decimal_text(items.identifiers).to_pylist(),
        "amount": decimal_text(items.amounts).to_pylist(),
    }
    if items.recipients is not None:
        columns["recipient"] = bytes_to_hex(items.recipients).to_pylist()
    values: list[list[dict[str, object]]] = [[] for _ in range(orders)]
    for place, order in enumerate(items.orders.tolist()):
        values[order].append({name: column[place] for name, column in columns.items()})
    return values
