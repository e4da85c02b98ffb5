"""Which files of a folder belong to which table of the raw contract."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.errors import BadInputError

FORMATS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
TRUTH_FOLDER = "truth"
"""Simulated worlds keep who did what beside the raw files; it is never read."""


@dataclass(frozen=True)
class RawFile:
    path: Path
    name: str
    """Path within the folder that was handed in: what people know the file by."""
    table: Table
    format: str

    def content_hash(self) -> str:
        """SHA-256 of the bytes.

        Raises:
            BadInputError: the file may not be read.
        """
        try:
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except PermissionError as error:
            raise BadInputError(f"{self.name} may not be read by this user; change its permissions") from error


def find_files(domain: Domain, folder: Path) -> list[RawFile]:
    """The raw files under a folder: parents' tables first, then by name.

    A file belongs to the table that its name contains as a word (`orders.csv`, `orders-2026-01.parquet`,
    `punks_sales.parquet`) or whose folder it lies in (`orders/2026-01-01.parquet`).

    Raises:
        BadInputError: the folder is missing, holds no such file, or holds a data file of no known table or of several.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder} is not a folder; name one that holds raw files of the {domain.name} contract")
    order = {table.name: place for place, table in enumerate(domain.raw_tables)}
    found: list[RawFile] = []
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if not path.is_file() or path.suffix.lower() not in FORMATS:
            continue
        if any(part.startswith(".") or part == TRUTH_FOLDER for part in inner.parts):
            continue
        table = _table_of(domain, inner)
        if table is None:
            raise BadInputError(
                f"{inner} belongs to no table of the {domain.name} contract ({', '.join(order)}); "
                "put the table's name into the file's or move it elsewhere"
            )
        found.append(RawFile(path, str(inner), table, FORMATS[path.suffix.lower()]))
    if not found:
        raise BadInputError(
            f"{folder} holds no raw file of the {domain.name} contract; "
            f"expected Parquet, CSV or JSON lines named for a table ({', '.join(order)}), such as orders.parquet"
        )
    return sorted(found, key=lambda file: (order[file.table.name], file.name))


def _table_of(domain: Domain, inner: Path) -> Table | None:
    """By a word of the file's name, else by the nearest folder's name."""
    raw = {table.name: table for table in domain.raw_tables}
    stem = inner.stem.lower()
    named = [name for name in raw if re.search(rf"(^|[-_. ]){name}($|[-_. ])", stem)]
    # `security_events` also holds the word `events`.
    named = [name for name in named if not any(name != longer and name in longer for longer in named)]
    if len(named) > 1:
        raise BadInputError(f"{inner} names several tables ({', '.join(named)}); keep the one whose rows it holds")
    if named:
        return raw[named[0]]
    for folder in reversed(inner.parts[:-1]):
        if folder.lower() in raw:
            return raw[folder.lower()]
    return None
