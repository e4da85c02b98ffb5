"""The states of folds in which a person can be found: a family's states go as a whole.

They are made again from the observations, which know the person no more, once the family's features are next worked out. That
costs one pass over the history, less than finding out what each word of a state was made of.
"""

import fcntl
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg

from ticketintel_pipelines.features.places import places_of
from ticketintel_pipelines.features.segments import Segment
from ticketintel_pipelines.retention.erasure_person import Person
from ticketintel_pipelines.retention.erasure_places import NOTHING, Found, hash_of_files

LISTING = "segments.json"


@dataclass(frozen=True)
class StatesPlace:
    """The states of one feature family. They are made again from the observations once features are next worked out."""

    folder: Path

    kind = "feature states"

    @property
    def name(self) -> str:
        return self.folder.name

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.arrow"))

    def look(self, connection: psycopg.Connection, person: Person) -> Found:
        keys = np.array(sorted(person.keys), np.int64)
        places = places_of(keys)
        rows = sum(_count(Segment(path), keys, places) for path in self._segments())
        return Found(rows, None, None, hash_of_files(self._segments(), self.folder)) if rows else NOTHING

    def erase(self, connection: psycopg.Connection, person: Person) -> str:
        with (self.folder / "lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            # The listing first: without it there are no states, whatever files are left.
            (self.folder / LISTING).unlink(missing_ok=True)
            for path in self._segments():
                path.unlink()
        return hash_of_files(self._segments(), self.folder)


def _count(segment: Segment, keys: np.ndarray, places: np.ndarray) -> int:
    """The states that belong to some keys, or that have one of them among their words.

    Pairs of these keys with values are not counted; who has any has a state that is.
    """
    found = 0
    for blocks in segment.blocks.values():
        for block in blocks:
            rows = np.isin(block.places, places)
            at = np.flatnonzero(np.isin(block.words[block.bounds[0] : block.bounds[-1]], keys)) + block.bounds[0]
            rows[np.searchsorted(block.bounds, at, side="right") - 1] = True
            found += int(rows.sum())
    return found
