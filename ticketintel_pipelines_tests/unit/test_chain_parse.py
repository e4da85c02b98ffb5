"""Logs out of answers: what nodes write is read fast, what they might write is read too, and the rest is refused."""

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.chain.extraction.parse import PARSED_SCHEMA, TOPICS, logs_table, parse_logs
from ticketintel_pipelines.chain.extraction.scan import count_logs, scan_logs
from ticketintel_pipelines.chain.rpc.errors import WrongAnswerError

MEMBERS_OF_NODES = {
    "geth": "address topics data blockNumber transactionHash transactionIndex blockHash blockTimestamp logIndex removed",
    "reth": "address topics data blockHash blockNumber blockTimestamp transactionHash transactionIndex logIndex removed",
    "nethermind": "address blockHash blockNumber data logIndex removed topics transactionHash transactionIndex",
    "without removed": "transactionIndex logIndex topics address data transactionHash blockNumber blockHash",
}
digits = st.text("0123456789abcdef", min_size=64, max_size=64)
logs_of_any_kind = st.lists(
    st.fixed_dictionaries(
        {
            "address": digits.map(lambda text: "0x" + text[:40]),
            "topics": st.lists(digits.map(lambda text: "0x" + text), max_size=4),
            "data": st.text("0123456789abcdef", max_size=200).map(lambda text: "0x" + text),
            "blockHash": digits.map(lambda text: "0x" + text),
            "blockNumber": st.integers(0, 2**53).map(hex),
            "transactionHash": digits.map(lambda text: "0x" + text),
            "transactionIndex": st.integers(0, 2000).map(hex),
            "logIndex": st.integers(0, 70_000).map(hex),
            "blockTimestamp": st.just("0x6b012d96"),
            "removed": st.just(False),
        }
    ),
    min_size=1,
    max_size=8,
)


def rows_of(logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that the logs must become, said plainly."""
    return [
        {
            "block_number": int(log["blockNumber"], 16),
            "block_hash": log["blockHash"],
            "transaction_hash": log["transactionHash"],
            "transaction_index": int(log["transactionIndex"], 16),
            "log_index": int(log["logIndex"], 16),
            "address": log["address"],
            **{name: dict(enumerate(log["topics"])).get(place) for place, name in enumerate(TOPICS)},
            "data": log["data"],
        }
        for log in logs
    ]


def written(logs: list[dict[str, Any]], members: str) -> bytes:
    return json.dumps([{name: log[name] for name in members.split()} for log in logs], separators=(",", ":")).encode()


def sample(count: int = 3) -> list[dict[str, Any]]:
    draw = random.Random(1)
    word = lambda: "0x" + draw.randbytes(32).hex()  # noqa: E731
    return [
        {
            "address": word()[:42],
            "topics": [word() for _ in range(draw.randint(0, 4))],
            "data": "0x" + draw.randbytes(draw.randint(0, 90)).hex(),
            "blockHash": word(),
            "blockNumber": hex(place + 15),
            "transactionHash": word(),
            "transactionIndex": hex(place),
            "logIndex": hex(place * 9),
            "blockTimestamp": "0x6b012d96",
            "removed": False,
        }
        for place in range(count)
    ]


def scanned(text: bytes) -> int:
    """How many logs the compiled reader took; -1 where it left the text to the parser."""
    characters = np.frombuffer(text, dtype=np.uint8)
    count = count_logs(characters)
    texts = [np.empty((*shape, length), dtype=np.uint8) for *shape, length in ((count, 42), (2, count, 66), (4, count, 66))]
    return int(scan_logs(characters, *texts, *(np.empty(shape, dtype=np.int64) for shape in (count, (3, count), (2, count)))))


@pytest.mark.parametrize("node", MEMBERS_OF_NODES)
@given(logs=logs_of_any_kind)
@settings(max_examples=40, deadline=None)
def test_what_nodes_write(node: str, logs: list[dict[str, Any]]) -> None:
    text = written(logs, MEMBERS_OF_NODES[node])
    table = parse_logs(memoryview(text))
    assert table.schema == PARSED_SCHEMA
    assert table.to_pylist() == rows_of(logs)
    assert scanned(text) == len(logs)


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda logs: json.dumps(logs, indent=2),
        lambda logs: json.dumps([dict(reversed(log.items())) if n % 2 else log for n, log in enumerate(logs)]),
        lambda logs: json.dumps([{**log, "transactionHash": log["transactionHash"].upper().replace("X", "x")} for log in logs]),
        lambda logs: json.dumps([{**log, "chain": {"id": 1}, "mined": None, "seen": 1} for log in logs], separators=(",", ":")),
        lambda logs: json.dumps(logs, separators=(",", ":")).replace('"0x', '"\\u0030x'),
    ],
    ids=["spaces", "lines", "other order", "capitals", "more members", "escapes"],
)
def test_other_ways_to_write_the_same(write: Callable[[list[dict[str, Any]]], str]) -> None:
    assert parse_logs(memoryview(write(sample()).encode())).to_pylist() == rows_of(sample())


def test_no_logs() -> None:
    assert parse_logs(memoryview(b"[]")).equals(PARSED_SCHEMA.empty_table())


def test_logs_of_receipts_are_the_same() -> None:
    assert logs_table(sample()).equals(parse_logs(memoryview(written(sample(), MEMBERS_OF_NODES["reth"]))))


@pytest.mark.parametrize(
    ("member", "value", "says"),
    [
        ("removed", True, "removed"),
        ("blockHash", "0x12", "block_hash that is not of 66"),
        ("topics", ["0x12"], "topic0 that is not of 66"),
        ("topics", ["0x" + "0" * 64] * 5, "more than four topics"),
        ("address", None, "cannot be read"),
        ("logIndex", "0x", "number that cannot be read"),
        ("logIndex", "0x-1g", "number that cannot be read"),
        ("blockNumber", "0x" + "f" * 17, "number that cannot be read"),
    ],
)
def test_what_is_no_log_is_refused(member: str, value: object, says: str) -> None:
    logs = sample()
    logs[1][member] = value
    with pytest.raises(WrongAnswerError, match=says):
        parse_logs(memoryview(written(logs, MEMBERS_OF_NODES["geth"])))


@pytest.mark.parametrize("text", [b"", b"null", b"{}", b"[[]]", b"[{}]", b'"logs"', b"[{", b'[{"address":"0x'])
def test_what_is_no_list_of_logs_is_refused(text: bytes) -> None:
    with pytest.raises(WrongAnswerError, match="cannot be read"):
        parse_logs(memoryview(text))


def test_damaged_text_is_refused_or_read_as_it_stands() -> None:
    draw = random.Random(2)
    whole = written(sample(2), MEMBERS_OF_NODES["geth"])
    for place in range(len(whole)):
        with pytest.raises(WrongAnswerError):
            parse_logs(memoryview(whole[:place]))
        damaged = bytearray(whole)
        damaged[place] = draw.choice(b'"\\,:{}[] 0aA\xff')
        try:
            rows = parse_logs(memoryview(bytes(damaged))).to_pylist()
        except WrongAnswerError:
            continue
        try:
            truth = json.loads(damaged)
        except ValueError:
            # In a member that is skipped.
            truth = sample(2)
        assert rows == rows_of([{name: lower(value) for name, value in log.items()} for log in truth])


def lower(value: Any) -> Any:
    if isinstance(value, list):
        return [lower(item) for item in value]
    return value.lower() if isinstance(value, str) else value
