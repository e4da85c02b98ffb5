"""Archiving a month: export, read back, compare, keep, enter into the index. Postgres keeps the rows until they are dropped.

Killed between any two steps, a month is either not archived yet, and archived again, or its manifest stands and only has to
be entered; nothing of Postgres is touched here.
"""

from datetime import UTC, date, datetime
from pathlib import Path

import psycopg

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.lake.partitions import move_into_place, scratch_folder
from ticketintel_pipelines.retention.export import export
from ticketintel_pipelines.retention.figures import Figures, figures_in_parquet, figures_in_postgres
from ticketintel_pipelines.retention.held import holds_now, require_none_held
from ticketintel_pipelines.retention.index import Content, archived_month, content, enter
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.manifest import (
    COPIES,
    MANIFEST,
    DamagedArchiveError,
    Manifest,
    code_version,
    columns_of,
    file_hash,
    month_folder,
    read_manifest,
    require_intact,
)
from ticketintel_pipelines.retention.months import label
from ticketintel_pipelines.retention.outcome import NotDoneError, Result
from ticketintel_pipelines.retention.room import Room

NAME_DIGITS = 16


def archive_month(
    connection: psycopg.Connection, room: Room, table: Table, month: date, partition: str, today: date
) -> Manifest:
    """Put a month of a table into the archive as it is now; an earlier copy of it is replaced.

    Raises:
        NotDoneError: a legal hold is on it, rows of it are in the archive alone, or what was read back differs.
    """
    known = archived_month(connection, room, table.name, month)
    if known is not None and known.holds_alone:
        raise NotDoneError(Result.CHANGED, "rows came after the month was dropped; restore it, then run again")
    folder = month_folder(room.archive, room.domain.name, table.name, month)
    with scratch_folder(room.files) as scratch:
        manifest = _copy(connection, room, table, month, partition, folder, scratch)
    try:
        _enter(connection, room, table, month, partition, today, manifest)
    except NotDoneError:
        if known is None or known.deleted_at is not None:
            # What is held is not to be archived: nothing is left of the copy.
            (folder / MANIFEST).unlink(missing_ok=True)
            (folder / manifest.file).unlink(missing_ok=True)
        raise
    _sweep(folder, manifest)
    return manifest


def _copy(
    connection: psycopg.Connection, room: Room, table: Table, month: date, partition: str, folder: Path, scratch: Path
) -> Manifest:
    """The manifest of a copy of the month, which is made unless there is one already."""
    what = f"{table.name} {label(month)}"
    relation = (room.domain.name, partition)
    file = scratch / "rows.parquet"
    with connection.transaction():
        # One snapshot for the rows and for what they are compared with; nobody has to wait for it.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = content(connection, room, table, partition)
        hot = figures_in_postgres(connection, relation, table.columns)
        standing = _standing(folder, table, hot)
        if standing is not None:
            return standing
        with room.progress.step(f"export {what}"):
            export(connection, relation, table.columns, file)
    with room.progress.step(f"read back {what}"), room.engine() as engine:
        read = figures_in_parquet(engine, [file], table.columns)
    if read != hot:
        raise NotDoneError(
            Result.CHANGED,
            f"{hot.rows:,} rows with the hash {hot.content_hash} were exported, but {read.rows:,} with "
            f"{read.content_hash} were read back",
        )
    manifest = _describe(room, table, month, partition, file, found, read)
    with room.progress.step(f"keep {what}"):
        _keep(folder, manifest, file, scratch)
    return manifest


def _enter(
    connection: psycopg.Connection, room: Room, table: Table, month: date, partition: str, today: date, manifest: Manifest
) -> None:
    with room.progress.step(f"enter {table.name} {label(month)}"), connection.transaction():
        require_none_held(holds_now(connection, room, table, month, partition, today))
        enter(connection, room, manifest)
        entry = Entry(
            "archived",
            table.name,
            month,
            date.fromisoformat(manifest.last_day),
            manifest.rows,
            manifest.file_bytes,
            manifest.content_hash,
            manifest.file_hash,
            detail={"manifest_hash": manifest.hash, "source": manifest.source, "code_version": manifest.code_version},
        )
        append(connection, room, entry)


def _standing(folder: Path, table: Table, hot: Figures) -> Manifest | None:
    """The manifest that stands already, if it is one of just these rows and its file is sound."""
    try:
        manifest = read_manifest(folder)
        if manifest is None or manifest.figures != hot or manifest.columns != columns_of(table):
            return None
        require_intact(folder, manifest)
    except DamagedArchiveError:
        # The rows are all in Postgres: the copy is made anew.
        return None
    return manifest


def _describe(room: Room, table: Table, month: date, partition: str, file: Path, found: Content, read: Figures) -> Manifest:
    hashed = file_hash(file)
    return Manifest(
        domain=room.domain.name,
        table=table.name,
        month=label(month),
        # Named by its bytes: a file of the same name is the same file, and a new one never overwrites what is read just now.
        file=f"rows-{hashed[:NAME_DIGITS]}.parquet",
        file_hash=hashed,
        file_bytes=file.stat().st_size,
        rows=read.rows,
        content_hash=read.content_hash,
        first_day=str(found.first_day),
        last_day=str(found.last_day),
        columns=columns_of(table),
        source=f"{room.domain.name}.{partition}",
        policy_version=room.policy.version,
        code_version=code_version(),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _keep(folder: Path, manifest: Manifest, file: Path, scratch: Path) -> None:
    """The file first: a manifest stands only beside what it tells of."""
    move_into_place(file, folder / manifest.file)
    written = scratch / MANIFEST
    written.write_bytes(manifest.encoded)
    move_into_place(written, folder / MANIFEST)


def _sweep(folder: Path, manifest: Manifest) -> None:
    """Take away the files of earlier copies."""
    for other in folder.glob(COPIES):
        if other.name != manifest.file:
            other.unlink(missing_ok=True)
