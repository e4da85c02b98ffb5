"""Raw files for the intake's tests: rows, the files they are written to, and a catalogue in memory."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.clients import Clients
from ticketintel_pipelines.intake.importer import ImportReport, LandedFile, import_folder
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.ticketing.tables import TICKETING

FIRST_DAY = date(2017, 1, 1)
HASH = "0x" + "ab" * 32
ADDRESS = "0x" + "c0" * 20
KEY = b"key for tests"


@dataclass
class MemoryCatalog:
    """An `ImportCatalog` that forgets everything with the test."""

    files: list[LandedFile] = field(default_factory=list)
    is_locked: bool = False

    def known_files(self, domain: str) -> set[str]:
        return {file.content_hash for file in self.files}

    def fragments_of(self, domain: str, table: str) -> list[Path]:
        return [fragment.path for file in self.files for fragment in file.fragments if fragment.table == table]

    def lock_imports(self, domain: str) -> None:
        self.is_locked = True

    def record_import(self, domain: str, files: Sequence[LandedFile]) -> None:
        self.files.extend(files)


@dataclass
class Deployment:
    """A raw folder, a lake and a catalogue under one directory."""

    root: Path
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    clients: Clients = field(default_factory=lambda: Clients(KEY))

    @property
    def raw(self) -> Path:
        folder = self.root / "raw"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def lake(self) -> Lake:
        return Lake(self.root / "lake", TICKETING.name)

    def take_in(self, folder: Path | None = None) -> ImportReport:
        with open_engine(self.lake.scratch) as engine:
            return import_folder(engine, TICKETING, folder or self.raw, self.lake, self.catalog, FIRST_DAY, self.clients)

    def files(self) -> list[Path]:
        return sorted(path for path in self.lake.root.rglob("*") if path.is_file())

    def rows(self, table: str) -> list[dict[str, Any]]:
        """What was landed of a table, in the order of the raw rows, without the file's name."""
        rows = [row for path in self.catalog.fragments_of(TICKETING.name, table) for row in pq.read_table(path).to_pylist()]
        for row in rows:
            del row["source_file"]
        return sorted(rows, key=lambda row: row["source_row"])


@contextmanager
def landing(root: Path, name: str) -> Iterator[Deployment]:
    """A new deployment to write raw files into; they are taken in afterwards."""
    (root / name).mkdir()
    deployment = Deployment(root / name)
    yield deployment
    deployment.take_in()


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Rows of JSON values as the format that the path's suffix says; Parquet gets the types that Arrow infers."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def user(number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "user_id": f"u{number}",
        "created_at": f"2026-01-01T00:00:{number % 60:02d}Z",
        "wallet_address": ADDRESS,
        "email": f"u{number}@example.org",
        "full_name": "Ada",
        "country_code": "CH",
        "is_verified": "true",
        **changes,
    }


def sale(number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "timestamp": "2021-05-06 07:08:09",
        "block_number": 12_000_000 + number,
        "tx_hash": HASH,
        "token_id": str(number),
        "from_address": ADDRESS,
        "to_address": ADDRESS,
        "price_wei": "1000000000000000000",
        **changes,
    }


def session(number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "session_id": f"s{number}",
        "started_at": "2026-01-01T00:00:00Z",
        "ip_address": "192.0.2.1",
        "latitude": "47.5",
        "page_views": "3",
        **changes,
    }


def chargeback(number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "chargeback_id": f"c{number}",
        "received_at": "2026-01-01T00:00:00Z",
        "payment_id": "p1",
        "amount": "12.50",
        "currency": "USD",
        "reason": "fraud",
        **changes,
    }


def working_deployment(root: Path) -> Deployment:
    """A deployment that has taken in a good file, and a raw folder with three more that come before a bad one."""
    deployment = Deployment(root)
    before = root / "before"
    before.mkdir()
    write_rows(before / "users.csv", [user(100)])
    deployment.take_in(before)
    write_rows(deployment.raw / "blocks.csv", [{"number": 1, "hash": HASH, "timestamp": 1_600_000_000}])
    write_rows(deployment.raw / "a_users.jsonl", [user(101)])
    write_rows(deployment.raw / "a_users.parquet", [user(102)])
    return deployment


def refusal(deployment: Deployment, *parts: str, folder: Path | None = None) -> str:
    """The sentence of a refused import, once it is seen that it is one and that nothing else is left of the call."""
    files, known = {path: path.read_bytes() for path in deployment.files()}, list(deployment.catalog.files)
    with pytest.raises(BadInputError) as caught:
        deployment.take_in(folder)
    assert {path: path.read_bytes() for path in deployment.files()} == files
    assert deployment.catalog.files == known
    assert not [path for path in deployment.lake.scratch.iterdir() if path.name != "spill"]
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert len(sentence) < 400
    words = ("Traceback", "Exception:", "LINE 1", "Error:", *([] if folder else [f"{deployment.raw}/"]))
    assert not [word for word in words if word in sentence], sentence
    for part in parts:
        assert part in sentence, sentence
    return sentence


def write_column(path: Path, rows: list[dict[str, object]], name: str, cells: pa.Array) -> None:
    """Rows as Parquet with one column of another type."""
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, cells), path)


def landed(root: Path, table: str, suffix: str, rows: list[dict[str, object]]) -> list[dict]:
    with landing(root, suffix) as deployment:
        write_rows(deployment.raw / f"{table}.{suffix}", rows)
    return deployment.rows(table)


def only(deployment: Deployment, table: str, column: str) -> object:
    deployment.take_in()
    (row,) = deployment.rows(table)
    return row[column]
