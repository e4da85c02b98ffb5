"""The observations of ticketing: validated rows by the instant from which on they were known, made by one SQL file each.

A row is known from its own time on, or from its `known_at` where that is later. It enters by its first version, so that what a
feature saw does not change when the platform changes the row. A file reads relations that are made here: rows of the days and a
few days before them from the lake, and whatever those name from the days on which it was recorded, found by Postgres' indexes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Column, ColumnType, PersonalData, Table
from ticketintel_pipelines.lake.engine import fetch_rows, fetch_table, identifier, parquet, parquet_as
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE, by_day, content_hash, start_of
from ticketintel_pipelines.stages.observation import Observed
from ticketintel_pipelines.stages.validate import HISTORY_STAGE, VALIDATE_STAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.features.families import SEEN_COLUMN, TRANSACTION_ID
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.lookups import look_up
from ticketintel_pipelines.warehouse.migrations import SQL_FOLDER

FILES = SQL_FOLDER / "ticketing" / "features" / "observations"
LATE_DAYS = 30
"""A row that becomes known later than so many days after its own day is not seen: looking further back costs every night."""
BEFORE_DAYS = 3
"""An order, its session and its payment come at most so long before the transaction that they lead to."""
LABEL_MATURITY_DAYS = 30
"""A transaction counts as honest once it is so old without being charged back; most chargebacks have come by then."""
LONGEST_PIECE_DAYS = 31
SEEN_ON_THE_DAYS = ", span WHERE seen >= span.first AND seen < span.past"
MICROSECONDS_OF_DAY = 86_400_000_000


@dataclass(frozen=True)
class Piece:
    """What making the relations of a few days has at hand."""

    engine: duckdb.DuckDBPyConnection
    catalog: Catalog
    lake: Lake
    days: DayRange


@dataclass(frozen=True)
class Observation:
    """One table of the stage `feature`: `prepare` makes the relations that its SQL file reads."""

    name: str
    description: str
    columns: tuple[Column, ...]
    reads: tuple[str, ...]
    prepare: Callable[[Piece], None]
    looks_back_days: int = LATE_DAYS
    observes: tuple[str, ...] = ()

    @property
    def sql(self) -> Path:
        return FILES / f"{self.name}.sql"


def observe(workspace: Workspace, days: DayRange, *, observation: Observation) -> dict[date, Observed]:
    """Put the rows seen on some days into the lake; days without any are left out of the answer."""
    observed: dict[date, Observed] = {}
    lake = workspace.lake(TICKETING)
    for first in days.days[::LONGEST_PIECE_DAYS]:
        piece_days = DayRange(first, min(first + timedelta(days=LONGEST_PIECE_DAYS - 1), days.last))
        with workspace.engine() as engine, workspace.catalog() as catalog, scratch_folder(lake) as scratch:
            engine.execute("CREATE MACRO key_of(value) AS CAST(md5_number_lower(value) >> 1 AS BIGINT)")
            engine.execute(
                f"CREATE TEMP TABLE span AS SELECT {start_of(piece_days.first)} AS first, "
                f"{start_of(piece_days.last + timedelta(days=1))} AS past"
            )
            observation.prepare(Piece(engine, catalog, lake, piece_days))
            found = fetch_table(engine, observation.sql.read_text().rstrip().rstrip(";"))
            parts = {}
            for day, rows in by_day(found, piece_days).items():
                parts[day] = scratch / f"{day}.parquet"
                pq.write_table(rows, parts[day], compression="zstd")
                observed[day] = Observed(len(rows), content_hash(rows))
            swap_in(lake, FEATURE_STAGE, observation.name, piece_days, parts)
    return observed


def first_versions(piece: Piece, table: Table, days: Iterable[date], among: str | None = None) -> None:
    """Make a relation of the table's name: each row of some days as it was first known, with `seen`; not those that were
    deleted in that state. `among` is a relation that has the key of the rows wanted.
    """
    days = sorted(set(days))
    parts = piece.lake.parts(VALIDATE_STAGE, table.name, days) + piece.lake.parts(HISTORY_STAGE, table.name, days)
    name, key = identifier(table.name), ", ".join(identifier(column) for column in table.key)
    if not parts:
        columns = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(column)}" for column, kind in table.duckdb_types.items())
        piece.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {columns}, CAST(NULL AS BIGINT) AS seen LIMIT 0")
        return
    rows = parquet_as(piece.engine, parts, table.duckdb_types)
    if among is not None:
        rows = f"(SELECT * FROM {rows} SEMI JOIN {among} USING ({key}))"
    time = identifier(table.time)
    if table.version is None:
        query = f"SELECT *, epoch_us({time}) AS seen FROM {rows}"
    else:
        version = identifier(table.version)
        query = (
            f"SELECT * FROM (SELECT *, epoch_us(greatest({time}, coalesce({version}, {time}))) AS seen FROM {rows} "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {version} NULLS FIRST) = 1) WHERE deleted_at IS NULL"
        )
    piece.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")


def named_by(piece: Piece, table: Table, query: str) -> None:
    """The same for the rows whose key the query names, on whatever days they lie."""
    (key,) = table.key
    piece.engine.execute(f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT DISTINCT {query}")
    wanted = fetch_table(piece.engine, f"SELECT {identifier(key)} FROM wanted WHERE {identifier(key)} IS NOT NULL")
    found = look_up(piece.catalog.connection, TICKETING, table.name, (key,), wanted, (table.time,))
    first_versions(piece, table, (moment.date() for moment in found[table.time].to_pylist()), "wanted")


def around(piece: Piece, name: str, before: int) -> None:
    """The rows of the days and of some days before."""
    days = DayRange(piece.days.first - timedelta(days=before), piece.days.last)
    first_versions(piece, TICKETING.by_name[name], days.days)


def _transactions(piece: Piece) -> None:
    around(piece, "transactions", 0)
    for name in ("orders", "sessions", "payments"):
        around(piece, name, BEFORE_DAYS)
    named_by(piece, TICKETING.by_name["events"], "event_id FROM transactions")
    named_by(piece, TICKETING.by_name["tickets"], "ticket_id FROM transactions")


def _moves(piece: Piece) -> None:
    around(piece, "transactions", 0)


def _of_users(name: str) -> Callable[[Piece], None]:
    def prepare(piece: Piece) -> None:
        around(piece, name, LATE_DAYS)
        named_by(piece, TICKETING.by_name["users"], f"user_id FROM {name}{SEEN_ON_THE_DAYS}")

    return prepare


def _check_ins(piece: Piece) -> None:
    around(piece, "check_ins", LATE_DAYS)
    named_by(
        piece, TICKETING.by_name["tickets"], "ticket_id FROM check_ins, span WHERE seen >= span.first AND seen < span.past"
    )


def _event_life(piece: Piece) -> None:
    span = (start_of(piece.days.first), start_of(piece.days.last + timedelta(days=1)))
    rows = piece.catalog.connection.execute(
        "SELECT DISTINCT (created_at AT TIME ZONE 'UTC')::date FROM ticketing.events "
        "WHERE greatest(on_sale_at, created_at, known_at) >= to_timestamp(%(first)s / 1e6) "
        "OR greatest(starts_at, created_at, known_at) >= to_timestamp(%(first)s / 1e6)",
        {"first": span[0]},
    ).fetchall()
    first_versions(piece, TICKETING.by_name["events"], (row[0] for row in rows if row[0] <= piece.days.last))


def _labels(piece: Piece) -> None:
    maturity = timedelta(days=LABEL_MATURITY_DAYS)
    piece.engine.execute(f"CREATE TEMP TABLE maturity AS SELECT {LABEL_MATURITY_DAYS * MICROSECONDS_OF_DAY} AS microseconds")
    # Those of the transactions that mature on the days, and those that become known on them.
    around(piece, "chargebacks", LABEL_MATURITY_DAYS + LATE_DAYS)
    named_by(piece, TICKETING.by_name["payments"], "payment_id FROM chargebacks WHERE reason = 'fraud'")
    piece.engine.execute(
        "CREATE TEMP TABLE fraud_orders AS SELECT p.order_id, min(c.seen) AS seen FROM chargebacks AS c "
        "JOIN payments AS p ON p.payment_id = c.payment_id WHERE c.reason = 'fraud' GROUP BY p.order_id"
    )
    named_by(
        piece,
        TICKETING.by_name["orders"],
        "order_id FROM fraud_orders, span WHERE seen >= span.first - 86400000000 AND seen < span.past",
    )
    ordered = [row[0] for row in fetch_rows(piece.engine, "SELECT DISTINCT CAST(created_at AS DATE) FROM orders")]
    after = {day + timedelta(days=more) for day in ordered for more in range(BEFORE_DAYS + 1)}
    _seen_before(piece, "charged", sorted(after), "SEMI JOIN orders USING (order_id)")
    _seen_before(piece, "matured", DayRange(piece.days.first - maturity, piece.days.last - maturity).days)


def _seen_before(piece: Piece, name: str, days: Sequence[date], joined: str = "") -> None:
    """A relation of transactions that were observed on earlier days."""
    parts = piece.lake.parts(FEATURE_STAGE, "transactions", days)
    columns = [column.name for column in TRANSACTION_COLUMNS]
    kinds = {column.name: column.type.duckdb for column in TRANSACTION_COLUMNS}
    rows = f"SELECT * FROM {parquet(parts)} {joined}"
    if not parts:
        rows = f"SELECT {', '.join(f'CAST(NULL AS {kinds[column]}) AS {column}' for column in columns)} LIMIT 0"
    piece.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {rows}")


def _key(name: str, of: str, personal: PersonalData | None = None, *, required: bool = False) -> Column:
    return Column(name, ColumnType.INTEGER, f"Key of the {of}.", required=required, personal=personal)


def _whole(name: str, description: str, unit: str | None = None, *, required: bool = False) -> Column:
    return Column(name, ColumnType.INTEGER, description, unit=unit, required=required)


WALLET = _key("wallet_key", "wallet")
USER = _key("user_key", "user", PersonalData.LINK)
DEVICE = _key("device_key", "device of the order's session", PersonalData.LINK)
BLOCK = _key("ip_block_key", "network block of the order's session", PersonalData.LINK)
INSTRUMENT = _key("instrument_key", "payment instrument", PersonalData.LINK)
METHOD = _key("method_key", "payment method")
EVENT, TICKET = _key("event_key", "event, or of the contract where no event is known"), _key("ticket_key", "token")
SELLER = _key("seller_key", "wallet that gave")

TRANSACTION_COLUMNS = (
    TRANSACTION_ID,
    SEEN_COLUMN,
    _whole("block_number", "Height of the block.", required=True),
    _whole("log_index", "Place of the log in its block.", required=True),
    Column("kind", ColumnType.TEXT, "Kind of the transaction."),
    Column("event_id", ColumnType.TEXT, "Event of the ticket.", required=False),
    Column("order_id", ColumnType.TEXT, "Order that it fulfilled.", required=False),
    Column("buyer_address", ColumnType.ADDRESS, "Wallet that received.", required=False),
    Column("seller_address", ColumnType.ADDRESS, "Wallet that gave.", required=False),
    WALLET,
    SELLER,
    EVENT,
    TICKET,
    USER,
    DEVICE,
    BLOCK,
    INSTRUMENT,
    METHOD,
    _whole("price_gwei", "Price paid, cut off below one gwei.", "gwei"),
    _whole("amount_cents", "Amount of the platform's order, per ticket.", "US cents"),
    _whole("face_value_cents", "Face value of the ticket.", "US cents"),
    _whole("on_sale", "When the event went on sale.", "microseconds since 1970 UTC"),
    _whole("starts", "When the event starts.", "microseconds since 1970 UTC"),
    _whole("capacity", "Seats of the event."),
)

OBSERVATIONS = (
    Observation(
        "transactions",
        "Ticket transactions with what was known of each when it happened: the rows that features describe.",
        TRANSACTION_COLUMNS,
        ("transactions", "orders", "sessions", "payments", "events", "tickets"),
        _transactions,
        looks_back_days=BEFORE_DAYS,
    ),
    Observation(
        "wallet_moves",
        "Who took part in a transaction, whichever side it was on.",
        (TRANSACTION_ID, SEEN_COLUMN, WALLET),
        ("transactions",),
        _moves,
        looks_back_days=0,
    ),
    Observation(
        "located_sessions",
        "Visits of users whose wallet is known, with the place they came from.",
        (
            _key("session_key", "session", PersonalData.LINK, required=True),
            SEEN_COLUMN,
            WALLET,
            USER,
            Column("latitude", ColumnType.INTEGER, "Latitude.", unit="tenths of a degree", personal=PersonalData.DIRECT),
            Column("longitude", ColumnType.INTEGER, "Longitude.", unit="tenths of a degree", personal=PersonalData.DIRECT),
        ),
        ("sessions", "users"),
        _of_users("sessions"),
    ),
    Observation(
        "payments_made",
        "Payments of users whose wallet is known.",
        (_key("payment_key", "payment", required=True), SEEN_COLUMN, WALLET, USER, METHOD, INSTRUMENT),
        ("payments", "users"),
        _of_users("payments"),
    ),
    Observation(
        "check_ins_seen",
        "Tickets that were let in.",
        (_key("check_in_key", "check-in", required=True), SEEN_COLUMN, TICKET, EVENT),
        ("check_ins", "tickets"),
        _check_ins,
    ),
    Observation(
        "event_life",
        "Events that come onto the market and that start, which ends it.",
        (EVENT, SEEN_COLUMN, _whole("step", "1 for coming onto the market, -1 for the start.", required=True)),
        ("events",),
        _event_life,
    ),
    Observation(
        "labels",
        "What became known of the honesty of earlier transactions.",
        (
            TRANSACTION_ID,
            SEEN_COLUMN,
            WALLET,
            SELLER,
            EVENT,
            DEVICE,
            BLOCK,
            INSTRUMENT,
            _whole("settled", "1 where the transaction counts as judged from now on.", required=True),
            _whole("fraud", "1 where fraud became known.", required=True),
        ),
        ("chargebacks", "payments", "orders"),
        _labels,
        looks_back_days=LABEL_MATURITY_DAYS + LATE_DAYS,
        observes=("transactions",),
    ),
)
"""In an order in which each finds what it observes."""
