"""The observations of ticketing: validated rows by the instant from which on they were known, made by one SQL file each.

A row is known from its own time on, or from its `known_at` where that is later. It enters by its first version, so that what a
feature saw does not change when the platform changes the row. A file reads relations that are made here: rows of the days and a
few days before them from the lake, and whatever those name from the days on which it was recorded, found by Postgres' indexes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Column, ColumnType, PersonalData, Table
from ticketintel_pipelines.lake.engine import fetch_rows, fetch_table, parquet_as
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE, by_day, content_hash, start_of
from ticketintel_pipelines.stages.observation import Observed
from ticketintel_pipelines.stages.validate import HISTORY_STAGE, VALIDATE_STAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.features.families import SEEN_COLUMN, TRANSACTION_ID
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.feature_days import rows_published
from ticketintel_pipelines.warehouse.lookups import look_up
from ticketintel_pipelines.warehouse.migrations import SQL_FOLDER

FILES = SQL_FOLDER / "ticketing" / "features" / "observations"
LATE_DAYS = 30
"""A row that becomes known later than so many days after its own day is not seen: looking further back costs every night."""
BEFORE_DAYS = 3
"""An order, its session and its payment come at most so long before the transaction that they lead to."""
LABEL_MATURITY_DAYS = 30
"""A paid transaction counts as honest once it is so old and not known as fraud; three quarters of the simulated chargebacks,
which take 7 to 60 days, have come by then.
"""
DELIVERED_DAYS = 1
"""The ledger joins an order to a transaction of its own day or of the next one."""
ANNOUNCED_DAYS = 730
"""No event starts later than so long after it was announced."""
LONGEST_PIECE_DAYS, MOST_SPARSE_DAYS = 31, 366
MOVED = (
    "kind",
    "contract_address",
    "token_id",
    "ticket_id",
    "order_id",
    "buyer_address",
    "buyer_source",
    "seller_address",
    "price_wei",
    "block_number",
    "log_index",
)
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
    """One table of the stage `feature`: `prepare` makes the relations that its SQL file reads.

    A row is made with rows of up to `joins_days` before the day on which it is seen: once retention took those, the day is not
    worked out again. One that is seen later than on its own day, within `looks_back_days`, may be missing then.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    reads: tuple[str, ...]
    prepare: Callable[[Piece], None]
    looks_back_days: int = LATE_DAYS
    observes: tuple[str, ...] = ()
    joins_days: int = 0

    @property
    def sql(self) -> Path:
        return FILES / f"{self.name}.sql"


def observe(workspace: Workspace, days: DayRange, *, observation: Observation) -> dict[date, Observed]:
    """Put the rows seen on some days into the lake; days without any are left out of the answer."""
    observed: dict[date, Observed] = {}
    lake = workspace.lake(TICKETING)
    for piece_days in _pieces(workspace, observation, days):
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


def _pieces(workspace: Workspace, observation: Observation, days: DayRange) -> Iterator[DayRange]:
    """Months; where these have few rows, as many of them together as the settings allow, up to a year."""
    with workspace.catalog() as catalog:
        rows = rows_published(catalog.connection, TICKETING.name, (*observation.reads, *observation.observes))
    months = [
        DayRange(first, min(first + timedelta(days=LONGEST_PIECE_DAYS - 1), days.last))
        for first in days.days[::LONGEST_PIECE_DAYS]
    ]
    piece, held = months[0], 0
    for month in months:
        more = sum(rows.get(day, 0) for day in month.days)
        if held + more > workspace.settings.chunk_rows or (month.last - piece.first).days >= MOST_SPARSE_DAYS:
            if month.first > piece.first:
                yield piece
            piece, held = month, 0
        piece, held = DayRange(piece.first, month.last), held + more
    yield piece


def first_versions(
    piece: Piece, name: str, columns: Sequence[str], days: Iterable[date], named: str | None = None, holding: str | None = None
) -> None:
    """Make a relation of a table's name: rows of some days as each was first known, with `seen`; not those deleted then.

    `columns` are those wanted beside key, time and version. `named` is a query whose one column names the rows wanted, which
    are then found on whatever day they lie. Of a row that changed, only states count in which the column `holding` has a value.
    """
    table = TICKETING.by_name[name]
    versions = () if table.version is None else (table.version, "deleted_at")
    kinds = {column: table.duckdb_types[column] for column in dict.fromkeys((*table.key, table.time, *columns, *versions))}
    days = sorted(set(days))
    piece.engine.execute(
        f"CREATE OR REPLACE TEMP TABLE states ({', '.join(f'{column} {kind}' for column, kind in kinds.items())})"
    )
    parts = piece.lake.parts(VALIDATE_STAGE, name, days) + piece.lake.parts(HISTORY_STAGE, name, days)
    among = ""
    if named is not None:
        (key,) = table.key
        piece.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT DISTINCT {key} FROM ({named}) WHERE {key} IS NOT NULL"
        )
        among = f" SEMI JOIN wanted USING ({key})"
    if parts:
        piece.engine.execute(f"INSERT INTO states SELECT * FROM {parquet_as(piece.engine, parts, kinds)}{among}")
    if named is not None:
        _add_recorded_elsewhere(piece, table, kinds)
    time = f"epoch_us({table.time})"
    where = "" if holding is None else f"WHERE {holding} IS NOT NULL"
    query = f"SELECT *, {time} AS seen FROM states"
    if table.version is not None:
        known, key = f"greatest({time}, coalesce(epoch_us({table.version}), {time}))", ", ".join(table.key)
        query = (
            f"SELECT * FROM (SELECT *, {known} AS seen FROM states {where} "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {table.version} NULLS FIRST) = 1) WHERE deleted_at IS NULL"
        )
    piece.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")


def _add_recorded_elsewhere(piece: Piece, table: Table, kinds: Mapping[str, str]) -> None:
    """Add to `states` the wanted rows that are not among them: the published state from Postgres, older ones from the lake.

    A whole day of the lake is opened only for older states, which few days have: otherwise the cost would grow with history.
    """
    (key,) = table.key
    missing = fetch_table(piece.engine, f"SELECT {key} FROM wanted ANTI JOIN states USING ({key})")
    if not missing.num_rows:
        return
    carried = [column for column in kinds if column != key]
    found = look_up(piece.catalog.connection, TICKETING, table.name, (key,), missing, carried)
    if not found.num_rows:
        return
    piece.engine.register("recorded", found)
    piece.engine.execute(f"INSERT INTO states SELECT {', '.join(kinds)} FROM recorded")
    if table.version is not None:
        # The state of which no date is known is the oldest.
        changed = f"SELECT DISTINCT CAST({table.time} AS DATE) FROM recorded WHERE {table.version} IS NOT NULL"
        days = sorted(row[0] for row in fetch_rows(piece.engine, changed))
        if older := piece.lake.parts(HISTORY_STAGE, table.name, days):
            rows = parquet_as(piece.engine, older, kinds)
            piece.engine.execute(f"INSERT INTO states SELECT * FROM {rows} SEMI JOIN recorded USING ({key})")
    piece.engine.unregister("recorded")


def around(piece: Piece, name: str, columns: Sequence[str], before: int) -> None:
    """The rows of the days and of some days before."""
    first_versions(piece, name, columns, DayRange(piece.days.first - timedelta(days=before), piece.days.last).days)


def observed_before(piece: Piece, name: str, days: Iterable[date], more: str = "") -> None:
    """A relation of transactions as they were observed on some days."""
    kinds = {column.name: column.type.duckdb for column in TRANSACTION_COLUMNS}
    parts = piece.lake.parts(FEATURE_STAGE, "transactions", days)
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in kinds.items())
    rows = parquet_as(piece.engine, parts, kinds) if parts else f"(SELECT {nulls} LIMIT 0)"
    piece.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {rows}{more}")


def _transactions(piece: Piece) -> None:
    around(piece, "transactions", MOVED, 0)
    around(piece, "orders", ("session_id", "user_id", "quantity", "amount", "currency"), BEFORE_DAYS)
    around(piece, "sessions", ("device_id", "ip_block_hash"), BEFORE_DAYS)
    around(piece, "payments", ("order_id", "method", "instrument_id", "status"), BEFORE_DAYS)
    first_versions(piece, "tickets", ("event_id", "face_value_usd"), piece.days.days, "SELECT ticket_id FROM transactions")
    first_versions(piece, "events", ("on_sale_at", "starts_at", "capacity"), (), "SELECT event_id FROM tickets")


def _moves(piece: Piece) -> None:
    observed_before(piece, "asking", piece.days.days)


def _of_users(name: str, columns: Sequence[str]) -> Callable[[Piece], None]:
    def prepare(piece: Piece) -> None:
        around(piece, name, ("user_id", *columns), LATE_DAYS)
        users = f"SELECT user_id FROM {name}{SEEN_ON_THE_DAYS}"
        first_versions(piece, "users", ("wallet_address",), (), users, holding="wallet_address")
        piece.engine.execute("ALTER TABLE users RENAME TO wallets")

    return prepare


def _check_ins(piece: Piece) -> None:
    around(piece, "check_ins", ("ticket_id", "event_id"), LATE_DAYS)
    named = f"SELECT ticket_id FROM check_ins{SEEN_ON_THE_DAYS}"
    first_versions(piece, "tickets", ("contract_address", "token_id"), (), named)


def _event_life(piece: Piece) -> None:
    # Days of the lake to look into. An event that changed may have been announced for other days than it is now.
    rows = piece.catalog.connection.execute(
        "SELECT DISTINCT (created_at AT TIME ZONE 'UTC')::date FROM ticketing.events "
        "WHERE created_at >= %(from)s AND created_at < %(past)s AND (known_at IS NOT NULL "
        "OR on_sale_at >= %(first)s AND on_sale_at < %(past)s OR starts_at >= %(first)s AND starts_at < %(past)s "
        "OR created_at >= %(first)s)",
        {
            "from": midnight(piece.days.first - timedelta(days=ANNOUNCED_DAYS)),
            "first": midnight(piece.days.first),
            "past": midnight(piece.days.last + timedelta(days=1)),
        },
    ).fetchall()
    first_versions(piece, "events", ("on_sale_at", "starts_at"), (row[0] for row in rows))


def _listings(piece: Piece) -> None:
    # A list that was kept elsewhere for years may become known as a whole, long after the days that it names.
    late = piece.catalog.connection.execute(
        "SELECT DISTINCT (listed_at AT TIME ZONE 'UTC')::date FROM ticketing.watch_list WHERE known_at >= %s",
        (midnight(piece.days.first),),
    ).fetchall()
    recent = DayRange(piece.days.first - timedelta(days=LATE_DAYS), piece.days.last).days
    first_versions(piece, "watch_list", (), {*recent, *(row[0] for row in late)})


def _labels(piece: Piece) -> None:
    maturity = timedelta(days=LABEL_MATURITY_DAYS)
    piece.engine.execute(f"CREATE TEMP TABLE maturity AS SELECT {LABEL_MATURITY_DAYS * MICROSECONDS_OF_DAY} AS microseconds")
    # Those of the transactions that mature on the days, and those that become known on them; an order charged back twice, or
    # reviewed after it was, has one fraud if the two are no further apart than this reaches.
    around(piece, "chargebacks", ("payment_id", "reason"), LABEL_MATURITY_DAYS + LATE_DAYS)
    first_versions(piece, "payments", ("order_id",), (), "SELECT payment_id FROM chargebacks WHERE reason = 'fraud'")
    piece.engine.execute(
        "CREATE TEMP TABLE frauds AS SELECT p.order_id, min(c.seen) AS seen FROM chargebacks AS c "
        "JOIN payments AS p ON p.payment_id = c.payment_id WHERE c.reason = 'fraud' GROUP BY p.order_id"
    )
    around(piece, "fraud_reviews", ("transaction_id", "verdict"), LABEL_MATURITY_DAYS + LATE_DAYS)
    first_versions(piece, "orders", (), (), f"SELECT order_id FROM frauds{SEEN_ON_THE_DAYS}")
    days = {day + timedelta(days=more) for day in _days_of(piece, "orders") for more in range(DELIVERED_DAYS + 1)}
    first_versions(piece, "transactions", (), (), f"SELECT transaction_id FROM fraud_reviews{SEEN_ON_THE_DAYS}")
    days |= _days_of(piece, "transactions")
    days |= set(DayRange(piece.days.first - maturity, piece.days.last - maturity).days)
    # An order that became known only after its transaction is not named by what was observed then.
    first_versions(piece, "transactions", ("order_id",), days)
    piece.engine.execute(
        f"CREATE TEMP TABLE told AS SELECT transaction_id FROM fraud_reviews{SEEN_ON_THE_DAYS} UNION "
        f"SELECT transaction_id FROM transactions SEMI JOIN (SELECT order_id FROM frauds{SEEN_ON_THE_DAYS}) USING (order_id)"
    )
    _find_all_reviews(piece)
    piece.engine.execute(
        "CREATE TEMP TABLE concerned AS SELECT transaction_id FROM told UNION "
        "SELECT transaction_id FROM transactions, span, maturity WHERE order_id IS NOT NULL "
        "AND seen >= span.first - maturity.microseconds AND seen < span.past - maturity.microseconds"
    )
    observed_before(piece, "earlier", sorted(days), " SEMI JOIN concerned USING (transaction_id)")
    piece.engine.execute(
        "CREATE TEMP TABLE judged AS SELECT transactions.order_id, earlier.* EXCLUDE (order_id) FROM earlier "
        "JOIN transactions USING (transaction_id)"
    )


def _days_of(piece: Piece, name: str) -> set[date]:
    """The days on which the rows of a relation lie."""
    return {
        row[0] for row in fetch_rows(piece.engine, f"SELECT DISTINCT CAST({TICKETING.by_name[name].time} AS DATE) FROM {name}")
    }


def _find_all_reviews(piece: Piece) -> None:
    """Add to `fraud_reviews` every verdict on the transactions that are `told` of, however long ago it was given."""
    told = fetch_table(piece.engine, "SELECT transaction_id FROM told")
    known = look_up(piece.catalog.connection, TICKETING, "fraud_reviews", ("transaction_id",), told, ("review_id",))
    piece.engine.register("known_reviews", known)
    older = "SELECT review_id FROM known_reviews ANTI JOIN fraud_reviews USING (review_id)"
    if fetch_rows(piece.engine, f"{older} LIMIT 1"):
        piece.engine.execute("ALTER TABLE fraud_reviews RENAME TO recent_reviews")
        first_versions(
            piece, "fraud_reviews", ("transaction_id", "verdict"), (), older.replace("fraud_reviews", "recent_reviews")
        )
        piece.engine.execute("INSERT INTO fraud_reviews SELECT * FROM recent_reviews")
    piece.engine.unregister("known_reviews")


def midnight(day: date) -> datetime:
    """The instant at which a day begins."""
    return datetime.combine(day, time(), UTC)


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
        joins_days=BEFORE_DAYS,
    ),
    Observation(
        "wallet_moves",
        "Who took part in a transaction, whichever side it was on.",
        (TRANSACTION_ID, SEEN_COLUMN, WALLET),
        (),
        _moves,
        looks_back_days=0,
        observes=("transactions",),
    ),
    Observation(
        "located_sessions",
        "Visits of signed-in users with the place they came from.",
        (
            _key("session_key", "session", PersonalData.LINK, required=True),
            SEEN_COLUMN,
            WALLET,
            USER,
            Column("latitude", ColumnType.INTEGER, "Latitude.", unit="tenths of a degree", personal=PersonalData.DIRECT),
            Column("longitude", ColumnType.INTEGER, "Longitude.", unit="tenths of a degree", personal=PersonalData.DIRECT),
            DEVICE,
            BLOCK,
        ),
        ("sessions", "users"),
        _of_users("sessions", ("latitude", "longitude", "device_id", "ip_block_hash")),
    ),
    Observation(
        "payments_made",
        "Payments that went through.",
        (_key("payment_key", "payment", required=True), SEEN_COLUMN, WALLET, USER, METHOD, INSTRUMENT),
        ("payments", "users"),
        _of_users("payments", ("method", "instrument_id", "status")),
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
        "listings",
        "Addresses that watch lists came to name.",
        (_key("wallet_key", "wallet or contract", required=True), SEEN_COLUMN, _key("list_key", "list", required=True)),
        ("watch_list",),
        _listings,
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
        ("chargebacks", "fraud_reviews", "payments", "orders", "transactions"),
        _labels,
        looks_back_days=LABEL_MATURITY_DAYS + LATE_DAYS,
        observes=("transactions",),
        joins_days=LABEL_MATURITY_DAYS,
    ),
)
"""In an order in which each finds what it observes."""
