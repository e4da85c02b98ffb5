"""Purging the lake: expired files leave their place, the ledger says so, then they are removed.

Files are renamed into a folder beside the lake's stages while a transaction is open. It freezes their days, forgets the
fragments and writes the ledger; once it committed, the folder is removed. A run that is killed leaves that folder behind.
The next one looks into the ledger: what was committed is removed, anything else goes back to where it lay.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.retention.index import retain_from
from ticketintel_pipelines.retention.lake_plan import LakeAct, LakeFile, LakePlan, acts_on, plan_lake
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.months import label
from ticketintel_pipelines.retention.outcome import IN_USE, NotDoneError, Outcome, Report, Result, planned
from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS, Bounds, Room

ACT = "lake_purged"
UNLISTED_SECONDS = 24 * 3600
"""A raw file that nothing lists may belong to an import that is under way; none takes a day."""


def purge_lake(
    room: Room,
    lake: Lake,
    plan: LakePlan,
    *,
    bounds: Bounds = DEFAULT_BOUNDS,
    dry_run: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> Report[LakeAct]:
    """Do what a plan says; in a dry run, which is the default, only say so.

    Raises:
        BusyError: another run has the domain.
        BadInputError: the plan was made for another domain or under another policy.
    """
    if (plan.domain, plan.policy_version) != (room.domain.name, room.policy.version) or lake.domain != plan.domain:
        raise BadInputError("the plan was made for another domain or under another policy; make it anew")
    if dry_run:
        return planned(plan)
    with room.alone(bounds) as connection:
        if settle(connection, room, lake):
            plan = plan_lake(room, lake, plan.shelves, plan.today)
        deadline = clock() + bounds.most_minutes * 60
        done: list[Outcome[LakeAct]] = []
        for act in plan.acts:
            rows = sum(outcome.rows for outcome in done)
            if (bound := bounds.reached(rows, lambda: clock() >= deadline)) is not None:
                done.append(Outcome(act, Result.BOUNDED, 0, 0, bound))
            else:
                done.append(_outcome(connection, room, lake, plan, act))
        return Report(plan, tuple(done), dry_run=False)


def _outcome(connection: psycopg.Connection, room: Room, lake: Lake, plan: LakePlan, act: LakeAct) -> Outcome[LakeAct]:
    if act.stopped is not None:
        return _held(connection, room, act, act.stopped)
    try:
        rows, size = _purge(connection, room, lake, plan, act)
    except NotDoneError as error:
        if error.result is Result.HELD:
            return _held(connection, room, replace(act, holds=error.holds), str(error))
        return Outcome(act, error.result, 0, 0, str(error))
    except IN_USE as error:
        return Outcome(act, Result.LOCKED, 0, 0, " ".join(str(error).split()))
    return Outcome(act, Result.DONE, rows, size)


def _held(connection: psycopg.Connection, room: Room, act: LakeAct, words: str) -> Outcome[LakeAct]:
    detail = {"kind": "purge lake", "stage": act.shelf.stage, "holds": list(act.holds)}
    name = act.shelf.frozen_as
    append(connection, room, Entry("held", name, act.first_day, act.last_day, act.rows, result="held", detail=detail))
    return Outcome(act, Result.HELD, 0, 0, words)


def _purge(connection: psycopg.Connection, room: Room, lake: Lake, plan: LakePlan, act: LakeAct) -> tuple[int, int]:
    """Purge what of an act is due now, too: a hold may have come since it was planned, or a run may work on the table."""
    purge = uuid4().hex
    folder = _leaving(lake) / purge
    what = f"{act.shelf.words} {label(act.month)}"
    try:
        with room.progress.step(f"purge lake {what}"), connection.transaction():
            connection.execute("LOCK TABLE ops.legal_holds IN SHARE MODE")
            _keep_writers_out(connection, act)
            now = acts_on(connection, room, lake, act.shelf, plan.today, act.month)
            due = {file.path: file for one in now if one.stopped is None for file in one.files}
            files = [due[file.path] for file in act.files if file.path in due and _may_go(file)]
            if not files:
                planned_paths = {file.path for file in act.files}
                for one in now:
                    if one.stopped is not None and not planned_paths.isdisjoint(file.path for file in one.files):
                        raise NotDoneError(Result.HELD, one.stopped, one.holds)
                return 0, 0
            _move_out(lake, folder, [file.path for file in files])
            rows, size = sum(file.rows for file in files), sum(file.bytes for file in files)
            with room.progress.step(f"record {what}"):
                _record(connection, room, lake, act, files, purge)
    except BaseException:
        _put_back(lake, folder)
        raise
    with room.progress.step(f"remove {what}"):
        shutil.rmtree(folder, ignore_errors=True)
    return rows, size


def _record(
    connection: psycopg.Connection, room: Room, lake: Lake, act: LakeAct, files: Sequence[LakeFile], purge: str
) -> None:
    first, last = min(file.day for file in files), max(file.day for file in files)
    if act.shelf.is_raw:
        names = [str(file.path.relative_to(lake.root)) for file in files if file.is_listed]
        # The file that they came from stays known, so that it is not taken in once more.
        connection.execute(
            "DELETE FROM ops.raw_fragments WHERE domain = %s AND table_name = %s AND path = ANY (%s)",
            (room.domain.name, act.shelf.name, names),
        )
    retain_from(connection, room, act.shelf.frozen_as, last + timedelta(days=1))
    detail = {"stage": act.shelf.stage, "name": act.shelf.name, "purge": purge, "files": len(files)}
    rows, size = sum(file.rows for file in files), sum(file.bytes for file in files)
    append(connection, room, Entry(ACT, act.shelf.frozen_as, first, last, rows, size, detail=detail))


def _may_go(file: LakeFile) -> bool:
    if file.is_listed:
        return True
    try:
        return time.time() - file.path.stat().st_mtime > UNLISTED_SECONDS
    except FileNotFoundError:
        return False


def _keep_writers_out(connection: psycopg.Connection, act: LakeAct) -> None:
    for name in act.shelf.writers:
        if connection.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", (name,)).fetchone() != (True,):
            raise NotDoneError(Result.LOCKED, f"a run works on {act.shelf.words}; the next purge tries again")


def settle(connection: psycopg.Connection, room: Room, lake: Lake) -> bool:
    """Finish what killed runs left: files whose purge was committed are removed, the others go back; whether any did."""
    went_back = False
    for folder in sorted(_leaving(lake).glob("*")):
        committed = connection.execute(
            "SELECT 1 FROM ops.retention_ledger WHERE domain = %s AND act = %s AND detail @> %s::jsonb",
            (room.domain.name, ACT, json.dumps({"purge": folder.name})),
        ).fetchone()
        if committed is None:
            _put_back(lake, folder)
            went_back = True
        shutil.rmtree(folder, ignore_errors=True)
    return went_back


def _leaving(lake: Lake) -> Path:
    """Where files are on their way out; on the lake's own disk, and no stage of it."""
    return lake.root / ".leaving" / lake.domain


def _move_out(lake: Lake, folder: Path, paths: Sequence[Path]) -> None:
    for path in paths:
        target = folder / path.relative_to(lake.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            path.replace(target)
    parents = {path.parent for path in paths}
    _sync(parents)
    for parent in parents:
        # Not empty where other files stay.
        with suppress(OSError):
            parent.rmdir()


def _put_back(lake: Lake, folder: Path) -> None:
    for path in sorted(folder.rglob("*.parquet")):
        target = lake.root / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        # What was written there since is newer.
        if not target.exists():
            path.replace(target)
            _sync([target.parent])
    shutil.rmtree(folder, ignore_errors=True)


def _sync(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
