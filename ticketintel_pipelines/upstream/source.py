"""The platform's PostgreSQL as the pipeline opens it: one read-only snapshot, bounded waits, failures told in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ticketintel_pipelines.errors import BadInputError, UnavailableError
from ticketintel_pipelines.settings import PLATFORM_DATABASE_URL

CONNECT_TIMEOUT_SECONDS = 10
SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "extra_float_digits": "1",
    "search_path": "pg_catalog",
    # A policy that hides rows from this role would lose them without a word; with this the server refuses instead.
    "row_security": "off",
    # All rows are read, so the plan that delivers the first ones early is not the cheapest.
    "cursor_tuple_fraction": "1.0",
}
"""What decides how values are written as text, which names mean what, and how the server plans."""

OPEN_TRANSACTIONS = """
SELECT clock_timestamp(), min(xact_start)
FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
    AND backend_type NOT IN ('autovacuum worker', 'walsender')
"""
"""When each other transaction began; of other roles' ones only `pg_read_all_stats` sees that."""


@dataclass(frozen=True)
class PlatformSource:
    """Where the platform's tables are, and how patiently they are read.

    Rows changed within `overlap` before the watermark are asked for again, for transactions that commit late.
    `statement_timeout` bounds each chunk of `chunk_rows` rows, not a whole table.
    """

    url: str = field(repr=False)
    schema: str = "public"
    overlap: timedelta = timedelta(minutes=15)
    statement_timeout: timedelta = timedelta(minutes=10)
    lock_timeout: timedelta = timedelta(seconds=10)
    chunk_rows: int = 20_000


@dataclass(frozen=True)
class Snapshot:
    """A session inside its one transaction: whatever is asked through it agrees."""

    connection: psycopg.Connection
    taken_at: datetime
    """By the server's clock, a moment before."""
    oldest_open: datetime | None
    """When the oldest transaction that was open then began, where this role may know."""

    @property
    def complete_until(self) -> datetime:
        """Every transaction that the snapshot does not see began at this moment or later."""
        return self.taken_at if self.oldest_open is None else min(self.taken_at, self.oldest_open)


@contextmanager
def open_snapshot(source: PlatformSource) -> Iterator[Snapshot]:
    """A read-only, repeatable-read transaction on the source, for as long as the context lasts.

    Raises:
        BadInputError: the URL is not one of a PostgreSQL.
        UnavailableError: nothing answers there, or it refuses.
    """
    with _connect(source) as connection, explained(source, "its tables"):
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        # Asked before the snapshot is taken: a transaction that ends in between is either listed or seen.
        with connection.transaction():
            row = connection.execute(OPEN_TRANSACTIONS).fetchone()
        assert row is not None
        taken_at, oldest_open = (moment and moment.astimezone(UTC) for moment in row)
        with connection.transaction():
            _bound(connection, source)
            yield Snapshot(connection, taken_at, oldest_open)


def _connect(source: PlatformSource) -> psycopg.Connection:
    try:
        where = conninfo_to_dict(source.url)
    except psycopg.ProgrammingError:
        # Neither the text nor what is wrong with it is repeated: it may hold a password.
        where = {}
    if not source.url.startswith(("postgresql://", "postgres://")) or not where.get("dbname"):
        raise BadInputError(
            f"{PLATFORM_DATABASE_URL.name} is not the URL of a PostgreSQL database; write postgresql://user:password@host:port/database"
        )
    try:
        return psycopg.connect(
            source.url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="ticketintel",
            client_encoding="UTF8",
            # Poolers hand the next transaction to another session, which has not prepared anything.
            prepare_threshold=None,
        )
    except psycopg.OperationalError as error:
        place = f"{where.get('host', 'localhost')}:{where.get('port', 5432)}, database {where['dbname']}"
        raise UnavailableError(
            f"the platform's database at {place} cannot be reached ({_in_one_line(str(error))}); "
            f"start it or mend {PLATFORM_DATABASE_URL.name}"
        ) from error


def _bound(connection: psycopg.Connection, source: PlatformSource) -> None:
    # For this transaction alone: set for the session, they would outlive it in a pooler and meet the platform's own statements.
    settings = {
        **SESSION,
        "statement_timeout": _milliseconds(source.statement_timeout),
        "lock_timeout": _milliseconds(source.lock_timeout),
        # A snapshot holds back the platform's vacuum; that of a reader which has stopped reading is not worth it.
        "idle_in_transaction_session_timeout": _milliseconds(source.statement_timeout),
    }
    for name, value in settings.items():
        connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))


def _milliseconds(duration: timedelta) -> str:
    return str(max(1, round(duration.total_seconds() * 1000)))


@contextmanager
def explained(source: PlatformSource, what: str) -> Iterator[None]:
    """Tell failures of the source, met while reading `what`, in one sentence.

    Raises:
        BadInputError: the role may not read it, or it holds text that is not UTF-8.
        UnavailableError: the source ended or refused the statement for any other reason.
    """
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise UnavailableError(
            f"the platform's database broke off reading {what} ({_said(error)}; the limit for {source.chunk_rows:,} rows is "
            f"{source.statement_timeout.total_seconds():g} s); an index on updated_at makes it quick, then run again"
        ) from error
    except psycopg.errors.LockNotAvailable as error:
        raise UnavailableError(
            f"the platform's database keeps {what} locked ({_said(error)}); run again when its change is done"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise BadInputError(
            f"the platform's database does not let this role read {what} ({_said(error)}); grant SELECT on it, and BYPASSRLS "
            "where row security hides rows"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{what} of the platform's database holds text that is not UTF-8; mend it there") from error
    except psycopg.Error as error:
        raise UnavailableError(
            f"the platform's database failed while reading {what} ({_said(error)}); nothing was taken, run again"
        ) from error


def _said(error: psycopg.Error) -> str:
    return _in_one_line(error.diag.message_primary or str(error))


def _in_one_line(message: str) -> str:
    return " ".join(message.split())
