"""Dirt as real extracts have it. Every planted row breaks exactly one declared rule and touches no other row.

Without the planted rows the extract is the one of the same world without defects.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.events import TRANSFER
from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex
from ticketintel_pipelines.ticketing.simulator.chain import ChainDay
from ticketintel_pipelines.ticketing.simulator.clock import SECOND, Day, Purpose
from ticketintel_pipelines.ticketing.simulator.parameters import Dirt
from ticketintel_pipelines.ticketing.simulator.texts import Ids, choose, money, timestamps
from ticketintel_pipelines.ticketing.tables import TICKETING

EXACT_DUPLICATE = "exact_duplicate"
UNDECODABLE = "undecodable"
"""Not a declared rule: the decoder refuses such a log."""
BAD_CURRENCIES = ("usd", "US$", "Dollar")
BAD_ADDRESSES = ("unknown", "localhost", "10.0.0", "n/a")
SECOND_SCAN_S = (20.0, 900.0)
EARLY_S = (60.0, 3_600.0)
MISSING_USER_SERIAL = 990_000
"""Sign-ups of a day never reach this number."""

TRUTH_SCHEMA = pa.schema([("table", pa.string()), ("key", pa.string()), ("defect", pa.string()), ("rule", pa.string())])


@dataclass
class Planted:
    """The day's tables with defects, and what was planted."""

    tables: dict[str, pa.Table]
    rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, table: str, extra: pa.Table, defect: str, rule: str) -> None:
        self.tables[table] = pa.concat_tables([self.tables[table], extra])
        self.note(table, extra, defect, rule)

    def note(self, table: str, extra: pa.Table, defect: str, rule: str) -> None:
        columns = [extra[name].cast(pa.string()).to_pylist() for name in TICKETING.by_name[table].key]
        for parts in zip(*columns, strict=True):
            self.rows.append({"table": table, "key": ":".join(parts), "defect": defect, "rule": rule})


def plant(day: Day, dirt: Dirt, daily_events: int, ids: Ids, tables: dict[str, pa.Table], chain: ChainDay) -> Planted:
    """Adds the day's defects to its clean tables. Additional rows carry numbers after those of the clean ones."""
    rng = day.generator(Purpose.DEFECTS)
    clean = dict(tables)
    planted = Planted(dict(tables))
    least = 1 if daily_events >= dirt.full_kinds_from else 0

    def count(weight: float) -> int:
        return max(least, int(dirt.share * daily_events * weight + rng.random()))

    for kind in (
        _negative_amounts,
        _missing_users,
        _early_payments,
        _bad_currencies,
        _second_scans,
        _bad_addresses,
    ):
        wanted = count(dirt.kind_weight)
        kind(rng, day, ids, clean, planted, wanted)
    _broken_logs(rng, clean, planted, chain, count(dirt.kind_weight))
    for name in planted.tables:
        planted.tables[name] = _in_time_order(name, planted.tables[name], clean[name])
    for name, weight in dirt.duplicate_weights:
        again = clean[name].take(_some_rows(rng, clean[name].num_rows, count(weight)))
        # A delivery repeated by the source comes after the rest of the file.
        planted.add(name, again, EXACT_DUPLICATE, EXACT_DUPLICATE)
    return planted


def _some_rows(rng: np.random.Generator, rows: int, count: int) -> pa.Array:
    return pa.array(np.sort(rng.permutation(rows)[:count]).astype(np.int64))


def _with(table: pa.Table, **columns: pa.Array) -> pa.Table:
    """The table with some columns replaced."""
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), pa.array(values))
    return table


def _fresh(ids: Ids, prefix: str, day: Day, planted: Planted, table: str, count: int) -> pa.StringArray:
    first = planted.tables[table].num_rows
    return ids.column(prefix, day.index, first + np.arange(count))


def _microseconds(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int64()).to_numpy()


def _orders_nobody_paid(
    rng: np.random.Generator, day: Day, ids: Ids, clean: dict[str, pa.Table], planted: Planted, count: int
) -> pa.Table:
    """Additional cancelled orders, so that no payment or transaction hangs on them."""
    rows = clean["orders"].take(_some_rows(rng, clean["orders"].num_rows, count))
    return _with(
        rows,
        order_id=_fresh(ids, "o", day, planted, "orders", rows.num_rows),
        created_at=timestamps(_microseconds(rows["created_at"]) + rng.integers(1, 20 * SECOND, rows.num_rows)),
        status=pa.repeat("cancelled", rows.num_rows),
        transaction_hash=pa.nulls(rows.num_rows, pa.string()),
    )


def _negative_amounts(
    rng: np.random.Generator, day: Day, ids: Ids, clean: dict[str, pa.Table], planted: Planted, count: int
) -> None:
    extra = _orders_nobody_paid(rng, day, ids, clean, planted, count)
    cents = pc.multiply(extra["amount"].cast(pa.float64()), 100).to_numpy()
    planted.add("orders", _with(extra, amount=money(-np.round(cents).astype(np.int64))), "negative_amount", "amount_range")


def _missing_users(
    rng: np.random.Generator, day: Day, ids: Ids, clean: dict[str, pa.Table], planted: Planted, count: int
) -> None:
    extra = _orders_nobody_paid(rng, day, ids, clean, planted, count)
    nobody = ids.column("u", day.index, MISSING_USER_SERIAL + np.arange(extra.num_rows))
    planted.add("orders", _with(extra, user_id=nobody), "missing_user", "user_id_exists")


def _early_payments(
    rng: np.random.Generator, day: Day, ids: Ids, clean: dict[str, pa.Table], planted: Planted, count: int
) -> None:
    orders = clean["orders"].take(_some_rows(rng, clean["orders"].num_rows, count))
    rows = orders.num_rows
    created = _microseconds(orders["created_at"])
    early = np.minimum(rng.uniform(*EARLY_S, rows) * SECOND, (created - day.start_us) * 0.9).astype(np.int64)
    extra = pa.table(
        {
            "payment_id": _fresh(ids, "p", day, planted, "payments", rows),
            "paid_at": timestamps(created - early),
            "order_id": orders["order_id"],
            "user_id": orders["user_id"],
            "method": pa.repeat("card", rows),
            "instrument_id": pa.nulls(rows, pa.string()),
            "instrument_country": pa.nulls(rows, pa.string()),
            "amount": orders["amount"],
            "currency": orders["currency"],
            "status": pa.repeat("failed", rows),
        }
    )
    planted.add("payments", extra, "paid_before_order", "created_before_paid")


def _bad_currencies(
    rng: np.random.Generator, day: Day, ids: Ids, clean: dict[str, pa.Table], planted: Planted, count: int
) -> None:
    rows = clean["payments"].take(_some_rows(rng, clean["payments"].num_rows, count))
    extra = _with(
        rows,
        payment_id=_fresh(ids, "p", day, planted, "payments", rows.num_rows),
        currency=choose(BAD_CURRENCIES, rng.integers(0, len(BAD_CURRENCIES), rows.num_rows)),
        status=pa.repeat("failed", rows.num_rows),
    )
    planted.add("payments", extra, "unknown_currency", "currency_form")


def _second_scans(
    rng: np.random.Generator, day: Day, ids: Ids, clean: dict[str, pa.Table], planted: Planted, count: int
) -> None:
    rows = clean["check_ins"].take(_some_rows(rng, clean["check_ins"].num_rows, count))
    later = (rng.uniform(*SECOND_SCAN_S, rows.num_rows) * SECOND).astype(np.int64)
    extra = _with(
        rows,
        check_in_id=_fresh(ids, "k", day, planted, "check_ins", rows.num_rows),
        checked_in_at=timestamps(_microseconds(rows["checked_in_at"]) + later),
    )
    planted.add("check_ins", extra, "second_check_in", "checked_in_once")


def _bad_addresses(
    rng: np.random.Generator, day: Day, ids: Ids, clean: dict[str, pa.Table], planted: Planted, count: int
) -> None:
    rows = clean["sessions"].take(_some_rows(rng, clean["sessions"].num_rows, count))
    extra = _with(
        rows,
        session_id=_fresh(ids, "s", day, planted, "sessions", rows.num_rows),
        ip_address=choose(BAD_ADDRESSES, rng.integers(0, len(BAD_ADDRESSES), rows.num_rows)),
    )
    planted.add("sessions", extra, "no_address", "ip_hash_form")


def _broken_logs(rng: np.random.Generator, clean: dict[str, pa.Table], planted: Planted, chain: ChainDay, count: int) -> None:
    """Logs at the end of their block that claim to be a `Transfer` but lack topics and data."""
    last_of_block = np.ones(len(chain.log_block), dtype=bool)
    last_of_block[:-1] = chain.log_block[1:] != chain.log_block[:-1]
    ends = np.flatnonzero(last_of_block)
    chosen = ends[_some_rows(rng, len(ends), count).to_numpy()]
    transfers = np.flatnonzero(chain.is_transfer)
    contracts = clean["logs"]["address"].combine_chunks().take(pa.array(rng.choice(transfers, len(chosen))))
    rows = clean["logs"].take(pa.array(chosen))
    sender = bytes_to_hex(rng.integers(0, 256, (len(chosen), 20), dtype=np.uint8)).to_pylist()
    topics = [[TRANSFER.topic, "0x" + "0" * 24 + address[2:]] for address in sender]
    data = ["0x" if place % 2 else "0x" + "00" * 15 for place in range(len(chosen))]
    extra = _with(
        rows,
        transaction_hash=bytes_to_hex(rng.integers(0, 256, (len(chosen), 32), dtype=np.uint8)),
        transaction_index=pa.array(chain.log_transaction_index[chosen] + 1, pa.int64()),
        log_index=pa.array(chain.log_index[chosen] + 1, pa.int64()),
        address=contracts,
        topics=pa.array(topics, pa.list_(pa.string())),
        data=pa.array(data, pa.string()),
    )
    planted.add("logs", extra, "broken_log", UNDECODABLE)


def _in_time_order(name: str, table: pa.Table, clean: pa.Table) -> pa.Table:
    if table.num_rows == clean.num_rows:
        return table
    keys = ["block_number", "log_index"] if name == "logs" else [TICKETING.by_name[name].time]
    columns = [table[key].cast(pa.int64()).to_numpy() for key in reversed(keys)]
    return table.take(pa.array(np.lexsort(columns)))
