"""Small worlds of visits and of trade, as the windows that the models of behaviour read."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.learning.window_model import WindowModel
from ticketintel_pipelines.ticketing.tables import TICKETING

Tables = Mapping[str, Sequence[Mapping[str, Any]]]
TRUTH = {
    "wallets": {"wallet_address": "VARCHAR", "user_id": "VARCHAR", "role": "VARCHAR"},
    "transactions": {"transaction_id": "VARCHAR", "label": "VARCHAR", "is_hidden": "BOOLEAN"},
}


def window_of(
    engine: duckdb.DuckDBPyConnection, model: WindowModel, tables: Tables, days: DayRange, truth: Tables | None = None
) -> Window:
    """The views of a model over rows given as dictionaries, cut to what was there on the days reached."""
    engine.execute("SET TimeZone = 'UTC'")
    reach = DayRange(days.first - timedelta(days=model.reach_days), days.last)
    empty = set()
    for name in (*model.reads, *model.whole):
        table = TICKETING.by_name[name]
        first = reach.first if name in model.reads else date.min
        rows = [row for row in tables.get(name, ()) if first <= row[table.time].date() <= days.last]
        _create(engine, name, table.duckdb_types, rows)
        if not rows:
            empty.add(name)
    if truth is not None:
        for name, kinds in TRUTH.items():
            _create(engine, f"truth_{name}", kinds, truth[name])
    return Window(engine, days, reach, frozenset(empty), truth is not None)


def _create(engine: duckdb.DuckDBPyConnection, name: str, kinds: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    engine.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in kinds.items())})")
    if rows:
        given = [column for column in kinds if column in rows[0]]
        arrow = pa.table({column: [row[column] for row in rows] for column in given})  # noqa: F841 (read by the statement)
        engine.execute(f"INSERT INTO {name} ({', '.join(given)}) SELECT * FROM arrow")


def visits_world(first: date, days: int, visits: int, seed: int) -> tuple[Tables, Tables]:
    """So many visits a day of people and, one in thirty, of three accounts of bots, which ask evenly; and the truth."""
    random = np.random.default_rng(seed)
    sessions, requests, orders, trades, reviews = [], [], [], [], []
    midnight = datetime.fromisoformat(f"{first}T00:00:00+00:00")
    on_sale = midnight + timedelta(hours=12)
    for number in range(days * visits):
        bot = number % 30 == 0
        start = midnight + timedelta(days=number // visits, seconds=float(random.uniform(0, 86_000)))
        stay = float(random.uniform(60, 3_000))
        user = f"bot-{number // 30 % 3}" if bot else f"user-{random.integers(0, 400)}" if random.random() < 0.7 else None
        key = f"s{number}"
        sessions.append(
            {
                "session_id": key,
                "started_at": start,
                "ended_at": start + timedelta(seconds=stay),
                "user_id": user,
                "ip_hash": "rented" if bot else f"ip-{random.integers(0, 300)}",
                "device_id": "d-bot" if bot else f"d-{user or number}",
                "user_agent": "python-requests/2" if bot else str(random.choice(["Firefox", "Safari", "Chrome", "App"])),
                "page_views": 1 + int(random.poisson(stay / 60)),
            }
        )
        count = 24 if bot else int(random.integers(0, 9))
        offsets = (np.arange(count) + 0.5) * stay / count if bot else np.sort(random.uniform(0, stay, count))
        for place, offset in enumerate(offsets.tolist()):
            requests.append(
                {
                    "request_id": f"{key}-{place}",
                    "requested_at": start + timedelta(seconds=offset),
                    "session_id": key,
                    "method": "POST" if random.random() < (0.5 if bot else 0.2) else "GET",
                    "path": f"/v1/{random.integers(0, 3 if bot else 12)}",
                    "status_code": int(random.choice([200, 429], p=[0.7, 0.3] if bot else [0.95, 0.05])),
                }
            )
        if user and random.random() < 0.4:
            orders.append(
                {
                    "order_id": f"o{number}",
                    "created_at": start + timedelta(seconds=2 if bot else stay / 2),
                    "user_id": user,
                    "event_id": "e",
                    "session_id": key,
                    "market": "primary",
                    "quantity": int(random.integers(1, 5)),
                }
            )
            trades.append(trade(f"t{number}", start + timedelta(seconds=stay), buyer=user, token=number) | {"user_id": user})
            if bot:
                reviews.append(verdict(f"t{number}", start + timedelta(hours=30), "bot"))
    event = {"event_id": "e", "created_at": midnight - timedelta(days=9), "on_sale_at": on_sale}
    tables: Tables = {
        "sessions": sessions,
        "api_requests": requests,
        "orders": orders,
        "transactions": trades,
        "fraud_reviews": reviews,
        "events": [event],
    }
    wallets = [{"wallet_address": f"w{n}", "user_id": f"bot-{n}", "role": "bot"} for n in range(3)]
    return tables, {"wallets": wallets, "transactions": [{"transaction_id": "t0", "label": "bot", "is_hidden": False}]}


def trade(
    key: str,
    at: datetime,
    *,
    buyer: str | None,
    seller: str | None = None,
    token: int = 0,
    price: float = 1.0,
    event: str | None = "e",
    source: str = "recorded",
) -> dict[str, Any]:
    """A transaction: a primary sale, or with a seller a resale; the price in ETH."""
    return {
        "transaction_id": key,
        "occurred_at": at,
        "kind": "resale" if seller else "primary_sale",
        "contract_address": "c",
        "token_id": str(token),
        "event_id": event,
        "seller_address": seller,
        "buyer_address": buyer,
        "buyer_source": source,
        "price_wei": str(int(price * 10**18)),
        "block_number": int(at.timestamp()) // 12,
        "log_index": token,
        "transaction_hash": f"0x{key}",
        "user_id": None,
    }


def verdict(transaction: str, at: datetime, kind: str) -> dict[str, Any]:
    """A verdict of fraud on a transaction."""
    return {
        "review_id": f"r-{transaction}",
        "decided_at": at,
        "transaction_id": transaction,
        "verdict": "fraud",
        "fraud_kind": kind,
    }


def trade_world(first: date, days: int, seed: int) -> tuple[Tables, Tables]:
    """Events that open daily, fans who keep most tickets, six scalpers who sell theirs dear within hours; and the truth."""
    random = np.random.default_rng(seed)
    midnight = datetime.fromisoformat(f"{first}T00:00:00+00:00")
    events, trades, reviews, token = [], [], [], 0
    for day in range(days):
        opens = midnight + timedelta(days=day, hours=6)
        events.append({"event_id": f"e{day}", "created_at": opens - timedelta(days=2), "on_sale_at": opens})
        buyers = [(f"0xfan{random.integers(0, 120)}", False) for _ in range(40)]
        buyers += [(f"0xscalper{number}", True) for number in range(6) if random.random() < 0.4]
        for wallet, scalper in buyers:
            at = opens + timedelta(seconds=float(random.uniform(5, 300 if scalper or random.random() < 0.2 else 40_000)))
            for _ in range(4 if scalper else int(random.integers(1, 5))):
                token += 1
                trades.append(trade(f"p{token}", at, buyer=wallet, token=token, event=f"e{day}"))
                if random.random() < (0.9 if scalper else 0.15):
                    held = float(random.uniform(2, 12) if scalper else random.uniform(1, 200))
                    price = float(random.uniform(1.3, 2.5) if scalper else random.uniform(0.7, 1.6))
                    trades.append(
                        trade(
                            f"r{token}",
                            at + timedelta(hours=held),
                            seller=wallet,
                            buyer=f"0xfan{random.integers(0, 120)}",
                            token=token,
                            price=price,
                            event=f"e{day}",
                        )
                    )
                if scalper:
                    reviews.append(verdict(f"p{token}", at + timedelta(days=1, hours=5), "scalping"))
    last = midnight + timedelta(days=days)
    tables: Tables = {
        "events": events,
        "transactions": [row for row in trades if row["occurred_at"] < last],
        "fraud_reviews": reviews,
    }
    wallets = [{"wallet_address": f"0xscalper{n}", "user_id": f"u{n}", "role": "scalper"} for n in range(6)]
    hidden = [{"transaction_id": "p1", "label": "scalping", "is_hidden": True}]
    return tables, {"wallets": wallets, "transactions": hidden}
