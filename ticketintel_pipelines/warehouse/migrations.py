"""Applying the numbered SQL files of `sql/migrations`, the only place that creates or alters tables."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ticketintel_pipelines.errors import BadInputError

SQL_FOLDER = Path(__file__).parents[2] / "sql"
MIGRATIONS_FOLDER = SQL_FOLDER / "migrations"
LOCK = 7_246_001
"""Advisory lock that lets one process at a time change the schema, its comments and its grants."""


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    text: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations(folder: Path = MIGRATIONS_FOLDER) -> list[Migration]:
    """The migrations of a folder, `NNNN_name.sql`, in order."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        version, _, name = path.stem.partition("_")
        migrations.append(Migration(int(version), name, path.read_text()))
    return migrations


def migrate(connection: psycopg.Connection, migrations: list[Migration]) -> list[Migration]:
    """Apply what is missing, each in a transaction of its own; returns what was applied.

    Raises:
        BadInputError: a migration that was applied before has been edited since.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute("CREATE SCHEMA IF NOT EXISTS ops")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS ops.migrations ("
            "version integer PRIMARY KEY, name text NOT NULL, hash text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
    applied: list[Migration] = []
    for migration in migrations:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            known = connection.execute("SELECT hash FROM ops.migrations WHERE version = %s", (migration.version,)).fetchone()
            if known is None:
                connection.execute(migration.text)
                connection.execute(
                    "INSERT INTO ops.migrations (version, name, hash) VALUES (%s, %s, %s)",
                    (migration.version, migration.name, migration.hash),
                )
                applied.append(migration)
            elif known[0] != migration.hash:
                raise BadInputError(
                    f"migration {migration.version:04d}_{migration.name} was edited after it was applied to this database; "
                    "restore it and put the change into a new migration"
                )
    return applied
