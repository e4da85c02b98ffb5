"""Transactions begun, written, committed and rolled back at random between increments: nothing lost, nothing twice."""

import random
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from ticketintel_pipelines_tests.postgres.extracting import Pipeline

SESSIONS = 3
STEPS = 40
COLUMNS = "account_id, wallet, deleted_at, {version}"
Version = tuple[object, ...]


class Writer:
    """A session of the platform that writes rows of its own and remembers what it committed."""

    def __init__(self, number: int, connection: psycopg.Connection, dice: random.Random) -> None:
        self.number = number
        self.connection = connection
        self.dice = dice
        self.keys: list[str] = []
        self.new: list[str] = []
        self.committed: set[Version] = set()

    def write(self) -> None:
        if not self.keys or self.dice.random() < 0.4:
            key = f"{self.number}-{len(self.keys) + len(self.new)}-{self.dice.random()}"
            self.connection.execute(
                "INSERT INTO accounts (account_id, created_at, updated_at) VALUES (%s, '2026-01-05', now())", (key,)
            )
            self.new.append(key)
        else:
            change = self.dice.choice(["wallet = '0x' || md5(random()::text) || '00000000'", "deleted_at = now()"])
            key = self.dice.choice(self.keys)
            self.connection.execute(f"UPDATE accounts SET {change}, updated_at = now() WHERE account_id = %s", (key,))

    def commit(self) -> None:
        own = f"SELECT {COLUMNS.format(version='updated_at')} FROM accounts WHERE account_id LIKE %s"
        self.committed |= set(self.connection.execute(own, (f"{self.number}-%",)).fetchall())
        self.connection.commit()
        self.keys += self.new
        self.new = []

    def roll_back(self) -> None:
        self.connection.rollback()
        self.new = []


@pytest.mark.parametrize("seed", range(4))
def test_any_interleaving_of_commits_and_increments_ends_with_every_row_once(pipeline: Pipeline, seed: int) -> None:
    dice = random.Random(seed)
    # Where open transactions are seen, not even an overlap is needed.
    pipeline.source = replace(pipeline.source, overlap=timedelta(0))
    writers = [Writer(number, pipeline.platform(), dice) for number in range(SESSIONS)]
    for _ in range(STEPS):
        writer = dice.choice(writers)
        act = dice.choices([writer.write, writer.commit, writer.roll_back, pipeline.increment], [10, 4, 1, 3])[0]
        act()
    for writer in writers:
        writer.commit()
        writer.connection.close()
    pipeline.increment()
    landed = pipeline.landed("accounts", COLUMNS.format(version="known_at"))
    with pipeline.platform() as platform:
        current = platform.execute(f"SELECT {COLUMNS.format(version='updated_at')} FROM accounts").fetchall()
    assert len(landed) == len(set(landed)), "a row was landed twice"
    assert set(landed) <= set().union(*(writer.committed for writer in writers)), "a row was landed that never was committed"
    newest = {row[0]: row for row in sorted(landed, key=lambda row: row[-1])}
    assert sorted(newest.values()) == sorted(current), "the newest versions are not those of the platform"
    assert pipeline.increment().rows == 0
