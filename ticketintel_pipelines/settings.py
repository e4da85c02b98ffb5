"""Every environment variable the pipeline reads, typed and described. Reading them is all that happens here: no I/O."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ticketintel_pipelines.errors import BadInputError

FIRST_DAY = date(2017, 1, 1)
CHAIN_FILE = "chain.toml"
RETENTION_FILE = "retention.toml"
COMPUTE_LOGS = "storage"
"""Within Dagster's home, where Dagster itself would put what steps write."""
SHORTEST_KEY = 16


@dataclass(frozen=True)
class Variable:
    name: str
    default: str
    description: str


HOME = Variable("TICKETINTEL_HOME", ".ticketintel", "Folder of the embedded Postgres, the lake and Dagster's own files.")
DATABASE_URL = Variable(
    "TICKETINTEL_DATABASE_URL",
    "",
    "A PostgreSQL (15 or later) to use instead of the embedded one, as postgresql://user:password@host:port/database. "
    "Its user must be allowed to create databases and roles.",
)
DAGSTER_DATABASE = Variable("TICKETINTEL_DAGSTER_DATABASE", "dagster", "Database on the same server for Dagster's records.")
FIRST_PARTITION = Variable(
    "TICKETINTEL_FIRST_DAY", FIRST_DAY.isoformat(), "First daily partition; data of earlier days is refused."
)
SCHEDULES = Variable("TICKETINTEL_SCHEDULES", "off", "on: schedules start running with the daemon; off: they wait in the UI.")
MEMORY_LIMIT = Variable("TICKETINTEL_MEMORY_LIMIT", "4GB", "Memory DuckDB may use before it spills to disk.")
CHUNK_ROWS = Variable("TICKETINTEL_CHUNK_ROWS", "1000000", "Rows of one table validated and published at once.")
CHAIN_RPC_URL = Variable(
    "TICKETINTEL_CHAIN_RPC_URL",
    "",
    "JSON-RPC endpoints of the chain to extract from, several separated by commas: the first one that works is asked. "
    "Unset, the chain's rows come from imported files alone.",
)
CHAIN_SETTINGS = Variable(
    "TICKETINTEL_CHAIN_SETTINGS",
    "",
    "TOML file with the chain's id, its contracts and their start blocks, as data/chain.example.toml shows; "
    "unset, chain.toml in the home.",
)
PLATFORM_DATABASE_URL = Variable(
    "TICKETINTEL_PLATFORM_DATABASE_URL",
    "",
    "The platform's own PostgreSQL to extract from, as postgresql://reader:password@host:port/database; it is only read. "
    "Unset, the platform's rows come from imported files alone.",
)
PLATFORM_SCHEMA = Variable("TICKETINTEL_PLATFORM_SCHEMA", "public", "Schema of the platform's tables in that database.")
PLATFORM_OVERLAP_MINUTES = Variable(
    "TICKETINTEL_PLATFORM_OVERLAP_MINUTES",
    "15",
    "Rows changed so many minutes before the newest one taken are asked for again, for transactions that commit late.",
)
ADDRESS_KEY = Variable(
    "TICKETINTEL_ADDRESS_KEY",
    "",
    "Secret that clients' IP addresses are hashed with, a long random text. Unset, one is made and kept in address.key in the "
    "home; homes that share a warehouse have to share the key. Keep it: under another one the same address has another hash.",
)
GEOIP_DATABASE = Variable(
    "TICKETINTEL_GEOIP_DATABASE",
    "",
    "MaxMind file (.mmdb) of cities or countries that addresses without a place are looked up in. Unset, none is looked up.",
)
GEOIP_MAX_AGE_DAYS = Variable(
    "TICKETINTEL_GEOIP_MAX_AGE_DAYS", "90", "An older file of places is not used, and a warning says so."
)
ENGINE = Variable(
    "TICKETINTEL_ENGINE",
    "local",
    "What folds are run on: local, which is this machine, or spark, which needs the extra 'spark' and Java 17.",
)
ENGINES = ("local", "spark")
RETENTION_SETTINGS = Variable(
    "TICKETINTEL_RETENTION",
    "",
    "TOML file with the periods of retention classes that differ from the policy's, as data/retention.example.toml shows; "
    "unset, retention.toml in the home.",
)

VARIABLES = (
    HOME,
    DATABASE_URL,
    DAGSTER_DATABASE,
    FIRST_PARTITION,
    SCHEDULES,
    MEMORY_LIMIT,
    CHUNK_ROWS,
    CHAIN_RPC_URL,
    CHAIN_SETTINGS,
    PLATFORM_DATABASE_URL,
    PLATFORM_SCHEMA,
    PLATFORM_OVERLAP_MINUTES,
    ADDRESS_KEY,
    GEOIP_DATABASE,
    GEOIP_MAX_AGE_DAYS,
    ENGINE,
    RETENTION_SETTINGS,
)


@dataclass(frozen=True)
class Settings:
    home: Path
    database_url: str | None = field(repr=False)
    dagster_database: str
    first_day: date
    schedules_on: bool
    memory_limit: str
    chunk_rows: int
    # Addresses may hold keys and passwords, and are not shown where settings are.
    chain_rpc_urls: tuple[str, ...] = field(default=(), repr=False)
    chain_settings: Path = Path(CHAIN_FILE)
    platform_database_url: str | None = field(default=None, repr=False)
    platform_schema: str = "public"
    platform_overlap_minutes: int = 15
    address_key: str | None = field(default=None, repr=False)
    geoip_database: Path | None = None
    geoip_max_age_days: int = 90
    engine: str = "local"
    retention_settings: Path = Path(RETENTION_FILE)

    @property
    def archive_root(self) -> Path:
        """Where expired months of Postgres are kept as files."""
        return self.home / "archive"

    @property
    def lake_root(self) -> Path:
        return self.home / "lake"

    @property
    def address_key_file(self) -> Path:
        """Where the key lies that is used while none is set."""
        return self.home / "address.key"

    @property
    def postgres_data(self) -> Path:
        return self.home / "postgres"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def compute_logs(self) -> Path:
        return self.dagster_home / COMPUTE_LOGS


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        BadInputError: a variable has a value that cannot be read, named with what it takes.
    """
    environment = os.environ if environment is None else environment

    def value(variable: Variable) -> str:
        return environment.get(variable.name) or variable.default

    try:
        first_day = date.fromisoformat(value(FIRST_PARTITION))
    except ValueError as error:
        raise BadInputError(f"{FIRST_PARTITION.name}={value(FIRST_PARTITION)!r} is not a day; write YYYY-MM-DD") from error
    if value(SCHEDULES) not in ("on", "off"):
        raise BadInputError(f"{SCHEDULES.name}={value(SCHEDULES)!r} is neither 'on' nor 'off'")
    if not value(CHUNK_ROWS).isdecimal() or int(value(CHUNK_ROWS)) < 1:
        raise BadInputError(f"{CHUNK_ROWS.name}={value(CHUNK_ROWS)!r} is not a positive number of rows")
    if not re.fullmatch(r"\d+(\.\d+)? ?([MGT]i?B)", value(MEMORY_LIMIT)):
        raise BadInputError(
            f"{MEMORY_LIMIT.name}={value(MEMORY_LIMIT)!r} is not an amount of memory; write such as 4GB or 512MB"
        )
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", value(DAGSTER_DATABASE)):
        raise BadInputError(f"{DAGSTER_DATABASE.name}={value(DAGSTER_DATABASE)!r} is not the name of a database")
    if not value(PLATFORM_OVERLAP_MINUTES).isdecimal():
        raise BadInputError(
            f"{PLATFORM_OVERLAP_MINUTES.name}={value(PLATFORM_OVERLAP_MINUTES)!r} is not a number of whole minutes"
        )
    if value(ADDRESS_KEY) and len(value(ADDRESS_KEY)) < SHORTEST_KEY:
        # Not repeated: it is a secret.
        raise BadInputError(
            f"{ADDRESS_KEY.name} is shorter than {SHORTEST_KEY} characters; set a long random text, "
            "such as 'openssl rand -hex 32' prints"
        )
    if not value(GEOIP_MAX_AGE_DAYS).isdecimal():
        raise BadInputError(f"{GEOIP_MAX_AGE_DAYS.name}={value(GEOIP_MAX_AGE_DAYS)!r} is not a number of whole days")
    if value(ENGINE) not in ENGINES:
        raise BadInputError(f"{ENGINE.name}={value(ENGINE)!r} is neither {' nor '.join(map(repr, ENGINES))}")
    home = Path(value(HOME)).expanduser().absolute()
    return Settings(
        home=home,
        database_url=value(DATABASE_URL) or None,
        dagster_database=value(DAGSTER_DATABASE),
        first_day=first_day,
        schedules_on=value(SCHEDULES) == "on",
        memory_limit=value(MEMORY_LIMIT),
        chunk_rows=int(value(CHUNK_ROWS)),
        chain_rpc_urls=tuple(url.strip() for url in value(CHAIN_RPC_URL).split(",") if url.strip()),
        chain_settings=Path(value(CHAIN_SETTINGS)).expanduser().absolute() if value(CHAIN_SETTINGS) else home / CHAIN_FILE,
        platform_database_url=value(PLATFORM_DATABASE_URL) or None,
        platform_schema=value(PLATFORM_SCHEMA),
        platform_overlap_minutes=int(value(PLATFORM_OVERLAP_MINUTES)),
        address_key=value(ADDRESS_KEY) or None,
        geoip_database=Path(value(GEOIP_DATABASE)).expanduser().absolute() if value(GEOIP_DATABASE) else None,
        geoip_max_age_days=int(value(GEOIP_MAX_AGE_DAYS)),
        engine=value(ENGINE),
        retention_settings=(
            Path(value(RETENTION_SETTINGS)).expanduser().absolute() if value(RETENTION_SETTINGS) else home / RETENTION_FILE
        ),
    )
