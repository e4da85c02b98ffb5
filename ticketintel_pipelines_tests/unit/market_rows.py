"""A small market as views that models over windows read: a few events, wallets of three habits, no files."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.window import Window

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = {
    "transaction_id": pa.string(),
    "occurred_at": pa.timestamp("us", "UTC"),
    "kind": pa.string(),
    "contract_address": pa.string(),
    "token_id": pa.string(),
    "event_id": pa.string(),
    "seller_address": pa.string(),
    "buyer_address": pa.string(),
    "buyer_source": pa.string(),
    "price_wei": pa.string(),
}
EVENT_COLUMNS = {
    "event_id": pa.string(),
    "category": pa.string(),
    "on_sale_at": pa.timestamp("us", "UTC"),
    "starts_at": pa.timestamp("us", "UTC"),
}
Row = dict[str, object]


def wallet(number: int) -> str:
    return f"0x{number:040x}"


def sale(
    at: datetime,
    buyer: str | None,
    eth: float = 1.0,
    seller: str | None = None,
    token: str = "1",
    event: str | None = None,
    kind: str = "",
    source: str = "recorded",
) -> Row:
    """One transaction: a primary sale, or a resale where somebody sells."""
    return {
        "occurred_at": at,
        "kind": kind or ("resale" if seller else "primary_sale"),
        "contract_address": wallet(9),
        "token_id": token,
        "event_id": event,
        "seller_address": seller,
        "buyer_address": buyer,
        "buyer_source": source,
        "price_wei": str(round(eth * 10**9) * 10**9),
    }


def events(number: int = 4, days: int = 10) -> list[Row]:
    """Events that open on the first day, a few hours apart, and start after so many days."""
    return [
        {
            "event_id": f"e{place}",
            "category": ("concert", "sport")[place % 2],
            "on_sale_at": BEGIN + timedelta(hours=place),
            "starts_at": BEGIN + timedelta(days=days, hours=20),
        }
        for place in range(number)
    ]


def market(days: int = 12, seed: int = 1) -> list[Row]:
    """Sales of so many days: many wallets that buy little, some that buy much, a few that resell at twice the price."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    token = 0
    for day in range(days):
        for number in range(200):
            habit = "big" if number < 30 else "trader" if number < 50 else "small"
            if random.random() > {"big": 0.9, "trader": 0.8, "small": 0.25}[habit]:
                continue
            for _ in range(3 if habit == "big" else 1):
                token += 1
                at = BEGIN + timedelta(days=day, seconds=int(random.integers(0, 70_000)))
                price = float(random.lognormal(0, 0.2)) * (0.5 if habit == "big" else 0.05)
                one = sale(at, wallet(1000 + number), price, token=str(token), event=f"e{token % 4}")
                rows.append(one)
                if habit == "trader":
                    later = at + timedelta(seconds=int(random.integers(600, 15_000)))
                    buyer = wallet(1000 + int(random.integers(50, 200)))
                    rows.append(sale(later, buyer, price * 2, wallet(1000 + number), str(token), f"e{token % 4}"))
    return rows


@contextmanager
def window(
    folder: Path, transactions: list[Row], first: date, last: date, event_rows: list[Row] | None = None, reach_days: int = 0
) -> Iterator[Window]:
    """A window whose views hold what lies on its days and so many before, as a lake's would."""
    event_rows = events() if event_rows is None else event_rows
    reach = DayRange(first - timedelta(days=reach_days), last)
    kept = [
        {"transaction_id": f"t{place}", **row}
        for place, row in enumerate(transactions)
        if isinstance(row["occurred_at"], datetime) and reach.first <= row["occurred_at"].date() <= last
    ]
    with open_engine(folder) as engine:
        for name, rows, columns in (("transactions", kept, COLUMNS), ("events", event_rows, EVENT_COLUMNS)):
            table = pa.table({column: pa.array([row[column] for row in rows], kind) for column, kind in columns.items()})
            engine.register(f"{name}_rows", table)
            engine.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM {name}_rows")
        yield Window(engine, DayRange(first, last), reach, frozenset())


def same(one: pa.Table, two: pa.Table) -> bool:
    """Whether two tables hold the same rows in any order."""
    names = one.column_names
    return names == two.column_names and sorted(map(repr, one.to_pylist())) == sorted(map(repr, two.to_pylist()))
