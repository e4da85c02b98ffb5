"""Replacing daily partitions: written beside, moved in by one rename each, so that a reader never sees half of one."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psutil

from ticketintel_pipelines.lake.layout import DayRange, Lake


@contextmanager
def scratch_folder(lake: Lake) -> Iterator[Path]:
    """A folder on the lake's disk that is gone afterwards; those of killed processes are swept away by the next one."""
    lake.scratch.mkdir(parents=True, exist_ok=True)
    # The host stands in the name, since the number of a process says nothing about another machine on the same lake.
    own = f"{socket.gethostname()}."
    for left_behind in lake.scratch.glob(f"{own}*"):
        owner = left_behind.name.removeprefix(own).split(".")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left_behind, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{own}{os.getpid()}.", dir=lake.scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
