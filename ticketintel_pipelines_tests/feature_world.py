"""Random observations of a ticket market, with ties, gaps and missing keys, and the features of them in one go."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa

from ticketintel_pipelines.contract import ColumnType
from ticketintel_pipelines.features.folds import DAY, MICROSECONDS, stored_states
from ticketintel_pipelines.features.rows import MISSING, SEEN, Integers, Rows, nullable
from ticketintel_pipelines.features.states import no_states
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.feature_rows import fold_all, formula, rows_of, start_of, with_centrality, with_columns
from ticketintel_pipelines.ticketing.features.families import FAMILIES
from ticketintel_pipelines_tests.kept_states import Kept

DAYS = 40
HORIZON = (DAYS + 1) * DAY
SPAN = DayRange(date(1970, 1, 1), date(1970, 1, 1) + timedelta(days=DAYS))
DESCRIBING = tuple(family for family in FAMILIES if family.features)


def observations(transactions: int, seed: int) -> dict[str, pa.Table]:
    """Tables of the observations by name; instants are whole minutes, so that many rows share one."""
    random = np.random.default_rng(seed)

    def column(rows: int, values: int, missing: float = 0.05) -> Integers:
        return np.where(random.random(rows) < missing, MISSING, random.integers(0, values, rows))

    def table(rows: int, **columns: Integers) -> pa.Table:
        seen = np.sort(random.integers(0, DAYS * 1440, rows)) * 60 * MICROSECONDS
        return pa.table({"seen": seen, **{name: nullable(values) for name, values in columns.items()}})

    n, wallets, people = transactions, max(transactions // 20, 3), max(transactions // 10, 3)
    moves = table(
        n,
        wallet_key=column(n, wallets),
        seller_key=column(n, wallets, 0.4),
        event_key=column(n, 50),
        ticket_key=column(n, n // 2),
        device_key=column(n, people),
        ip_block_key=column(n, wallets),
        instrument_key=column(n, people),
        price_gwei=column(n, 1000),
        amount_cents=column(n, 10_000),
        face_value_cents=column(n, 10_000),
        on_sale=column(n, DAYS * DAY),
        starts=column(n, DAYS * DAY),
        capacity=column(n, 1000),
    )
    names = ("event_key", "seller_key", "device_key", "ip_block_key", "instrument_key", "wallet_key")
    labels = {name: column(n, people) for name in names}
    return {
        "transactions": moves.append_column("transaction_id", pa.array([f"transaction {place}" for place in range(n)])),
        "wallet_moves": table(2 * n, wallet_key=column(2 * n, wallets)),
        "located_sessions": table(n, wallet_key=column(n, wallets), latitude=column(n, 900, 0), longitude=column(n, 1800, 0)),
        "payments_made": table(n, wallet_key=column(n, wallets), method_key=column(n, 6)),
        "check_ins_seen": table(n // 2, ticket_key=column(n // 2, n // 2), event_key=column(n // 2, 50)),
        "labels": table(n, **labels, settled=column(n, 2, 0), fraud=column(n, 2, 0)),
        "listings": table(n // 4, wallet_key=column(n // 4, wallets, 0), list_key=column(n // 4, 3, 0)),
        "event_life": table(100, event_key=column(100, 50), step=column(100, 2, 0) * 2 - 1),
    }


def in_one_go(
    tables: Mapping[str, pa.Table], horizon: int = HORIZON, kept: Mapping[str, Kept] | None = None
) -> dict[str, pa.Table]:
    """The rows of every family; what is stored of its states goes to `kept`."""
    arrow = dict(tables)
    rows = {name: rows_of(table, _whole_numbers(table)) for name, table in arrow.items()}
    with duckdb.connect() as engine:
        for family in FAMILIES:
            asking = arrow[family.asked_by]
            if family.graph is not None:
                asked = with_centrality(family.graph, asking, SPAN, partial(_of_days, rows[family.graph.of]))
            else:
                answers, states = fold_all(family, rows, horizon, no_states)
                for name, stored in stored_states(family.folds, states).items() if kept is not None else ():
                    kept[family.name].write(name, stored)
                asked = with_columns(asking, answers)
            made = formula(engine, family, asked, {})
            whole = [column.name for column in family.columns if column.type is ColumnType.INTEGER]
            arrow[family.name], rows[family.name] = made, rows_of(made, whole)
    return {family.name: arrow[family.name] for family in FAMILIES}


def _of_days(rows: Rows, days: DayRange) -> Rows:
    seen = rows[SEEN]
    there = (seen >= start_of(days.first)) & (seen < start_of(days.last + timedelta(days=1)))
    return Rows({name: column[there] for name, column in rows.columns.items()})


def _whole_numbers(table: pa.Table) -> list[str]:
    return [field.name for field in table.schema if pa.types.is_integer(field.type)]


def in_order(tables: Mapping[str, pa.Table]) -> Iterator[tuple[str, int, dict[str, object]]]:
    """All rows as they were seen: table, place in it, row."""
    rows = [(row["seen"], name, place, row) for name, table in tables.items() for place, row in enumerate(table.to_pylist())]
    for _, name, place, row in sorted(rows, key=lambda found: found[0]):
        yield name, place, row
