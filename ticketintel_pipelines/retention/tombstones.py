"""Tombstones: people who were erased do not come back with a later extract.

Kept are keyed hashes of their identifiers. Rows that come in are looked at once they are landed and before they count: one
with an erased account, or with an erased key of its own such as a visit, is left out, as is one with an erased e-mail address
that is older than the erasure. Who signs up anew is a new person. An erased wallet is taken out of a row that is older.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import PERSON, WALLET, Column, Domain, Table

DIGEST_BYTES = 16


def value_hash(key: bytes, word: str, value: str) -> str:
    """The keyed hash of an identifier, 32 hexadecimal digits."""
    return blake2b(f"erasure {word} {value}".encode(), key=key, digest_size=DIGEST_BYTES).hexdigest()


@dataclass(frozen=True)
class Tombstones:
    """Of one or several domains: by domain and word the hashes, each with the instant from which on it is erased."""

    key: bytes = field(default=b"", repr=False)
    since: Mapping[str, Mapping[str, Mapping[str, datetime]]] = field(default_factory=dict)

    def sieve(self, domain: Domain, table: Table, part: Path) -> tuple[int, int]:
        """Leave out, or strip, what is about erased people in a landed Parquet file; what is left, and what was
        concerned, in rows.
        """
        erased = self.since.get(domain.name, {})
        columns = [c for c in table.columns if c.personal and c.identifies and erased.get(c.identifies)]
        names = pq.read_schema(part).names
        columns = [column for column in columns if column.name in names]
        whole = pq.read_metadata(part).num_rows
        if not columns:
            return whole, 0
        looked_at = pq.ParquetFile(part).read(list(dict.fromkeys([table.time, *(column.name for column in columns)])))
        gone = np.zeros(len(looked_at), bool)
        stripped: dict[str, np.ndarray] = {}
        times = looked_at[table.time].cast(pa.timestamp("us", "UTC")).to_numpy().astype("datetime64[us]")
        for column in columns:
            assert column.identifies is not None
            hit = self._hit(looked_at[column.name], column, erased[column.identifies], table, times)
            if column.identifies == WALLET and not column.required:
                stripped[column.name] = hit
            else:
                gone |= hit
        concerned = gone.copy()
        for hit in stripped.values():
            concerned |= hit
        if not concerned.any():
            return whole, 0
        rows = pq.ParquetFile(part).read()
        for name, hit in stripped.items():
            place = rows.column_names.index(name)
            kept = pc.if_else(pa.array(hit), pa.scalar(None, rows[name].type), rows[name])
            rows = rows.set_column(place, rows.schema.field(place).with_nullable(True), kept)
        rows = rows.filter(pa.array(~gone))
        pq.write_table(rows, part, compression="zstd")
        return len(rows), int(concerned.sum())

    def _hit(
        self, values: pa.ChunkedArray, column: Column, erased: Mapping[str, datetime], table: Table, times: np.ndarray
    ) -> np.ndarray:
        encoded = values.combine_chunks().dictionary_encode()
        known = [None if value is None else erased.get(self._hash(column, value)) for value in encoded.dictionary.to_pylist()]
        if not any(known):
            return np.zeros(len(values), bool)
        for_ever = column.identifies == PERSON or column.name in table.key
        instants = np.array([_instant(at, for_ever) for at in known], "datetime64[us]")
        places = pc.fill_null(encoded.indices.cast(pa.int64()), len(known)).to_numpy()
        # The place after the last one is null's.
        return np.asarray(times <= np.append(instants, np.datetime64("NaT"))[places])

    def _hash(self, column: Column, value: str) -> str:
        assert column.identifies is not None
        return value_hash(self.key, column.identifies, value)


def _instant(erased_at: datetime | None, for_ever: bool) -> np.datetime64:
    """Up to when rows of an identifier are about the person that was erased."""
    if erased_at is None:
        return np.datetime64("NaT")
    return np.datetime64("2999-01-01") if for_ever else np.datetime64(erased_at.astimezone(UTC).replace(tzinfo=None))


def read_tombstones(connection: psycopg.Connection, key: bytes) -> Tombstones:
    """All tombstones of a warehouse."""
    since: dict[str, dict[str, dict[str, datetime]]] = {}
    rows = connection.execute("SELECT domain, identifies, value_hash, since FROM ops.tombstones").fetchall()
    for domain, word, hashed, at in rows:
        since.setdefault(domain, {}).setdefault(word, {})[hashed] = at
    return Tombstones(key, since)


def bury(connection: psycopg.Connection, key: bytes, domain: Domain, identifiers: Mapping[str, Set[str]]) -> None:
    """Put up the tombstones of a person: of the account, and of what is a key of a table or stands beside the account there.

    Who came back with the same wallet or address and is erased again is erased up to now.
    """
    words = lasting_words(domain)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.tombstones (domain, identifies, value_hash) VALUES (%s, %s, %s) "
            "ON CONFLICT (domain, identifies, value_hash) DO UPDATE SET since = excluded.since",
            [
                (domain.name, word, value_hash(key, word, value))
                for word, values in identifiers.items()
                if word in words
                for value in sorted(values)
            ],
        )


def lasting_words(domain: Domain) -> set[str]:
    """What tombstones are put up for."""
    words = {PERSON, WALLET}
    for table in domain.raw_tables:
        keys = {column.identifies for column in table.columns if column.personal and column.name in table.key}
        words |= {word for word in keys if word}
        if PERSON in keys:
            words |= {column.identifies for column in table.columns if column.personal and column.identifies}
    return words
