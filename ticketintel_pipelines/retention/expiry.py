"""Deleting the months of the archive that have expired; the ledger keeps what their manifests said."""

import json
import os
import shutil
from contextlib import suppress
from datetime import date
from pathlib import Path

import psycopg

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.retention.held import holds_in_archive, require_none_held
from ticketintel_pipelines.retention.holds import holds_in_force, holds_on
from ticketintel_pipelines.retention.index import archived_month, archived_months, set_state
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.manifest import COPIES, DamagedArchiveError, month_folder, read_manifest
from ticketintel_pipelines.retention.months import label, last_day_of
from ticketintel_pipelines.retention.outcome import NotDoneError, Result
from ticketintel_pipelines.retention.room import Room


def delete_archived_month(
    connection: psycopg.Connection, room: Room, table: Table, month: date, today: date
) -> tuple[int, int]:
    """Delete an expired month of the archive; the ledger keeps its manifest. Returns the rows and bytes that went.

    That it is to go is noted before its file goes, so that a run that was killed in between is told from a loss.

    Raises:
        NotDoneError: a legal hold is on it, or Postgres has its rows as well.
    """
    folder = month_folder(room.archive, room.domain.name, table.name, month)
    with room.progress.step(f"expire {table.name} {label(month)}"), connection.transaction():
        connection.execute("LOCK TABLE ops.legal_holds IN SHARE MODE")
        known = archived_month(connection, room, table.name, month)
        if known is None or not known.holds_alone:
            raise NotDoneError(Result.CHANGED, "its rows are not in the archive alone")
        if known.deleting_since is None:
            possible = holds_on(holds_in_force(connection, room, today), table, month, last_day_of(month))
            require_none_held(holds_in_archive(room, table, known, possible))
            set_state(connection, room, table.name, month, "deleting_since = now()")
    with room.progress.step(f"remove {table.name} {label(month)}"):
        for file in folder.glob(COPIES):
            file.unlink()
        _sync(folder)
    with room.progress.step(f"record {table.name} {label(month)}"), connection.transaction():
        set_state(connection, room, table.name, month, "deleted_at = now(), deleting_since = NULL")
        entry = Entry(
            "archive_deleted",
            table.name,
            month,
            last_day_of(month),
            known.rows,
            known.bytes,
            known.content_hash,
            known.file_hash,
            detail=_tombstone(folder),
        )
        append(connection, room, entry)
    shutil.rmtree(folder, ignore_errors=True)
    return known.rows, known.bytes


def sweep(connection: psycopg.Connection, room: Room) -> None:
    """Take away what killed runs left: folders of deleted months, and earlier copies of months that were archived anew."""
    for one in archived_months(connection, room):
        folder = month_folder(room.archive, room.domain.name, one.table, one.month)
        if one.deleted_at is not None:
            shutil.rmtree(folder, ignore_errors=True)
        elif len(copies := list(folder.glob(COPIES))) > 1:
            with suppress(DamagedArchiveError):
                manifest = read_manifest(folder)
                if manifest is not None and manifest.hash == one.manifest_hash:
                    for copy in copies:
                        if copy.name != manifest.file:
                            copy.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    if not folder.is_dir():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tombstone(folder: Path) -> dict[str, object]:
    """What the ledger keeps of a month whose file goes."""
    try:
        manifest = read_manifest(folder)
    except DamagedArchiveError as error:
        return {"manifest": None, "because": str(error)}
    return {"manifest": None if manifest is None else json.loads(manifest.encoded)}
