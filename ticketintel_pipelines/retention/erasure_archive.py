"""The archived months in which a person can be found: each is written anew, with a manifest of its own and a row in the ledger.

A month that was rewritten before the index knew of it, since the process died, is found by that and entered.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.lake.partitions import move_into_place, scratch_folder
from ticketintel_pipelines.retention.archive import NAME_DIGITS
from ticketintel_pipelines.retention.erasure_person import Person
from ticketintel_pipelines.retention.erasure_places import NOTHING, Found
from ticketintel_pipelines.retention.erasure_rows import count_in, erased, write_like
from ticketintel_pipelines.retention.erasure_search import Ground
from ticketintel_pipelines.retention.figures import figures_in_parquet
from ticketintel_pipelines.retention.index import set_state
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.manifest import MANIFEST, Manifest, file_hash, read_manifest


@dataclass(frozen=True)
class ArchivePlace:
    """The archived months of a table."""

    ground: Ground
    table: Table

    kind = "archive"

    @property
    def name(self) -> str:
        return self.table.name

    def _months(self) -> Iterator[tuple[Path, Manifest]]:
        root = self.ground.room.archive / self.ground.room.domain.name / self.table.name
        for folder in sorted(root.glob("month=*")):
            manifest = read_manifest(folder)
            if manifest is not None and (folder / manifest.file).exists():
                yield folder, manifest

    def _open(self, connection: psycopg.Connection, person: Person) -> dict[Path, tuple[Manifest, int]]:
        """The months with rows of the person, and those whose files were rewritten without the index knowing of it yet."""
        found = {}
        for folder, manifest in self._months():
            files = sorted(folder.glob("rows*.parquet"))
            count = sum(count_in(file, self.table.columns, person) for file in files)
            if count or self._indexed(connection, manifest) not in (None, manifest.file_hash):
                found[folder] = (manifest, count)
        return found

    def _indexed(self, connection: psycopg.Connection, manifest: Manifest) -> str | None:
        row = connection.execute(
            "SELECT file_hash FROM ops.archive_index WHERE domain = %s AND table_name = %s AND month = %s",
            (manifest.domain, manifest.table, f"{manifest.month}-01"),
        ).fetchone()
        return None if row is None else str(row[0])

    def look(self, connection: psycopg.Connection, person: Person) -> Found:
        found = self._open(connection, person)
        if not found:
            return NOTHING
        manifests = [manifest for manifest, _ in found.values()]
        return Found(
            sum(count for _, count in found.values()),
            min(date.fromisoformat(manifest.first_day) for manifest in manifests),
            max(date.fromisoformat(manifest.last_day) for manifest in manifests),
            _joined([f"{manifest.month} {manifest.file_hash}" for manifest in manifests]),
        )

    def erase(self, connection: psycopg.Connection, person: Person) -> str:
        after = []
        for folder, (manifest, _) in self._open(connection, person).items():
            new = self._rewritten(folder, manifest, person)
            self._enter(connection, folder, manifest, new)
            for other in folder.glob("rows*.parquet"):
                if other.name != new.file:
                    other.unlink()
            after.append(f"{new.month} {new.file_hash}")
        return _joined(after)

    def _rewritten(self, folder: Path, manifest: Manifest, person: Person) -> Manifest:
        """The month's file, and its manifest after it, without the person."""
        room, old = self.ground.room, folder / manifest.file
        rows, count = erased(pq.ParquetFile(old).read(), self.table.columns, person)
        if not count:
            return manifest
        with scratch_folder(room.files) as scratch:
            file = scratch / "rows.parquet"
            write_like(rows, file, old)
            with room.engine() as engine:
                figures = figures_in_parquet(engine, [file], manifest.typed_columns)
            hashed = file_hash(file)
            new = replace(
                manifest,
                file=f"rows-{hashed[:NAME_DIGITS]}.parquet",
                file_hash=hashed,
                file_bytes=file.stat().st_size,
                rows=figures.rows,
                content_hash=figures.content_hash,
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            move_into_place(file, folder / new.file)
            written = scratch / MANIFEST
            written.write_bytes(new.encoded)
            move_into_place(written, folder / MANIFEST)
        return new

    def _enter(self, connection: psycopg.Connection, folder: Path, old: Manifest, new: Manifest) -> None:
        room, month = self.ground.room, date.fromisoformat(f"{new.month}-01")
        before = self._indexed(connection, old)
        with connection.transaction():
            path = str((folder / new.file).relative_to(room.archive))
            set_state(
                connection,
                room,
                self.table.name,
                month,
                f"path = '{path}', bytes = {new.file_bytes}, content_hash = '{new.content_hash}', "
                f"file_hash = '{new.file_hash}', manifest_hash = '{new.hash}'",
            )
            # No row went: the figure of rows stays nought, so that the accounts of the table hold.
            entry = Entry(
                "erased",
                self.table.name,
                month,
                date.fromisoformat(new.last_day),
                bytes=new.file_bytes,
                content_hash=new.content_hash,
                file_hash=new.file_hash,
                detail={"manifest_hash": new.hash, "file_hash_before": before},
            )
            append(connection, room, entry)


def _joined(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
