"""ABI words out of log columns: topics and data as matrices of bytes, and the faults found in reading them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.hexadecimal import hex_to_bytes, string_buffers
from ticketintel_pipelines.chain.uint256 import WORD, small_integers

ADDRESS_PADDING = 12
"""Zero bytes in front of the 20 bytes of an address in its word."""


@dataclass(frozen=True)
class Fault:
    """Logs (rows of the input) that cannot be decoded, and why."""

    rows: np.ndarray
    reason: str


@dataclass(frozen=True)
class LogColumns:
    """The columns of n logs that an event is encoded in, and how much each log carries.

    `indexed` counts the topics after topic0 and is -1 where one is missing between two others; `data_bytes` is -1 where
    the data is not `0x` and an even number of characters.
    """

    topics: tuple[pa.StringArray, pa.StringArray, pa.StringArray]
    data: pa.StringArray
    indexed: np.ndarray
    data_bytes: np.ndarray


@dataclass(frozen=True)
class RaggedWords:
    """The data of n logs: all words (total, 32) one after the other; log i has `counts[i]` of them from `starts[i]`."""

    words: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    def at(self, place: int) -> np.ndarray:
        """The (n, 32) words at one place; every log must be longer than `place`."""
        return self.words[self.starts + place]

    def where(self, kept: np.ndarray) -> "RaggedWords":
        return RaggedWords(self.words, self.starts[kept], self.counts[kept])


@dataclass(frozen=True)
class DynamicArrays:
    """One ABI array per log: index of its first element's word, number of elements; zero of them where `bad`."""

    first: np.ndarray
    lengths: np.ndarray
    bad: np.ndarray

    def where(self, kept: np.ndarray) -> "DynamicArrays":
        return DynamicArrays(self.first[kept], self.lengths[kept], self.bad[kept])

    def elements(self, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of all elements, `width` words each: the log they belong to, their place in its array, their first word."""
        owners = np.repeat(np.arange(len(self.lengths)), self.lengths)
        places = np.arange(len(owners)) - np.repeat(np.cumsum(self.lengths) - self.lengths, self.lengths)
        return owners, places, self.first[owners] + places * width


def log_columns(logs: pa.Table) -> LogColumns:
    """The encoded columns of a table of logs (`topic1` to `topic3`, `data`)."""
    topics = (_text(logs["topic1"]), _text(logs["topic2"]), _text(logs["topic3"]))
    data = _text(logs["data"])
    first, second, third = (np.asarray(topic.is_valid()) for topic in topics)
    indexed = first.astype(np.int64) + second + third
    indexed[(second & ~first) | (third & ~second)] = -1
    characters = np.asarray(pc.fill_null(pc.binary_length(data), 0)).astype(np.int64)
    data_bytes = np.where((characters >= 2) & (characters % 2 == 0), (characters - 2) // 2, -1)
    return LogColumns(topics, data, indexed, data_bytes)


def take(column: pa.StringArray, rows: np.ndarray) -> pa.StringArray:
    """The texts at strictly ascending `rows`."""
    return column if len(rows) == len(column) else column.take(pa.array(rows))


def read_ragged_words(column: pa.StringArray) -> tuple[RaggedWords, np.ndarray]:
    """Data texts as words, and which rows are whole words of hexadecimal digits; the other rows have no words."""
    _, offsets = string_buffers(column)
    digits = np.diff(offsets) - 2
    whole = (digits >= 0) & (digits % (2 * WORD) == 0)
    counts = np.where(whole, digits // (2 * WORD), 0)
    starts = np.cumsum(counts) - counts
    lengths = np.unique(counts[whole]).tolist()
    if len(lengths) == 1 and whole.all():
        matrix, valid = hex_to_bytes(column, lengths[0] * WORD)
        return RaggedWords(matrix.reshape(-1, WORD), starts, np.where(valid, counts, 0)), valid
    words = np.zeros((int(counts.sum()), WORD), dtype=np.uint8)
    valid = np.zeros(len(column), dtype=bool)
    for count in lengths:
        index = np.flatnonzero(whole & (counts == count))
        matrix, is_hex = hex_to_bytes(take(column, index), count * WORD)
        valid[index] = is_hex
        words[starts[index][:, None] + np.arange(count)] = matrix.reshape(len(index), count, WORD)
    return RaggedWords(words, starts, np.where(valid, counts, 0)), valid


def read_dynamic_arrays(data: RaggedWords, place: int, head_words: int, width: int) -> DynamicArrays:
    """The arrays whose offset stands at `place` of a head of `head_words`, with elements of `width` words.

    `bad` marks offsets that are no multiple of a word or point into the head or behind the data, and lengths that run
    over its end.
    """
    offset, is_small = small_integers(data.at(place))
    start = offset // WORD
    inside = is_small & (offset % WORD == 0) & (start >= head_words) & (start < data.counts)
    first = data.starts + np.where(inside, start, 0)
    length, is_small = small_integers(data.words[first])
    good = inside & is_small & (length <= (data.counts - start - 1) // width)
    return DynamicArrays(first + 1, np.where(good, length, 0), ~good)


def is_dirty(words: np.ndarray) -> np.ndarray:
    """Which words (n, 32) hold more than the 20 bytes of an address."""
    parts = words.view(np.uint32)
    return (parts[:, 0] | parts[:, 1] | parts[:, 2]) != 0


def check(rows: np.ndarray, checks: Iterable[tuple[np.ndarray, str]]) -> tuple[np.ndarray, list[Fault]]:
    """Apply `(bad, reason)` checks over `rows` in turn: which pass all of them, and the first fault of the others."""
    passing = np.ones(len(rows), dtype=bool)
    faults = []
    for bad, reason in checks:
        failing = passing & bad
        if failing.any():
            faults.append(Fault(rows[failing], reason))
            passing &= ~bad
    return passing, faults


def _text(column: pa.ChunkedArray) -> pa.StringArray:
    array = column.combine_chunks()
    return array if pa.types.is_string(array.type) else array.cast(pa.string())
