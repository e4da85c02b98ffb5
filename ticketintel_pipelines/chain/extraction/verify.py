"""Whether an answer holds what it must: nodes answer eth_getLogs with too little, and say nothing of it.

A header's bloom filter tells which blocks may hold a wanted log, and its receipts root what its receipts are. So a block
that may hold one and gave none is asked again by its hash and then by its receipts, and of some blocks that gave logs the
receipts are read as well. An endpoint that is caught once is believed no more: from then on its receipts, checked against
the root, are read of every block that may hold a log.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.extraction.bloom import blocks_that_may_hold
from ticketintel_pipelines.chain.extraction.filter import LogFilter
from ticketintel_pipelines.chain.extraction.header_chain import Header
from ticketintel_pipelines.chain.extraction.parse import PARSED_SCHEMA, logs_table, parse_logs
from ticketintel_pipelines.chain.extraction.receipts import logs_of, receipts_root
from ticketintel_pipelines.chain.rpc.dialects import GET_LOGS
from ticketintel_pipelines.chain.rpc.errors import (
    LaggingEndpointError,
    MissingMethodError,
    TooManyResultsError,
    WrongAnswerError,
)
from ticketintel_pipelines.chain.rpc.session import Session

_BLOCK_RECEIPTS = "eth_getBlockReceipts"
_RECEIPT = "eth_getTransactionReceipt"
_BLOCKS_AT_ONCE = 8
"""Blocks whose receipts are held at once; one can have megabytes of them."""


@dataclass(frozen=True)
class Sampling:
    """Of which blocks with logs the receipts are read: a share `rate` of them, the same ones for the same `seed`."""

    rate: float
    seed: int

    def takes(self, header: Header) -> bool:
        drawn = hashlib.blake2b(f"{self.seed}:{header.hash}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self.rate * 2**64


@dataclass(frozen=True)
class Verified:
    """The wanted logs of some blocks, with the columns of PARSED_SCHEMA in the order of the chain.

    `recovered` counts those that eth_getLogs had kept back, `by_receipts` the blocks whose receipts were read.
    """

    logs: pa.Table
    recovered: int
    by_receipts: int


def verified(session: Session, wanted: LogFilter, headers: Sequence[Header], logs: pa.Table, sampling: Sampling) -> Verified:
    """The logs that an endpoint gave for consecutive blocks, checked, with what it kept back.

    Raises:
        WrongAnswerError: what the endpoint says contradicts the headers, or itself.
    """
    logs = in_order(logs, wanted, headers)
    candidates = blocks_that_may_hold(headers, wanted.addresses, wanted.topics)
    gave = set(pc.unique(logs["block_number"]).to_pylist())
    if impossible := gave.difference(candidates):
        raise WrongAnswerError(f"{session.endpoint.name} gave logs of block {min(impossible)} that its bloom filter denies")
    by_number = {header.number: header for header in headers}
    silent = [by_number[number] for number in candidates if number not in gave]
    if not session.endpoint.cuts_results:
        sampled = [by_number[number] for number in candidates if number in gave and sampling.takes(by_number[number])]
        found = _again_by_hash(session, wanted, silent)
        if found is None:
            by_receipts = of_receipts(session, wanted, [*silent, *sampled])
            expected = logs.filter(pc.is_in(logs["block_number"], pa.array([h.number for h in sampled], pa.int64())))
            if by_receipts.equals(expected):
                return Verified(logs, 0, len(silent) + len(sampled))
    complete = of_receipts(session, wanted, [by_number[number] for number in candidates])
    # Not before its receipts have proved it: after a reorganisation meanwhile the logs differ without a fault of the node.
    session.endpoint.cuts_results = True
    return Verified(complete, complete.num_rows - logs.num_rows, len(candidates))


def in_order(logs: pa.Table, wanted: LogFilter, headers: Sequence[Header]) -> pa.Table:
    """The logs in the order of the chain, each of a block of `headers`, wanted, and there once.

    Raises:
        WrongAnswerError: they are not.
    """
    if not logs.num_rows:
        return logs
    numbers, indexes = np.asarray(logs["block_number"]), np.asarray(logs["log_index"])
    if not _ascends(numbers, indexes):
        order = np.lexsort((indexes, numbers))
        logs, numbers, indexes = logs.take(pa.array(order)), numbers[order], indexes[order]
        if not _ascends(numbers, indexes):
            raise WrongAnswerError("the node gave a log twice")
    places = numbers - headers[0].number
    if places[0] < 0 or places[-1] >= len(headers):
        raise WrongAnswerError("the node gave logs of blocks that it was not asked for")
    hashes = pa.array([header.hash for header in headers], pa.string()).take(pa.array(places))
    if not pc.all(pc.equal(logs["block_hash"], hashes)).as_py():
        raise WrongAnswerError("the node gave logs of a block with another hash than its header's")
    for column, values in (("address", wanted.addresses), ("topic0", wanted.topics)):
        if values and not pc.all(pc.is_in(logs[column], pa.array(values, pa.string()))).as_py():
            raise WrongAnswerError(f"the node gave logs of another {column} than it was asked for")
    return logs


def of_receipts(session: Session, wanted: LogFilter, headers: Iterable[Header]) -> pa.Table:
    """The wanted logs of some blocks out of their receipts, whose root is that of the header; a few blocks at a time."""
    tables = [PARSED_SCHEMA.empty_table()]
    ordered = sorted(headers, key=lambda header: header.number)
    for first in range(0, len(ordered), _BLOCKS_AT_ONCE):
        blocks = ordered[first : first + _BLOCKS_AT_ONCE]
        for header, receipts in zip(blocks, _receipts(session, blocks), strict=True):
            _check_root(session, header, receipts)
            # The root knows nothing of the block: one of another branch with the same transactions has the same.
            tables.append(in_order(_wanted(logs_table(logs_of(receipts)), wanted), wanted, [header]))
    return pa.concat_tables(tables).combine_chunks()


def _check_root(session: Session, header: Header, receipts: Any) -> None:
    if receipts is None:
        raise LaggingEndpointError(f"{session.endpoint.name} does not have the receipts of block {header.number}")
    try:
        root = receipts_root(receipts)
    except ValueError as error:
        raise WrongAnswerError(f"{session.endpoint.name} gave receipts that cannot be read ({error})") from error
    if root != header.receipts_root:
        raise WrongAnswerError(f"{session.endpoint.name} gave receipts of block {header.number} that are not those of its root")


def _again_by_hash(session: Session, wanted: LogFilter, silent: Sequence[Header]) -> pa.Table | None:
    """What blocks that gave nothing give when asked by their hashes; None where it is nothing again."""
    questions = [({**wanted.members, "blockHash": header.hash},) for header in silent]
    try:
        answers = session.ask_many(GET_LOGS, questions)
    except TooManyResultsError:
        return PARSED_SCHEMA.empty_table()
    tables = [parse_logs(text) for text in answers]
    return pa.concat_tables(tables) if any(table.num_rows for table in tables) else None


def _receipts(session: Session, blocks: Sequence[Header]) -> list[Any]:
    """All receipts of each block, in its order; None for a block whose receipts the endpoint does not have."""
    if _BLOCK_RECEIPTS not in session.endpoint.lacks:
        try:
            answers = session.ask_many(_BLOCK_RECEIPTS, [(hex(header.number),) for header in blocks])
            return [msgspec.json.decode(text) for text in answers]
        except MissingMethodError:
            session.endpoint.lacks.add(_BLOCK_RECEIPTS)
    return [_receipts_one_by_one(session, header) for header in blocks]


def _receipts_one_by_one(session: Session, header: Header) -> list[Any] | None:
    block = msgspec.json.decode(session.ask("eth_getBlockByHash", (header.hash, False)))
    if block is None:
        return None
    answers = session.ask_many(_RECEIPT, [(transaction,) for transaction in block["transactions"]])
    receipts = [msgspec.json.decode(text) for text in answers]
    return None if None in receipts else receipts


def _ascends(numbers: np.ndarray, indexes: np.ndarray) -> bool:
    later = (numbers[1:] > numbers[:-1]) | ((numbers[1:] == numbers[:-1]) & (indexes[1:] > indexes[:-1]))
    return bool(later.all())


def _wanted(logs: pa.Table, wanted: LogFilter) -> pa.Table:
    for column, values in (("address", wanted.addresses), ("topic0", wanted.topics)):
        if values:
            logs = logs.filter(pc.is_in(logs[column], pa.array(values, pa.string())))
    return logs
