"""The states of folds between nights: of every key the newest, and those of the last weeks by day, in one SQLite file.

A night reads and writes the keys that it touches, so that its cost does not grow with the history. A *checkpoint* is a day at
whose end the state of every key stands in the file; from it the following days can be worked out again. Everything in here can
be made anew from the observations in the lake.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from ticketintel_pipelines.features.folds import ReadStates, States, no_states
from ticketintel_pipelines.features.rows import Integers

KEPT_DAYS = 35
"""Rows that come later than this have their features worked out from the beginning again."""

CACHE_KIB = 256 * 1024
"""Pages that a night touches are written once, at its end, and not each time the cache is full."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS state (
    fold TEXT, key INTEGER, day INTEGER, words BLOB NOT NULL, PRIMARY KEY (fold, key, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (day INTEGER PRIMARY KEY);
"""

NEWEST = """
SELECT coalesce(
    (SELECT s.words FROM state s WHERE s.fold = ? AND s.key = w.key AND s.day <= ? ORDER BY s.day DESC LIMIT 1), x''
)
FROM wanted w ORDER BY w.place
"""

OUTDATED = """
DELETE FROM state WHERE fold = ?1 AND key = ?2
    AND day < (SELECT max(day) FROM state WHERE fold = ?1 AND key = ?2 AND day <= ?3)
"""


@dataclass(frozen=True)
class StateStore:
    """The states of one family's folds. Every call is a transaction of its own, durable once it returns."""

    path: Path

    def checkpoint_before(self, day: date) -> date | None:
        """The last checkpoint before a day; None where its states have to be made from the beginning."""
        with self._connection() as connection:
            found = connection.execute("SELECT max(day) FROM checkpoint WHERE day < ?", (day.toordinal(),)).fetchone()
        return date.fromordinal(found[0]) if found[0] is not None else None

    def reader(self, checkpoint: date | None) -> ReadStates:
        """The states of keys as they were at a checkpoint."""
        if checkpoint is None:
            return no_states
        return lambda fold, keys: self.read(fold, keys, checkpoint)

    def read(self, fold: str, keys: Integers, day: date) -> States:
        """The states of these keys at the end of a day, in the order of the keys."""
        with self._connection() as connection:
            connection.execute("CREATE TEMP TABLE wanted (place INTEGER PRIMARY KEY, key INTEGER)")
            # In order of the keys, as they lie in the file: neighbours are on the same page.
            order = np.argsort(keys)
            connection.executemany("INSERT INTO wanted VALUES (?, ?)", enumerate(keys[order].tolist()))
            found = [b""] * len(keys)
            for place, row in zip(order.tolist(), connection.execute(NEWEST, (fold, day.toordinal())), strict=True):
                found[place] = row[0]
        bounds = np.zeros(len(keys) + 1, np.int64)
        np.cumsum([len(words) // 8 for words in found], out=bounds[1:])
        return States(keys, bounds, np.frombuffer(b"".join(found), np.int64))

    def commit(self, day: date, states: Mapping[str, States]) -> None:
        """Make `day` a checkpoint: these states by fold replace those of their keys; whatever was stored from that day on is
        gone.
        """
        number = day.toordinal()
        with self._connection() as connection:
            self._forget_from(connection, number)
            kept_from = connection.execute(
                "SELECT max(day) FROM checkpoint WHERE day <= ?", ((day - timedelta(days=KEPT_DAYS)).toordinal(),)
            ).fetchone()[0]
            for fold, changed in states.items():
                texts, edges = changed.words.tobytes(), (changed.bounds * 8).tolist()
                keys = changed.keys.tolist()
                order = np.argsort(changed.keys).tolist()
                connection.executemany(
                    "INSERT INTO state VALUES (?, ?, ?, ?)",
                    ((fold, keys[place], number, texts[edges[place] : edges[place + 1]]) for place in order),
                )
                if kept_from is not None:
                    connection.executemany(OUTDATED, ((fold, keys[place], kept_from) for place in order))
            if kept_from is not None:
                connection.execute("DELETE FROM checkpoint WHERE day < ?", (kept_from,))
            connection.execute("INSERT INTO checkpoint VALUES (?)", (number,))

    def forget_from(self, day: date) -> None:
        """Drop all checkpoints and states from a day on."""
        with self._connection() as connection:
            self._forget_from(connection, day.toordinal())

    @staticmethod
    def _forget_from(connection: sqlite3.Connection, number: int) -> None:
        newer = connection.execute("SELECT EXISTS (SELECT 1 FROM checkpoint WHERE day >= ?)", (number,)).fetchone()
        if newer[0]:
            # Rare, and allowed to look at every state: some day of the past is worked out again.
            connection.execute("DELETE FROM state WHERE day >= ?", (number,))
            connection.execute("DELETE FROM checkpoint WHERE day >= ?", (number,))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=60)
        try:
            # A writer that dies leaves the last committed state; readers do not wait for a writer.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.executescript(SCHEMA)
            with connection:
                yield connection
        finally:
            connection.close()
