"""Retention of compute logs: what steps wrote to stdout and stderr, kept by Dagster as files, goes as debug logs do."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg

from ticketintel_pipelines.contract import RetentionClass
from ticketintel_pipelines.retention.room import Room
from ticketintel_pipelines.retention.traces import Due, Gone, Limits, record, unless_held

SUFFIXES = {".out", ".err", ".complete"}


@dataclass(frozen=True)
class LogFiles:
    """The logs in a folder and those below it, by the day on which they were written last."""

    folder: Path
    name: str = "compute logs"

    def due(self, connection: psycopg.Connection, room: Room, today: date) -> Due:
        found = [(day, path.stat().st_size) for path, day in self._old(room, today)]
        days = [day for day, _ in found]
        due = Due(len(found), sum(size for _, size in found), min(days, default=None), max(days, default=None))
        return unless_held(connection, room, today, due)

    def delete(self, connection: psycopg.Connection, room: Room, today: date, limits: Limits) -> Gone:
        """The record follows the files: killed in between, files are gone that the ledger does not tell of."""
        days: list[date] = []
        size, all_gone = 0, True
        for path, day in list(self._old(room, today)):
            if limits.reached(len(days)):
                all_gone = False
                break
            size += path.stat().st_size
            path.unlink()
            days.append(day)
            self._remove_empty(path.parent)
        if days:
            record(connection, room, self.name, Due(len(days), size, min(days), max(days)))
        return Gone(len(days), size, all_gone)

    def _old(self, room: Room, today: date) -> Iterator[tuple[Path, date]]:
        kept_from = room.policy.of(RetentionClass.DEBUG_LOG).kept_from(today)
        assert kept_from is not None
        for path in sorted(self.folder.rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                day = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
                if day < kept_from:
                    yield path, day

    def _remove_empty(self, folder: Path) -> None:
        # Not empty: another log is in it, maybe since a moment.
        with suppress(OSError):
            while folder != self.folder:
                folder.rmdir()
                folder = folder.parent
