"""What retention works with: one domain's tables in one warehouse, its archive, the policy, and who asks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.progress import Progress, Silence
from ticketintel_pipelines.retention.policy import Policy
from ticketintel_pipelines.warehouse.server import connect


class BusyError(UnavailableError):
    """Another process works on the same domain, or on a table of it, just now."""


@dataclass(frozen=True)
class Bounds:
    """How much one run may do: no act is begun once so many rows were dealt with or so many minutes have passed.

    A lock is waited for `lock_seconds`, while readers queue behind; no statement lasts longer than `statement_minutes`.
    Rows are deleted in batches of `batch_rows`, each in a transaction of its own.
    """

    most_rows: int = 50_000_000
    most_minutes: float = 120
    lock_seconds: float = 5
    statement_minutes: float = 60
    batch_rows: int = 50_000

    def reached(self, rows: int, is_late: Callable[[], bool]) -> str | None:
        """Why no act is begun any more after so many rows; None while one may be."""
        if rows >= self.most_rows:
            return f"{self.most_rows:,} rows are the most of one run"
        return f"{self.most_minutes:g} minutes are the most of one run" if is_late() else None


DEFAULT_BOUNDS = Bounds()


@dataclass(frozen=True)
class Room:
    """One domain's retention. `archive` is the folder of the archive; `actor` and `run_id` stand in the ledger."""

    dsn: str = field(repr=False)
    archive: Path
    domain: Domain
    policy: Policy
    actor: str
    run_id: str = ""
    memory_limit: str = "4GB"
    progress: Progress = field(default_factory=Silence)

    @property
    def files(self) -> Lake:
        """The archive as a place with room for scratch files on its own disk."""
        return Lake(self.archive, self.domain.name)

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection]:
        """A session that commits each statement unless a transaction is opened."""
        with connect(self.dsn, autocommit=True) as connection:
            yield connection

    @contextmanager
    def engine(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_engine(self.files.scratch, self.memory_limit) as engine:
            yield engine

    @contextmanager
    def alone(self, bounds: Bounds) -> Iterator[psycopg.Connection]:
        """A session with the domain's retention to itself, and with timeouts, until it ends.

        Raises:
            BusyError: somebody else has it.
        """
        with self.session() as connection:
            locked = connection.execute(
                "SELECT pg_try_advisory_lock(hashtext(%s))", (f"retention {self.domain.name}",)
            ).fetchone()
            if locked != (True,):
                raise BusyError(
                    f"another process archives, purges or restores in {self.domain.name}; run the same command once it ended"
                )
            for name, seconds in (("lock_timeout", bounds.lock_seconds), ("statement_timeout", bounds.statement_minutes * 60)):
                connection.execute(
                    sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(f"{max(1, int(seconds * 1000))}ms"))
                )
            try:
                yield connection
            finally:
                # The server ends a session a moment after it is closed: whoever comes next need not find it locked until then.
                if not connection.closed:
                    connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", (f"retention {self.domain.name}",))
