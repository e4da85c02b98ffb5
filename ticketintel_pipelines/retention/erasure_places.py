"""What a place is in which a person can be found, and the lake as one.

A place can be looked at, which changes nothing, and erased, which can be done again after it was broken off.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import psycopg
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Column
from ticketintel_pipelines.lake.partitions import move_into_place, scratch_folder
from ticketintel_pipelines.retention.erasure_person import Person
from ticketintel_pipelines.retention.erasure_rows import count_in, erased, write_like
from ticketintel_pipelines.retention.erasure_search import DERIVED_STAGE, Ground
from ticketintel_pipelines.retention.manifest import file_hash
from ticketintel_pipelines.warehouse.feature_days import UNFINISHED


@dataclass(frozen=True)
class Found:
    """What of the person a place holds: rows, on which days, and a hash of what they stand in."""

    rows: int
    first_day: date | None
    last_day: date | None
    hash: str


NOTHING = Found(0, None, None, "")


class Place(Protocol):
    """One table in one kind of store."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    def look(self, connection: psycopg.Connection, person: Person) -> Found:
        """What there is of the person."""

    def erase(self, connection: psycopg.Connection, person: Person) -> str:
        """Take it away; a hash of what it stood in as it is now."""


def keyed_hash(key: bytes, rows: Iterable[str]) -> str:
    """A keyed hash of rows: without the key nobody can try out what they were."""
    digest = hashlib.blake2b(key=key, digest_size=32)
    for row in sorted(rows):
        digest.update(f"{row}\n".encode())
    return digest.hexdigest()


def hash_of_files(files: Sequence[Path], root: Path) -> str:
    """SHA-256 over the names and bytes of files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(root)} {file_hash(file)}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class LakePlace:
    """The files of a table in a stage of the lake, one or more a day."""

    ground: Ground
    stage: str
    table: str
    columns: Sequence[Column]

    @property
    def kind(self) -> str:
        return f"lake {self.stage}"

    @property
    def name(self) -> str:
        return self.table

    def _counts(self, person: Person) -> dict[Path, int]:
        files = sorted(self.ground.lake.table(self.stage, self.table).glob("day=*/*.parquet"))
        return {file: count for file in files if (count := count_in(file, self.columns, person))}

    def look(self, connection: psycopg.Connection, person: Person) -> Found:
        counts = self._counts(person)
        if not counts:
            return NOTHING
        days = [_day_of(file) for file in counts]
        return Found(sum(counts.values()), min(days), max(days), hash_of_files(list(counts), self.ground.lake.root))

    def erase(self, connection: psycopg.Connection, person: Person) -> str:
        counts = self._counts(person)
        if self.stage == DERIVED_STAGE:
            self._unfinish(connection, sorted({_day_of(file) for file in counts}))
        with scratch_folder(self.ground.lake) as scratch:
            for file in counts:
                rows, _ = erased(pq.ParquetFile(file).read(), self.columns, person)
                write_like(rows, scratch / file.name, file)
                move_into_place(scratch / file.name, file)
        return hash_of_files(list(counts), self.ground.lake.root)

    def _unfinish(self, connection: psycopg.Connection, days: Sequence[date]) -> None:
        """Have the days worked out again: what is left then follows from what the person's rows are now."""
        connection.execute(
            "UPDATE ops.feature_days SET inputs_hash = %(unfinished)s WHERE domain = %(domain)s AND table_name = %(table)s "
            "AND day = ANY (%(days)s) AND day >= coalesce("
            "(SELECT max(first_day) FROM ops.retained_from WHERE domain = %(domain)s), '-infinity')",
            {"unfinished": UNFINISHED, "domain": self.ground.lake.domain, "table": self.table, "days": list(days)},
        )


def _day_of(file: Path) -> date:
    return date.fromisoformat(file.parent.name.removeprefix("day="))
