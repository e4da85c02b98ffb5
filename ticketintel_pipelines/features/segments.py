"""Segments: files of states that are written once, in order of their keys, and found again by searching in mapped memory.

A segment is an Arrow file. Its rows are the places of keys and the words of their states, fold after fold, in order of the
places; the metadata of each record batch say how many of its rows belong to which fold. Behind the rows of a batch stands one
more for each of its folds: bits that say which ranges of places hold any, so that a key whose range is empty is not searched
for. Places of keys are spread evenly, and few ranges are occupied; those of pairs lie together by value (`places`).
"""

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.features.places import places_of
from ticketintel_pipelines.features.rows import Integers
from ticketintel_pipelines.features.states import States

SCHEMA = pa.schema([("place", pa.int64()), ("words", pa.large_list(pa.int64()))])

RANGES_PER_ROW = 8
"""At least, with a bit each: most are empty where places are spread evenly."""

MERGED_ROWS, MERGED_WORDS = 1 << 19, 1 << 23
"""About what of a fold is merged at once, in memory."""
SAMPLED_OF_A_RANGE = 64
"""So many places of each are looked at to find out where it ends."""


@dataclass(frozen=True)
class Block:
    """States of one fold in order of their places: the words of row i are `words[bounds[i]:bounds[i + 1]]`.

    `occupied` has a bit for each of so many equal ranges from the first place on, 1 where it holds places; it is empty where
    nobody looked.
    """

    places: Integers
    bounds: Integers
    words: Integers
    occupied: Integers = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, states: States) -> "Block":
        from ticketintel_pipelines.features.kernels import gather

        places = places_of(states.keys)
        order = np.argsort(places)
        return cls(places[order], *gather(states.starts, states.words, states.lengths, order))


def write_segment(path: Path, batches: Iterable[Mapping[str, Block]]) -> int:
    """Write blocks by fold into a new file, those of one fold in order; its bytes, all of them on disk."""
    with path.open("wb") as stream:
        with pa.ipc.new_file(stream, SCHEMA) as writer:
            for blocks in batches:
                rows = [[fold, len(block.places)] for fold, block in blocks.items()]
                writer.write_batch(_batch(list(blocks.values())), custom_metadata={"folds": json.dumps(rows)})
        stream.flush()
        os.fsync(stream.fileno())
        return stream.tell()


def _batch(blocks: Sequence[Block]) -> pa.RecordBatch:
    """The rows of some blocks, whose words are theirs alone, and behind them a row for each of what is occupied."""
    ends = np.cumsum([0, *(len(block.words) for block in blocks), *(len(block.occupied) for block in blocks)])
    bounds = [block.bounds[:-1] - block.bounds[0] + end for block, end in zip(blocks, ends, strict=False)]
    words = np.concatenate([*(block.words for block in blocks), *(block.occupied for block in blocks)])
    lists = pa.LargeListArray.from_arrays(np.concatenate([*bounds, ends[len(blocks) :]]), words)
    return pa.record_batch(
        [np.concatenate([*(block.places for block in blocks), np.zeros(len(blocks), np.int64)]), lists], schema=SCHEMA
    )


class Segment:
    """A segment's file, mapped to memory. It can be read after the file is removed."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as stream:
            self._mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self.blocks: dict[str, list[Block]] = {}
        """Of each fold, in order of their places."""
        reader = pa.ipc.open_file(pa.py_buffer(self._mapped))
        for number in range(reader.num_record_batches):
            batch, metadata = reader.get_batch_with_custom_metadata(number)
            places, lists = (batch.column(name) for name in SCHEMA.names)
            self._add(json.loads(metadata[b"folds"]), places.to_numpy(), lists.offsets.to_numpy(), lists.values.to_numpy())

    def _add(self, folds: list[tuple[str, int]], places: Integers, bounds: Integers, words: Integers) -> None:
        first, behind = 0, len(places) - len(folds)
        for fold, rows in folds:
            occupied = words[bounds[behind] : bounds[behind + 1]]
            block = Block(places[first : first + rows], bounds[first : first + rows + 1], words, occupied)
            self.blocks.setdefault(fold, []).append(block)
            first += rows
            behind += 1

    def let_go(self) -> None:
        """Its pages no longer count as memory of this process; they are mapped again when they are looked at."""
        self._mapped.madvise(mmap.MADV_DONTNEED)


def find_states(segments: Sequence[Segment], fold: str, keys: Integers) -> States:
    """The states of keys, in their order: each from the last segment that has one."""
    from ticketintel_pipelines.features.segment_kernels import copy_rows, find_rows

    places = places_of(keys)
    askers = np.argsort(places)
    wanted, rows = places[askers], np.empty(len(keys), np.int64)
    lengths = np.zeros(len(keys), np.int64)
    found: list[tuple[Block, Integers, Integers]] = []
    left = len(keys)
    for block in (block for segment in reversed(segments) for block in segment.blocks.get(fold, ())):
        before, left = left, find_rows(block.places, block.occupied, wanted, askers, left, rows)
        if left < before:
            found.append((block, rows[left:before], askers[left:before]))
        if not left:
            break
    for block, there, asking in found:
        lengths[asking] = block.bounds[there + 1] - block.bounds[there]
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    words = np.empty(bounds[-1], np.int64)
    for block, there, asking in found:
        copy_rows(block.bounds, block.words, there, bounds[asking], words)
    return States(keys, bounds[:-1], lengths, words)


def merge(segments: Sequence[Segment]) -> Iterator[dict[str, Block]]:
    """The blocks of one segment in which each key has the state from the last of these segments that has one."""
    for fold in sorted(set().union(*(segment.blocks for segment in segments))):
        blocks = [block for segment in segments for block in segment.blocks.get(fold, [])]
        rows = sum(len(block.places) for block in blocks)
        words = sum(int(block.bounds[-1] - block.bounds[0]) for block in blocks)
        ranges = 1 + max(rows // MERGED_ROWS, words // MERGED_WORDS)
        # Places of pairs lie together by their values, of which there may be few: only the places themselves say where to cut.
        step = max(1, rows // (SAMPLED_OF_A_RANGE * ranges))
        sample = np.sort(np.concatenate([block.places[::step] for block in blocks]))
        edges = [sample[number * len(sample) // ranges] for number in range(1, ranges)]
        cuts = [[0, *np.searchsorted(block.places, edges).tolist(), len(block.places)] for block in blocks]
        for number in range(ranges):
            merged = _merged([(block, cut[number], cut[number + 1]) for block, cut in zip(blocks, cuts, strict=True)])
            if len(merged.places):
                yield {fold: merged}
            for segment in segments:
                segment.let_go()


def _merged(parts: Sequence[tuple[Block, int, int]]) -> Block:
    """One block of the rows from a first to a last one of some blocks, of equal places the last."""
    from ticketintel_pipelines.features.segment_kernels import copy_rows

    places = np.concatenate([block.places[first:last] for block, first, last in parts])
    # Each part is sorted, and equal places stay in order of the parts.
    order = np.argsort(places, kind="stable")
    places = places[order]
    kept = np.append(places[1:] != places[:-1], True)[: len(places)]
    order = order[kept]
    lengths = np.concatenate([np.diff(block.bounds[first : last + 1]) for block, first, last in parts])[order]
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    words = np.empty(bounds[-1], np.int64)
    ends = np.cumsum([0, *(last - first for _, first, last in parts)]).tolist()
    for (block, first, _), (begin, end) in zip(parts, pairwise(ends), strict=True):
        mine = np.flatnonzero((order >= begin) & (order < end))
        copy_rows(block.bounds, block.words, order[mine] - begin + first, bounds[mine], words)
    return Block(places[kept], bounds, words, _occupied(places[kept]))


def _occupied(places: Integers) -> Integers:
    from ticketintel_pipelines.features.segment_kernels import mark_ranges

    occupied = np.zeros(1 << (RANGES_PER_ROW * len(places) // 64).bit_length(), np.int64)
    mark_ranges(places, occupied)
    return occupied
