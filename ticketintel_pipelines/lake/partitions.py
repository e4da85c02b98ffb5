"""Replacing daily partitions: written beside, moved in by one rename each, so that a reader never sees half of one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from ticketintel_pipelines.lake.layout import PART, DayRange, Lake


@contextmanager
def scratch_folder(lake: Lake) -> Iterator[Path]:
    """A folder on the lake's disk that is gone afterwards, whatever happens in between."""
    lake.scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=lake.scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def staged_parts(folder: Path) -> dict[date, Path]:
    """The parts that DuckDB's `PARTITION_BY (day)` wrote under a folder, by day."""
    parts: dict[date, Path] = {}
    for partition in sorted(folder.glob("day=*")):
        (part,) = partition.glob("*.parquet")
        parts[date.fromisoformat(partition.name.removeprefix("day="))] = part
    return parts


def swap_in(lake: Lake, stage: str, table: str, days: DayRange, parts: dict[date, Path]) -> None:
    """Make `parts` the partitions of a range of days; a day of the range without a part has no rows from now on."""
    for day in days.days:
        target = lake.part(stage, table, day)
        if day in parts:
            move_into_place(parts[day], target)
        elif target.exists():
            target.unlink()
            _sync(target.parent)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a finished file over its target, durable against power loss once this returns."""
    _make_folder(target.parent)
    _sync(source)
    source.replace(target)
    _sync(target.parent)


def _make_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        # A new folder is itself an entry of its parent.
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["PART", "move_into_place", "scratch_folder", "staged_parts", "swap_in"]
