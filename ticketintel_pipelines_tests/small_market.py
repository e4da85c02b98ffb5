"""A small market in memory, as a window shows it: events, tickets, first sales and resales, and what is known of each."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.learning.window import Window

FIRST = date(2026, 1, 1)
TIMES = pa.timestamp("us", tz="UTC")
RATE = 3_000
"""USD an ETH."""


def instant(day: float) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=day)


def small_market(days: int = 44, events: int = 24, seed: int = 3) -> dict[str, pa.Table]:
    """Tables by name. Each event sells for a week and is resold at a mark-up of its own; some sales share their instant."""
    random = np.random.default_rng(seed)
    opening = random.uniform(0, days - 5, events)
    face, mark_up = random.integers(20, 120, events), random.uniform(0.2, 1.2, events)
    event_rows, tickets, sales = [], [], []
    for event in range(events):
        name, contract = f"e{event:03}", f"0x{event:040x}"
        event_rows.append(
            (
                name,
                instant(opening[event] - 2),
                "concert",
                contract,
                100,
                float(face[event]),
                opening[event],
                opening[event] + 8,
            )
        )
        for token in range(30):
            # Whole hours, so that several sales fall on one instant.
            bought = opening[event] + int(random.exponential(24)) / 24
            tickets.append((f"{name}-{token}", instant(bought), name, contract, str(token), "standard", float(face[event])))
            sales.append((bought, "primary_sale", name, contract, token, 1.1 * face[event], 1.1 * face[event]))
            if random.random() < 0.6:
                paid = face[event] * np.exp(mark_up[event] + 0.2 * random.normal())
                later = min(bought + int(1 + random.exponential(60)) / 24, opening[event] + 7.9)
                sales.append((later, "resale", name, contract, token, paid, None))
    sales = sorted((one for one in sales if one[0] < days), key=lambda one: (one[0], one[2], one[4], one[1]))
    columns = list(zip(*sales, strict=True))
    at = [instant(one) for one in columns[0]]
    keys = [f"t{number:05}" for number in range(len(sales))]
    starts = np.array([opening[int(name[1:])] + 8 for name in columns[2]])
    return {
        "events": pa.table(
            {
                "event_id": [one[0] for one in event_rows],
                "created_at": pa.array([one[1] for one in event_rows], TIMES),
                "category": [one[2] for one in event_rows],
                "contract_address": [one[3] for one in event_rows],
                "capacity": [one[4] for one in event_rows],
                "face_value_usd": [one[5] for one in event_rows],
                "on_sale_at": pa.array([instant(one[6]) for one in event_rows], TIMES),
                "starts_at": pa.array([instant(one[7]) for one in event_rows], TIMES),
            }
        ),
        "tickets": pa.table(
            {
                name: pa.array([one[place] for one in tickets], TIMES if name == "issued_at" else None)
                for place, name in enumerate(
                    ("ticket_id", "issued_at", "event_id", "contract_address", "token_id", "tier", "face_value_usd")
                )
            }
        ),
        "transactions": pa.table(
            {
                "transaction_id": keys,
                "occurred_at": pa.array(at, TIMES),
                "kind": list(columns[1]),
                "marketplace": ["platform"] * len(sales),
                "contract_address": list(columns[3]),
                "token_id": [str(one) for one in columns[4]],
                "quantity": ["1"] * len(sales),
                "event_id": list(columns[2]),
                "ticket_id": [f"{event}-{token}" for event, token in zip(columns[2], columns[4], strict=True)],
                "price_wei": [str(int(one / RATE * 1e18)) for one in columns[5]],
                "price_usd": pa.array(columns[6], pa.float64()),
            }
        ),
        "features": pa.table(
            {
                "transaction_id": keys,
                "occurred_at": pa.array(at, TIMES),
                "event_popularity_score": np.full(len(sales), 0.5),
                "minutes_since_on_sale": np.full(len(sales), 60.0),
                "hours_to_event": (starts - np.array(columns[0])) * 24,
                "event_transactions_per_seat": np.full(len(sales), 0.2),
            }
        ),
    }


def without_events(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The same sales as a chain alone shows them: one collection, no events, tickets, orders or features."""
    sales = tables["transactions"].to_pylist()
    for number, one in enumerate(sales):
        # Four sales a token, weeks apart.
        token = number % (len(sales) // 4)
        sales[number] = one | {
            "kind": "resale",
            "event_id": None,
            "ticket_id": None,
            "price_usd": None,
            "contract_address": "0xcc",
            "token_id": str(token),
        }
    whole = {name: table.slice(0, 0) for name, table in tables.items()}
    return {**whole, "transactions": pa.Table.from_pylist(sales, schema=tables["transactions"].schema)}


def seen(tables: Mapping[str, pa.Table], first: int, last: int, reach_days: int) -> Window:
    """What a window of the days `first` to `last` shows, counted from the first day of the market."""
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    days = DayRange(FIRST + timedelta(days=first), FIRST + timedelta(days=last))
    reach = DayRange(days.first - timedelta(days=reach_days), days.last)
    for name, table in tables.items():
        engine.register(f"all_{name}", table)
        time = {"events": "created_at", "tickets": "issued_at"}.get(name, "occurred_at")
        begin = "TIMESTAMPTZ '1970-01-01 00:00:00+00'" if time != "occurred_at" else f"DATE '{reach.first}'"
        end = f"DATE '{days.last + timedelta(days=1)}'"
        engine.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM all_{name} WHERE {time} >= {begin} AND {time} < {end}")
    return Window(engine, days, reach, frozenset(name for name, table in tables.items() if not len(table)))
