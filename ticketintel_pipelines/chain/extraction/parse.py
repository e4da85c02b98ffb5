"""Answers of eth_getLogs as columns, without an object per log.

What is written as nodes write it is read by `scan`; all other JSON goes through a parser, at a tenth of the speed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.rpc.errors import WrongAnswerError

ADDRESS = 42
HASH = 66
"""Characters of an address and of a hash or topic as text."""

TOPICS = ("topic0", "topic1", "topic2", "topic3")
PARSED_SCHEMA = pa.schema(
    [
        ("block_number", pa.int64()),
        ("block_hash", pa.string()),
        ("transaction_hash", pa.string()),
        ("transaction_index", pa.int64()),
        ("log_index", pa.int64()),
        ("address", pa.string()),
        *((topic, pa.string()) for topic in TOPICS),
        ("data", pa.string()),
    ]
)


class _Log(msgspec.Struct, rename="camel", gc=False):
    address: str
    topics: list[str]
    data: str
    block_hash: str
    block_number: str
    transaction_hash: str
    transaction_index: str
    log_index: str
    removed: bool = False


_LOGS = msgspec.json.Decoder(list[_Log])


def parse_logs(text: memoryview) -> pa.Table:
    """The logs in the result of an eth_getLogs answer, in its order, with the columns of PARSED_SCHEMA.

    Raises:
        WrongAnswerError: these are not logs, or logs that the node itself calls removed.
    """
    logs = _scanned(text)
    if logs is not None:
        return logs
    try:
        return _from_objects(_LOGS.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongAnswerError(f"the node gave logs that cannot be read ({error})") from error


def logs_table(logs: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The same of logs that are parsed already, as they stand in receipts."""
    try:
        return _from_objects(msgspec.convert(logs, list[_Log]))
    except msgspec.ValidationError as error:
        raise WrongAnswerError(f"the node gave logs that cannot be read ({error})") from error


def _scanned(text: memoryview) -> pa.Table | None:
    """The logs of a text of the usual form; None for another."""
    # Not at the top: who only asks for headers need not wait for the compiler.
    from ticketintel_pipelines.chain.extraction import scan

    characters = np.frombuffer(text, dtype=np.uint8)
    count = scan.count_logs(characters)
    addresses, hashes, topics = (
        _Texts(places, count, length) for places, length in ((1, ADDRESS), (2, HASH), (len(TOPICS), HASH))
    )
    numbers = np.empty((3, count), dtype=np.int64)
    topic_counts = np.empty(count, dtype=np.int64)
    data = np.empty((2, count), dtype=np.int64)
    targets = (addresses.written[0], hashes.written, topics.written, topic_counts, numbers, data)
    if scan.scan_logs(characters, *targets) != count:
        return None
    columns = {
        "block_number": pa.array(numbers[scan.BLOCK_NUMBER]),
        "block_hash": hashes.column(scan.BLOCK_HASH),
        "transaction_hash": hashes.column(scan.TRANSACTION_HASH),
        "transaction_index": pa.array(numbers[scan.TRANSACTION_INDEX]),
        "log_index": pa.array(numbers[scan.LOG_INDEX]),
        "address": addresses.column(0),
        **{name: topics.column(place, topic_counts > place) for place, name in enumerate(TOPICS)},
        "data": _cut_out(text, *data),
    }
    return pa.table([columns[field.name] for field in PARSED_SCHEMA], schema=PARSED_SCHEMA)


class _Texts:
    """Room for columns of texts of one length, taken from Arrow's pool.

    Measured: memory that is handed back to the system and asked for again costs more than what is written into it.
    """

    def __init__(self, columns: int, rows: int, length: int) -> None:
        self.written = np.frombuffer(pa.allocate_buffer(columns * rows * length), dtype=np.uint8)
        self.written = self.written.reshape(columns, rows, length)

    def column(self, place: int, present: np.ndarray | None = None) -> pa.StringArray:
        """The texts of one column, null where they are not `present`."""
        _, rows, length = self.written.shape
        offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(length)
        column = pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(self.written[place]))
        if present is None or present.all():
            return column
        return column.take(pa.array(np.arange(rows), mask=~present))


def _cut_out(text: memoryview, starts: np.ndarray, ends: np.ndarray) -> pa.StringArray:
    """The pieces of a text from `starts` to `ends`, which ascend."""
    bounds = np.empty(2 * len(starts) + 2, dtype=np.int32)
    bounds[0], bounds[1:-1:2], bounds[2:-1:2], bounds[-1] = 0, starts, ends, len(text)
    pieces = pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(text))
    return pieces.take(pa.array(np.arange(1, len(bounds) - 1, 2)))


def _from_objects(logs: Sequence[_Log]) -> pa.Table:
    if any(log.removed for log in logs):
        raise WrongAnswerError("the node gave logs that it calls removed")
    if any(len(log.topics) > len(TOPICS) for log in logs):
        raise WrongAnswerError("the node gave logs with more than four topics")
    texts: dict[str, list[str | None]] = {
        "block_hash": [log.block_hash for log in logs],
        "transaction_hash": [log.transaction_hash for log in logs],
        "address": [log.address for log in logs],
        "data": [log.data for log in logs],
    }
    for place, name in enumerate(TOPICS):
        texts[name] = [log.topics[place] if place < len(log.topics) else None for log in logs]
    columns = {name: pc.ascii_lower(pa.array(values, pa.string())) for name, values in texts.items()}
    for name, column in columns.items():
        if not pc.all(pc.match_substring_regex(column, "^0x[0-9a-f]*$"), min_count=0).as_py():
            raise WrongAnswerError(f"the node gave logs with a {name} that is not hexadecimal")
    for name in ("block_hash", "transaction_hash", "address", *TOPICS):
        length = ADDRESS if name == "address" else HASH
        if not pc.all(pc.equal(pc.binary_length(columns[name]), length), min_count=0).as_py():
            raise WrongAnswerError(f"the node gave logs with a {name} that is not of {length} characters")
    try:
        columns["block_number"] = pa.array([int(log.block_number, 16) for log in logs], pa.int64())
        columns["transaction_index"] = pa.array([int(log.transaction_index, 16) for log in logs], pa.int64())
        columns["log_index"] = pa.array([int(log.log_index, 16) for log in logs], pa.int64())
    except (ValueError, OverflowError) as error:
        raise WrongAnswerError(f"the node gave logs with a number that cannot be read ({error})") from error
    return pa.table([columns[field.name] for field in PARSED_SCHEMA], schema=PARSED_SCHEMA)
