"""Texts that nobody declared, in which a person can be named all the same: logs, reports, JSON, databases in a file.

What is found is overwritten in its place with as many stars: a file stays as long as it was, and whoever has it open to write
goes on doing so. Digits become other digits, since they may stand in JSON as a number, which stars would make unreadable.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import WALLET
from ticketintel_pipelines.lake.partitions import move_into_place
from ticketintel_pipelines.retention.erasure_person import SHORTEST_SEARCHED, Person
from ticketintel_pipelines.retention.erasure_places import NOTHING, Found, hash_of_files
from ticketintel_pipelines.retention.erasure_rows import write_like

FORMATS = (
    "*.json",
    "*.jsonl",
    "*.ndjson",
    "*.html",
    "*.svg",
    "*.md",
    "*.txt",
    "*.csv",
    "*.log",
    "*.out",
    "*.err",
    "*.sqlite",
    "*.db",
)
POSTGRES_LOGS = ("log", "log/*", "*.log")
PARQUET = "*.parquet"


def searched(person: Person) -> set[str]:
    """The texts of a person that are searched for where nothing is declared. A wallet is public and stays."""
    found = {value for word, values in person.identifiers.items() if word != WALLET for value in values}
    return {text for text in found | person.texts if len(text) >= SHORTEST_SEARCHED}


def forms_of(text: str) -> set[str]:
    """A text as it is, and as JSON and HTML write it."""
    in_json = json.dumps(text)[1:-1]
    return {text, in_json, json.dumps(in_json)[1:-1], html.escape(text), html.escape(text, quote=False)}


def pattern_of(person: Person) -> re.Pattern[bytes] | None:
    """Any of the person's texts that is not part of a longer word; None where there is nothing to search for."""
    texts = {form.encode() for text in searched(person) for form in forms_of(text)}
    if not texts:
        return None
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile(rb"(?<![A-Za-z0-9])(?:" + b"|".join(map(re.escape, longest_first)) + rb")(?![A-Za-z0-9])")


def masked(content: bytes, pattern: re.Pattern[bytes]) -> bytes:
    """The content without what the pattern finds, of equal length."""
    return pattern.sub(lambda found: mask_of(found[0]), content)


def mask_of(text: bytes) -> bytes:
    """What is written over a text: stars, or nines over digits alone (over nines, eights)."""
    if not text.isdigit():
        return b"*" * len(text)
    return (b"8" if set(text) == set(b"9") else b"9") * len(text)


@dataclass(frozen=True)
class FilesPlace:
    """The files under a folder of the home."""

    home: Path
    folder: str
    formats: tuple[str, ...] = FORMATS

    kind = "files"

    @property
    def name(self) -> str:
        return self.folder

    def _found(self, person: Person) -> dict[Path, int]:
        pattern = pattern_of(person)
        root = self.home / self.folder
        if pattern is None or not root.exists():
            return {}
        files = sorted({file for form in self.formats for file in root.rglob(form) if file.is_file()})
        counts = {file: len(pattern.findall(file.read_bytes())) for file in files}
        if self.formats is FORMATS:
            counts |= {file: _cells(file, person) for file in sorted(root.rglob(PARQUET))}
        return {file: count for file, count in counts.items() if count}

    def look(self, connection: psycopg.Connection, person: Person) -> Found:
        found = self._found(person)
        return Found(sum(found.values()), None, None, hash_of_files(list(found), self.home)) if found else NOTHING

    def erase(self, connection: psycopg.Connection, person: Person) -> str:
        pattern = pattern_of(person)
        found = self._found(person)
        for file in found:
            if file.suffix == ".parquet":
                _rewrite(file, person)
            elif pattern is not None:
                _overwrite(file, pattern)
        return hash_of_files(list(found), self.home)


def _overwrite(file: Path, pattern: re.Pattern[bytes]) -> None:
    with file.open("r+b") as stream:
        for found in pattern.finditer(stream.read()):
            stream.seek(found.start())
            stream.write(mask_of(found[0]))


def _text_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]


def _cells(file: Path, person: Person) -> int:
    texts = pa.array(sorted(searched(person)), pa.string())
    rows = pq.ParquetFile(file).read(_text_columns(pq.read_schema(file)))
    return sum(pc.sum(pc.is_in(column.cast(pa.string()), texts)).as_py() or 0 for column in rows.columns)


def _rewrite(file: Path, person: Person) -> None:
    texts = pa.array(sorted(searched(person)), pa.string())
    rows = pq.ParquetFile(file).read()
    for name in _text_columns(rows.schema):
        place = rows.column_names.index(name)
        hit = pc.is_in(rows[name].cast(pa.string()), texts)
        rows = rows.set_column(place, rows.schema.field(place), pc.if_else(hit, pa.scalar("***", rows[name].type), rows[name]))
    beside = file.with_name(f".{file.name}.part")
    write_like(rows, beside, file)
    move_into_place(beside, file)


def text_places(home: Path) -> Iterator[FilesPlace]:
    """The folders of a home that hold files for people, the server's log included.

    Not among them: the lake, the archive and the states, which are declared; the server's own files; worlds that were
    simulated here, whose people are made up; the receipts; and models, whose files are what their versions are named by.
    """
    own = {"lake", "archive", "features", "models", "postgres", "worlds", "erasures"}
    yield from (FilesPlace(home, f.name) for f in sorted(home.iterdir()) if f.is_dir() and f.name not in own)
    if (home / "postgres").exists():
        yield FilesPlace(home, "postgres", POSTGRES_LOGS)


def models_naming(home: Path, person: Person) -> list[str]:
    """Files of models in which any text of the person stands: their versions are to be trained anew and removed."""
    pattern = pattern_of(person)
    files = sorted(file for file in (home / "models").rglob("*") if file.is_file()) if pattern else []
    return [str(file.relative_to(home)) for file in files if pattern and pattern.search(file.read_bytes())]
