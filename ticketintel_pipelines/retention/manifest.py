"""Where the archive lies, and what the manifest of each month says about its file."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path

from ticketintel_pipelines.contract import Column, ColumnType, Table
from ticketintel_pipelines.errors import TicketIntelError
from ticketintel_pipelines.retention.figures import Figures
from ticketintel_pipelines.retention.months import label

MANIFEST = "manifest.json"
COPIES = "rows-*.parquet"
"""The file of a month, and those of earlier copies of it for a moment."""
FORMAT = 1
READ_AT_ONCE = 1 << 20


class DamagedArchiveError(TicketIntelError):
    """A month of the archive is not what was put there."""


@dataclass(frozen=True)
class Manifest:
    """What was archived of one month; `columns` are pairs of name and type. Times are ISO 8601 in UTC, days YYYY-MM-DD."""

    domain: str
    table: str
    month: str
    file: str
    file_hash: str
    file_bytes: int
    rows: int
    content_hash: str
    first_day: str
    last_day: str
    columns: tuple[tuple[str, str], ...]
    source: str
    policy_version: str
    code_version: str
    made_at: str
    format: int = FORMAT

    @property
    def figures(self) -> Figures:
        return Figures(self.rows, self.content_hash)

    @property
    def typed_columns(self) -> tuple[Column, ...]:
        return tuple(Column(name, ColumnType[kind], "") for name, kind in self.columns)

    @property
    def encoded(self) -> bytes:
        return (json.dumps(asdict(self), indent=2, sort_keys=True) + "\n").encode()

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.encoded).hexdigest()


def columns_of(table: Table) -> tuple[tuple[str, str], ...]:
    return tuple((column.name, column.type.name) for column in table.columns)


def month_folder(archive: Path, domain: str, table: str, month: date) -> Path:
    return archive / domain / table / f"month={label(month)}"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a month's folder; None where there is none.

    Raises:
        DamagedArchiveError: it is no manifest any more.
    """
    file = folder / MANIFEST
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_bytes())
        content["columns"] = tuple((name, kind) for name, kind in content["columns"])
        manifest = Manifest(**content)
        _ = manifest.typed_columns
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedArchiveError(f"{file} is no manifest any more ({error})") from error
    if manifest.encoded != file.read_bytes():
        raise DamagedArchiveError(f"{file} is not written as it was")
    return manifest


def file_hash(file: Path) -> str:
    """The SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(READ_AT_ONCE):
            digest.update(piece)
    return digest.hexdigest()


def require_intact(folder: Path, manifest: Manifest) -> Path:
    """The file of a manifest, whose bytes are those that were archived.

    Raises:
        DamagedArchiveError: it is missing or has other bytes.
    """
    file = folder / manifest.file
    if not file.exists():
        raise DamagedArchiveError(f"{file} is missing")
    if file_hash(file) != manifest.file_hash:
        raise DamagedArchiveError(f"{file} has other bytes than were archived")
    return file


@cache
def code_version() -> str:
    """The version of the package and a hash of the code of this room."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return f"{version('ticketintel-pipelines')}+{digest.hexdigest()[:12]}"
