"""Whether the archive is what was put there, and the ledger what was written: found out from the bytes, not from the index."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ticketintel_pipelines.retention.figures import figures_in_parquet
from ticketintel_pipelines.retention.index import Archived, archived_months
from ticketintel_pipelines.retention.ledger import broken_rows
from ticketintel_pipelines.retention.manifest import (
    MANIFEST,
    DamagedArchiveError,
    Manifest,
    month_folder,
    read_manifest,
    require_intact,
)
from ticketintel_pipelines.retention.months import label
from ticketintel_pipelines.retention.room import Room


@dataclass(frozen=True)
class Verified:
    """What was looked at, and each thing that is not as it should be, in one sentence."""

    months: int
    rows: int
    bytes: int
    faults: tuple[str, ...]


def verify(room: Room) -> Verified:
    """Read every month of the archive again and hold file, manifest, index and ledger against each other."""
    with room.session() as connection:
        every = archived_months(connection, room)
        written = _archived_by_ledger(connection, room)
        faults = [f"the ledger was changed at row {number}" for number in broken_rows(connection)]
    months = [one for one in every if one.deleted_at is None and one.deleting_since is None]
    for one in months:
        with room.progress.step(f"verify {one.table} {label(one.month)}"):
            faults += _faults(room, one, written.get((one.table, label(one.month))))
    indexed = {(one.table, label(one.month)) for one in every}
    faults += [
        f"{table} {month}: the ledger tells of it, and it is not in the index"
        for table, month in written
        if (table, month) not in indexed
    ]
    # Of a month that has expired, the manifest goes last.
    known = {room.archive / one.path for one in every if one.deleted_at is None}
    known |= {(room.archive / one.path).with_name(MANIFEST) for one in every}
    faults += _unknown(room, known)
    return Verified(len(months), sum(one.rows for one in months), sum(one.bytes for one in months), tuple(faults))


def _archived_by_ledger(connection: psycopg.Connection, room: Room) -> dict[tuple[str, str], tuple[str, str]]:
    """The hashes of file and manifest that the ledger names last, by table and month. An erasure rewrites a file, too."""
    rows = connection.execute(
        "SELECT DISTINCT ON (table_name, first_day) table_name, to_char(first_day, 'YYYY-MM'), file_hash, "
        "detail ->> 'manifest_hash' FROM ops.retention_ledger WHERE domain = %s AND act IN ('archived', 'erased') "
        "AND detail ? 'manifest_hash' ORDER BY table_name, first_day, sequence DESC",
        (room.domain.name,),
    ).fetchall()
    return {(table, month): (file_hash, manifest_hash) for table, month, file_hash, manifest_hash in rows}


def _faults(room: Room, one: Archived, written: tuple[str, str] | None) -> Iterator[str]:
    what = f"{one.table} {label(one.month)}"
    folder = month_folder(room.archive, room.domain.name, one.table, one.month)
    try:
        manifest = read_manifest(folder)
        if manifest is None:
            raise DamagedArchiveError(f"{folder / MANIFEST} is missing")
        file = require_intact(folder, manifest)
    except DamagedArchiveError as error:
        yield f"{what}: {error}"
        return
    if manifest.hash != one.manifest_hash:
        yield f"{what}: its manifest is not the one that was entered into the index"
    if written != (manifest.file_hash, manifest.hash):
        yield f"{what}: its file or manifest is not the one that the ledger tells of"
    if (one.figures, one.file_hash, room.archive / one.path) != (manifest.figures, manifest.file_hash, file):
        yield f"{what}: the index says otherwise than its manifest"
    yield from _read(room, what, manifest, file)


def _read(room: Room, what: str, manifest: Manifest, file: Path) -> Iterator[str]:
    with room.engine() as engine:
        found = figures_in_parquet(engine, [file], manifest.typed_columns)
    if found != manifest.figures:
        yield (
            f"{what}: its file has {found.rows:,} rows with the hash {found.content_hash}, its manifest says "
            f"{manifest.rows:,} with {manifest.content_hash}"
        )


def _unknown(room: Room, known: Collection[Path]) -> Iterator[str]:
    """Files that the index does not know; those of a run that was killed are taken up, or replaced, by the next one."""
    for file in sorted((room.archive / room.domain.name).glob("*/month=*/*")):
        if file not in known:
            yield f"{file} is in the archive, and the index does not know it"
