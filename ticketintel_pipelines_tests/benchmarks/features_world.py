"""Ticket transactions for the benchmark `features`: seeded, in order of time, wallets and events as texts."""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.features.folds import DAY, MICROSECONDS
from ticketintel_pipelines.features.rows import Integers

START = 1_672_531_200 * MICROSECONDS
"""2023-01-01, a midnight."""
GROUP_ROWS = 1 << 18

WALLETS_ARE_ACTIVE_DAYS = 180
EVENTS_ARE_ON_SALE_DAYS = 60
TICKET_MOVES = 3


@dataclass(frozen=True)
class World:
    """So many transactions on so many days; `wallets` and `events` in all, of which each is active for a while."""

    transactions: int
    days: int
    wallets: int
    events: int
    seed: int = 7

    @property
    def daily(self) -> int:
        return self.transactions // self.days

    def of_days(self, days: int) -> "World":
        """A longer or shorter one with as much on each day."""
        share = days / self.days
        return replace(
            self, transactions=self.daily * days, days=days, wallets=int(self.wallets * share), events=int(self.events * share)
        )

    def numbers_of_day(self, day: int) -> dict[str, Integers]:
        """The transactions of one day, counted from 0: times in whole seconds, so that many have peers."""
        random = np.random.default_rng((self.seed, day))
        count = self.daily
        seconds = np.sort(random.integers(0, 24 * 3600, count))
        price = np.rint(random.lognormal(4, 0.6, count) * 100).astype(np.int64)
        return {
            "transaction_id": day * count + np.arange(count),
            "seen": START + day * DAY + seconds * MICROSECONDS,
            # A power law among those who are active: few of them make most of the transactions.
            "wallet": self._active(random.power(0.6, count), day, self.wallets, WALLETS_ARE_ACTIVE_DAYS),
            "event": self._active(random.power(0.8, count), day, self.events, EVENTS_ARE_ON_SALE_DAYS),
            "ticket": random.integers(max(0, day - 90) * count, (day + 1) * count, count) // TICKET_MOVES,
            "price_cents": price,
        }

    def _active(self, ranks: np.ndarray, day: int, everyone: int, active_days: int) -> Integers:
        share = min(1.0, active_days / self.days)
        active = max(1, int(everyone * share))
        first = int((everyone - active) * day / max(1, self.days - 1))
        return first + np.minimum((ranks * active).astype(np.int64), active - 1)

    def write(self, path: Path) -> Path:
        """All days as one Parquet file: wallets as addresses, events as names."""
        # Hashes, so that texts that are near each other in time have nothing in common.
        addresses = [f"0x{sha256(b'%d' % wallet).hexdigest()[:40]}" for wallet in range(self.wallets)]
        names = {"wallet": pa.array(addresses), "event": pa.array([f"event-{event:06d}" for event in range(self.events)])}
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
            held: list[pa.Table] = []
            for day in range(self.days):
                held.append(as_texts(self.numbers_of_day(day), names))
                if sum(len(table) for table in held) >= GROUP_ROWS or day == self.days - 1:
                    writer.write_table(pa.concat_tables(held).combine_chunks(), row_group_size=GROUP_ROWS)
                    held = []
        return path


SCHEMA = pa.schema(
    {
        "transaction_id": pa.int64(),
        "seen": pa.timestamp("us", "UTC"),
        "wallet": pa.string(),
        "event": pa.string(),
        "ticket": pa.int64(),
        "price_cents": pa.int64(),
    }
)


def as_texts(numbers: dict[str, Integers], names: dict[str, pa.Array]) -> pa.Table:
    texts = {name: pc.take(texts, pa.array(numbers[name])) for name, texts in names.items()}
    seen = pa.array(numbers["seen"], pa.timestamp("us", "UTC"))
    plain = {name: pa.array(numbers[name]) for name in ("transaction_id", "ticket", "price_cents")}
    return pa.table(plain | texts | {"seen": seen}).select(SCHEMA.names)
