"""What tests of retention share: a depot of tables of several classes, with rows of chosen days, and its archive."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Column, ColumnType, Domain, RetentionClass, Source, Table
from ticketintel_pipelines.progress import Progress, Silence
from ticketintel_pipelines.retention.carrying import carry_out
from ticketintel_pipelines.retention.outcome import Report
from ticketintel_pipelines.retention.plan import PURGING, Act, Kind, plan
from ticketintel_pipelines.retention.policy import DEFAULT_POLICY, Policy
from ticketintel_pipelines.retention.reconcile import Account, reconcile
from ticketintel_pipelines.retention.room import Bounds, Room

TODAY = date(2026, 5, 20)
"""So that, with 90 hot days, January is due and February is not; with 30, March is, and April up to the 19th."""

ALL_TYPES = (
    Column("order_id", ColumnType.TEXT, "Order."),
    Column("placed_at", ColumnType.TIMESTAMP, "When.", unit="UTC"),
    Column("buyer_address", ColumnType.ADDRESS, "Wallet.", required=False),
    Column("user_id", ColumnType.TEXT, "User.", required=False),
    Column("note", ColumnType.TEXT, "Anything.", required=False),
    Column("price_wei", ColumnType.UINT256, "Price.", required=False),
    Column("price_usd", ColumnType.MONEY, "Price.", required=False),
    Column("weight", ColumnType.NUMBER, "Weight.", required=False),
    Column("pieces", ColumnType.INTEGER, "Pieces.", required=False),
    Column("is_paid", ColumnType.BOOLEAN, "Paid.", required=False),
    Column("paid_at", ColumnType.TIMESTAMP, "When.", required=False),
)
BOUNDS = Bounds(lock_seconds=2)
_letters = itertools.count(1)


def table(name: str, retention: RetentionClass, columns: tuple[Column, ...] = ALL_TYPES) -> Table:
    return Table(name, "one order", "Orders.", Source.PLATFORM, ("order_id",), "placed_at", columns, retention)


ORDERS = table("orders", RetentionClass.TRANSACTION_LOG)
VISITS = table("visits", RetentionClass.USER_SESSION)
MINTS = table("mints", RetentionClass.ON_CHAIN)


@dataclass(frozen=True)
class Depot:
    """A domain of its own with three tables of the same columns: archived, not archived, permanent."""

    room: Room

    @property
    def name(self) -> str:
        return self.room.domain.name

    def as_of(self, **changes: Any) -> "Depot":
        return replace(self, room=replace(self.room, **changes))

    def rows(self, query: str, parameters: Sequence[object] | None = None) -> list[tuple]:
        """`{}` in the query stands for the schema."""
        with psycopg.connect(self.room.dsn) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(query.replace("{}", self.name), parameters).fetchall()

    def publish(self, which: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, and count them among the published ones of their days."""
        with psycopg.connect(self.room.dsn) as connection:
            names = which.column_names
            insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(self.name, which.name),
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join(sql.SQL("%s") for _ in names),
            )
            for month in sorted({row["placed_at"].date().replace(day=1) for row in rows}):
                made = connection.execute(
                    "SELECT ops.make_month_partition(%s, %s, %s)", (self.name, which.name, month)
                ).fetchone()
                if made != (None,):
                    connection.execute("SELECT ops.attach_month_partition(%s, %s, %s)", (self.name, which.name, month))
            connection.cursor().executemany(insert, [tuple(row.get(name) for name in names) for row in rows])
            for row in rows:
                connection.execute(
                    "INSERT INTO ops.published_days AS p (domain, table_name, day, rows_in, published, quarantined, "
                    "duplicates, content_hash, raw_sequence, run_id) VALUES (%s, %s, %s, 1, 1, 0, 0, '', 1, '') "
                    "ON CONFLICT (domain, table_name, day) DO UPDATE SET rows_in = p.rows_in + 1, published = p.published + 1",
                    (self.name, which.name, row["placed_at"].date()),
                )

    def content(self, which: Table) -> list[tuple]:
        """All rows that Postgres holds of a table, in order."""
        return self.rows(f"SELECT * FROM {{}}.{which.name} ORDER BY order_id")

    def retain(
        self, kinds: Sequence[Kind] = PURGING, today: date = TODAY, bounds: Bounds = BOUNDS, dry: bool = False
    ) -> Report[Act]:
        return carry_out(self.room, plan(self.room, today, kinds), bounds=bounds, dry_run=dry)

    def accounts(self) -> dict[str, Account]:
        return {account.table: account for account in reconcile(self.room)}

    def require_balanced(self) -> None:
        for account in self.accounts().values():
            assert account.missing == 0, account

    def ledger(self, columns: str = "act, table_name, rows") -> list[tuple]:
        query = f"SELECT {columns} FROM ops.retention_ledger WHERE domain = %s ORDER BY sequence"
        return self.rows(query, (self.name,))

    def files(self) -> set[str]:
        """What lies in the archive, relative to its domain."""
        home = self.room.archive / self.name
        return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def new_depot(dsn: str, archive: Path, policy: Policy = DEFAULT_POLICY, progress: Progress | None = None) -> Depot:
    """A depot without rows, in a schema of its own."""
    name = "depot_" + f"{next(_letters)}".translate(str.maketrans("0123456789", "abcdefghij"))
    domain = Domain(name, "A depot for tests.", (ORDERS, VISITS, MINTS))
    with psycopg.connect(dsn) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        for one in domain.tables:
            make_table(connection, name, one)
    return Depot(Room(dsn, archive, domain, policy, actor="a test", progress=progress or Silence()))


def make_table(connection: psycopg.Connection, schema: str, one: Table) -> None:
    key = {*one.key, one.time}
    columns = [
        f"{column.name} {column.type.postgres}{' NOT NULL' if column.required or column.name in key else ''}"
        for column in one.columns
    ]
    connection.execute(
        f"CREATE TABLE {schema}.{one.name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(one.key)}, {one.time})) "
        f"PARTITION BY RANGE ({one.time})"
    )


def order(name: str, day: date, **cells: Any) -> dict[str, Any]:
    """A row of a day, with a value in each column."""
    return {
        "order_id": name,
        "placed_at": datetime(day.year, day.month, day.day, 12, 30, 1, 123_456, tzinfo=UTC),
        "buyer_address": "0x" + "ab" * 20,
        "user_id": "u1",
        "note": "a note",
        "price_wei": Decimal(10) ** 18 + 1,
        "price_usd": Decimal("12.30"),
        "weight": 0.1,
        "pieces": 3,
        "is_paid": True,
        "paid_at": datetime(2026, 1, 1, tzinfo=UTC),
        **cells,
    }


def month_of_orders(month: date, count: int = 6, prefix: str = "") -> list[dict[str, Any]]:
    """So many rows of the first days of a month."""
    return [order(f"{prefix}{month:%m}-{number}", month + timedelta(days=number)) for number in range(count)]


class At:
    """Progress that does something when a step begins for the first time, and remembers all steps."""

    def __init__(self, step: str, act: Callable[[], object]) -> None:
        self.wanted = step
        self.act = act
        self.steps: list[str] = []

    def step(self, name: str) -> AbstractContextManager[None]:
        is_first = name == self.wanted and name not in self.steps
        self.steps.append(name)
        if is_first:
            self.act()
        return nullcontext()
