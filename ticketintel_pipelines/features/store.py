"""The states of folds between nights: of every key the newest, and those of the last weeks by day, in one folder of segments.

A night adds one segment with the keys that it touched and looks for those in the segments there are, newest first, so that
what it costs does not grow with the history. Segments stay as they are while one of the kept days needs them. Older ones are
merged with their neighbours once together they are `GROWTH` times as large as the largest of them: their number, and how often
a state is written again, grow with the logarithm of the history.

A *checkpoint* is a day at whose end the state of every key can be read; from it the following days can be worked out again.
Segments are never changed. Which of them count says one small file that is replaced as a whole, after everything it names is
on disk: a process that dies leaves what was committed last, and files that the next commit removes. Everything in here can be
made anew from the observations in the lake, as far back as retention has left them.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from ticketintel_pipelines.features.segments import Block, Segment, find_states, merge, write_segment
from ticketintel_pipelines.features.states import ReadStates, States, no_states

KEPT_DAYS = 35
"""Rows that come later than this have their features worked out from the beginning again."""

LAYOUT = 2
"""Of states in segments. Those of another one are not read: they are made anew from the observations that are held."""

GROWTH = 8
"""More would merge less often, and leave more segments to look into."""


@dataclass(frozen=True)
class Entry:
    """A segment that counts: states up to the end of a day, an ordinal here, that changed since the segment before."""

    number: int
    day: int
    bytes: int

    @property
    def name(self) -> str:
        return f"{self.number:08d}.arrow"


@dataclass(frozen=True)
class Contents:
    """What a store holds: its checkpoints as ordinals, and segments in order of their days."""

    layout: int = LAYOUT
    following: int = 0
    """The number of the next segment: no name is used twice."""
    checkpoints: tuple[int, ...] = ()
    segments: tuple[Entry, ...] = ()

    def until(self, day: int) -> "Contents":
        """Without what was stored after a day."""
        checkpoints = tuple(checkpoint for checkpoint in self.checkpoints if checkpoint <= day)
        return replace(self, checkpoints=checkpoints, segments=tuple(entry for entry in self.segments if entry.day <= day))


@dataclass(frozen=True)
class StateStore:
    """The states of one family's folds, in a folder. What a call has committed is on disk once it returns."""

    path: Path

    def checkpoint_before(self, day: date) -> date | None:
        """The last checkpoint before a day; None where its states have to be made from the beginning."""
        earlier = [checkpoint for checkpoint in self._contents().checkpoints if checkpoint < day.toordinal()]
        return date.fromordinal(max(earlier)) if earlier else None

    def reader(self, checkpoint: date | None) -> ReadStates:
        """The states of keys as they were at a checkpoint; none of any key without one.

        It goes on reading what it was made for, whatever is committed later.

        Raises:
            ValueError: there is no such checkpoint.
        """
        if checkpoint is None:
            return no_states
        with self._locked(fcntl.LOCK_SH):
            contents = self._contents().until(checkpoint.toordinal())
            if checkpoint.toordinal() not in contents.checkpoints:
                raise ValueError(f"{self.path.name}: {checkpoint} is no checkpoint")
            segments = [self._opened(entry) for entry in contents.segments]
        return lambda fold, keys: find_states(segments, fold, keys)

    def commit(self, day: date, states: Mapping[str, States], after: date | None) -> None:
        """Make `day` a checkpoint: these states by fold replace those that their keys had at the checkpoint `after`.

        Whatever was stored after that one is gone, and all there is where it is None: the states were made from the beginning.

        Raises:
            ValueError: `after` is no checkpoint before the day.
        """
        number = day.toordinal()
        with self._locked(fcntl.LOCK_EX):
            before = self._contents()
            if after is None:
                kept = Contents(following=before.following)
            elif after < day and after.toordinal() in before.checkpoints:
                kept = before.until(after.toordinal())
            else:
                raise ValueError(f"{self.path.name}: states of {day} cannot stand on {after}, which is no checkpoint before it")
            checkpoints = (*kept.checkpoints, number)
            kept_from = max((at for at in checkpoints if at <= number - KEPT_DAYS), default=None)
            if kept_from is not None:
                checkpoints = tuple(at for at in checkpoints if at >= kept_from)
            kept = replace(kept, checkpoints=checkpoints)
            blocks = {fold: Block.of(changed) for fold, changed in states.items() if len(changed.keys)}
            if blocks:
                kept = self._added(kept, kept.segments, number, [blocks], ())
            self._put(kept)
            old = [entry for entry in kept.segments if kept_from is not None and entry.day <= kept_from]
            if together := _worth_merging(old):
                first, last = len(old) - together, len(old)
                merged = merge([self._opened(entry) for entry in old[first:]])
                kept = self._added(kept, kept.segments[:first], old[-1].day, merged, kept.segments[last:])
                self._put(kept)
            self._remove_all_but(kept)

    def _added(
        self,
        contents: Contents,
        before: tuple[Entry, ...],
        day: int,
        batches: Iterable[Mapping[str, Block]],
        behind: tuple[Entry, ...],
    ) -> Contents:
        """The contents with a new segment, which is on disk, between those before and behind it."""
        entry = Entry(contents.following, day, 0)
        entry = replace(entry, bytes=write_segment(self.path / entry.name, batches))
        return replace(contents, following=entry.number + 1, segments=(*before, entry, *behind))

    def _opened(self, entry: Entry) -> Segment:
        return Segment(self.path / entry.name)

    @property
    def _listing(self) -> Path:
        return self.path / "segments.json"

    def _contents(self) -> Contents:
        try:
            found = json.loads(self._listing.read_text())
        except FileNotFoundError:
            return Contents()
        if found.get("layout") != LAYOUT:
            return Contents(following=found["following"])
        segments = tuple(Entry(**entry) for entry in found["segments"])
        return Contents(LAYOUT, found["following"], tuple(found["checkpoints"]), segments)

    def _put(self, contents: Contents) -> None:
        """From here on these are the contents."""
        beside = self._listing.with_suffix(".part")
        with beside.open("w") as stream:
            json.dump(asdict(contents), stream)
            stream.flush()
            os.fsync(stream.fileno())
        # The names of new segments first: the listing must never name one that is not there.
        _sync(self.path)
        beside.replace(self._listing)
        _sync(self.path)

    def _remove_all_but(self, contents: Contents) -> None:
        """Remove segments that no longer count, and those of processes that died. Who has one open can go on reading it."""
        names = {entry.name for entry in contents.segments}
        for path in self.path.glob("*.arrow"):
            if path.name not in names:
                path.unlink()

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        """One writer at a time, and nobody who opens segments meanwhile."""
        if not self.path.exists():
            self.path.mkdir(parents=True)
            _sync(self.path.parent)
        with (self.path / "lock").open("w") as stream:
            fcntl.flock(stream, kind)
            yield


def _worth_merging(segments: Sequence[Entry]) -> int:
    """How many of the newest segments are merged: the most that are together so much larger than the largest of them, or 0."""
    most = together = largest = 0
    for count, entry in enumerate(reversed(segments), 1):
        together += entry.bytes
        largest = max(largest, entry.bytes)
        if together >= GROWTH * largest:
            most = count
    return most


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
