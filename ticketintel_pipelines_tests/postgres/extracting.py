"""What tests of the extraction share: a platform's database, a deployment that takes from it, and what lies in its lake."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from ticketintel_pipelines.contract import Column, ColumnType, Domain, PersonalData, RetentionClass, Source, Table
from ticketintel_pipelines.lake.engine import fetch_rows, parquet
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.upstream.increment import Increment, TableIncrement, take_increment
from ticketintel_pipelines.upstream.source import PlatformSource

FIRST_DAY = date(2020, 1, 1)


def _table(name: str, key: tuple[str, ...], *columns: Column) -> Table:
    return Table(
        name=name,
        grain="one row",
        description="A table for tests.",
        source=Source.PLATFORM,
        key=key,
        time="created_at",
        columns=(
            *columns,
            Column("known_at", ColumnType.TIMESTAMP, "When this state became known.", required=False),
            Column("deleted_at", ColumnType.TIMESTAMP, "When it was deleted softly.", required=False),
        ),
        retention=RetentionClass.TRANSACTION_LOG,
        version="known_at",
    )


ACCOUNTS = _table(
    "accounts",
    ("account_id",),
    Column("account_id", ColumnType.TEXT, "Account."),
    Column("created_at", ColumnType.TIMESTAMP, "When it was opened."),
    Column("wallet", ColumnType.ADDRESS, "Wallet.", required=False, personal=PersonalData.LINK),
)
PURCHASES = _table(
    "purchases",
    ("account_id", "number"),
    Column("account_id", ColumnType.TEXT, "Account."),
    Column("number", ColumnType.INTEGER, "Purchase of the account."),
    Column("created_at", ColumnType.TIMESTAMP, "When."),
    Column("token_id", ColumnType.UINT256, "Token.", required=False),
    Column("amount", ColumnType.MONEY, "Amount.", required=False),
    Column("weight", ColumnType.NUMBER, "Weight.", required=False),
    Column("is_gift", ColumnType.BOOLEAN, "Whether it is a gift.", required=False),
    Column("receipt", ColumnType.HASH, "Receipt.", required=False),
    Column("note", ColumnType.TEXT, "Note.", required=False),
)
SHOP_TABLES = (ACCOUNTS, PURCHASES)


@dataclass
class Pipeline:
    """A deployment that takes a domain's tables from a platform."""

    workspace: Workspace
    source: PlatformSource
    domain: Domain

    def platform(self) -> psycopg.Connection:
        """A session of the platform itself."""
        return psycopg.connect(self.source.url, options=f"-c TimeZone=UTC -c search_path={self.source.schema}")

    def increment(self, progress: Callable[[str], None] = lambda message: None, now: datetime | None = None) -> Increment:
        with self.workspace.engine() as engine, self.workspace.catalog() as catalog, self.workspace.clients() as clients:
            return take_increment(
                engine,
                self.domain,
                self.source,
                self.workspace.lake(self.domain),
                catalog,
                FIRST_DAY,
                now or datetime.now(UTC),
                clients,
                progress,
            )

    def landed(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """The rows of a table in the lake, all versions, in the order of their landing."""
        with self.workspace.engine() as engine, self.workspace.catalog() as catalog:
            paths = catalog.fragments_of(self.domain.name, table)
            return fetch_rows(engine, f"SELECT {columns} FROM {parquet(paths)}") if paths else []

    def ops(self, columns: str, table: str) -> list[tuple[Any, ...]]:
        """What a table of the schema `ops` says of the domain, in order."""
        with self.workspace.catalog() as catalog:
            query = f"SELECT {columns} FROM ops.{table} WHERE domain = %s ORDER BY {columns}"
            return catalog.connection.execute(query, (self.domain.name,)).fetchall()


def of(increment: Increment, table: str) -> TableIncrement:
    return next(found for found in increment.tables if found.table == table)


def add_account(connection: psycopg.Connection, account: str, updated_at: datetime, **columns: object) -> None:
    """Insert an account as of some moment; not committed."""
    row = {"account_id": account, "created_at": updated_at, "updated_at": updated_at, **columns}
    names = ", ".join(row)
    connection.execute(f"INSERT INTO accounts ({names}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))


def minutes_ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)
