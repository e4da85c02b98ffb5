"""Retention of trained models: the files of versions that nobody uses go once the predictions that they made have gone.

A version in use, the one before it and the challenger stay whatever their age. What a version was stays in
`ops.model_versions`; its files under models/ and its report under reports/ are deleted.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import psycopg

from ticketintel_pipelines.contract import RetentionClass
from ticketintel_pipelines.retention.room import Room
from ticketintel_pipelines.retention.traces import Due, Gone, Limits, record, unless_held

UNUSED = """
WITH named AS (
    SELECT model, version, lead(changed_at, 1, 'infinity') OVER (PARTITION BY model, alias ORDER BY sequence) AS until
    FROM ops.model_alias_changes
    WHERE domain = %(domain)s
)
SELECT v.model, v.version, v.registered_at
FROM ops.model_versions v
WHERE v.domain = %(domain)s
  AND v.registered_at < %(before)s
  AND NOT EXISTS (SELECT FROM ops.model_aliases a
                  WHERE a.domain = v.domain AND a.model = v.model AND a.version = v.version)
  AND NOT EXISTS (SELECT FROM named n
                  WHERE n.model = v.model AND n.version = v.version AND n.until >= %(before)s)
ORDER BY v.registered_at, v.model, v.version
"""


@dataclass(frozen=True)
class ModelFiles:
    """The folders of versions under some roots, `<root>/<domain>/<model>/<version>/`."""

    roots: Sequence[Path]
    name: str = "model versions"

    def due(self, connection: psycopg.Connection, room: Room, today: date) -> Due:
        found = list(self._unused(connection, room, today))
        days = [day for _, day in found]
        size = sum(_bytes(folder) for folder, _ in found)
        due = Due(len(found), size, min(days, default=None), max(days, default=None))
        return unless_held(connection, room, today, due)

    def delete(self, connection: psycopg.Connection, room: Room, today: date, limits: Limits) -> Gone:
        folders = size = 0
        while not limits.reached(folders):
            # Meanwhile no version is promoted and no hold is placed.
            with connection.transaction():
                connection.execute("LOCK TABLE ops.model_aliases, ops.legal_holds IN SHARE MODE")
                if self.due(connection, room, today).held:
                    return Gone(folders, size, all_gone=True)
                folder, day = next(self._unused(connection, room, today), (None, today))
                if folder is None:
                    return Gone(folders, size, all_gone=True)
                gone = Due(1, _bytes(folder), day, day)
                detail = {"model": folder.parent.name, "version": folder.name.removeprefix("."), "root": folder.parts[-4]}
                record(connection, room, self.name, gone, detail)
                # Set aside by one rename first: half a version would be taken for a damaged one.
                aside = _aside(folder)
                folder.rename(aside)
                shutil.rmtree(aside)
            folders, size = folders + 1, size + gone.bytes
        return Gone(folders, size, all_gone=False)

    def _unused(self, connection: psycopg.Connection, room: Room, today: date) -> Iterator[tuple[Path, date]]:
        before = room.policy.of(RetentionClass.PREDICTION).archived_from(today)
        if before is None:
            return
        parameters = {"domain": room.domain.name, "before": datetime.combine(before, time(), UTC)}
        rows = connection.execute(UNUSED, parameters).fetchall()
        for model, version, registered_at in rows:
            for root in self.roots:
                folder = root / room.domain.name / model / version
                # What was set aside is left by a run that was killed.
                for there in (folder, _aside(folder)):
                    if there.is_dir():
                        yield there, registered_at.astimezone(UTC).date()


def _aside(folder: Path) -> Path:
    return folder if folder.name.startswith(".") else folder.with_name(f".{folder.name}")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
