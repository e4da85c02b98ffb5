"""What each observation of ticketing needs before its SQL file is run: the relations that the file reads, made one by one."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from ticketintel_pipelines.lake.engine import fetch_rows, fetch_table
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.quality.verdict import LATE_DAYS
from ticketintel_pipelines.ticketing.features.relations import (
    Piece,
    around,
    around_and_late,
    first_versions,
    known_late,
    midnight,
    observed_before,
)
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.lookups import look_up

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


def transactions(piece: Piece) -> None:
    around(piece, "transactions", MOVED, 0)
    around(piece, "orders", ("session_id", "user_id", "quantity", "amount", "currency"), BEFORE_DAYS)
    around(piece, "sessions", ("device_id", "ip_block_hash"), BEFORE_DAYS)
    around(piece, "payments", ("order_id", "method", "instrument_id", "status"), BEFORE_DAYS)
    first_versions(piece, "tickets", ("event_id", "face_value_usd"), piece.days.days, "SELECT ticket_id FROM transactions")
    first_versions(piece, "events", ("on_sale_at", "starts_at", "capacity"), (), "SELECT event_id FROM tickets")


def moves(piece: Piece) -> None:
    observed_before(piece, "asking", piece.days.days)


def of_users(name: str, columns: Sequence[str]) -> Callable[[Piece], None]:
    def prepare(piece: Piece) -> None:
        around_and_late(piece, name, ("user_id", *columns))
        users = f"SELECT user_id FROM {name}{SEEN_ON_THE_DAYS}"
        first_versions(piece, "users", ("wallet_address",), (), users, holding="wallet_address")
        piece.engine.execute("ALTER TABLE users RENAME TO wallets")

    return prepare


def check_ins(piece: Piece) -> None:
    around_and_late(piece, "check_ins", ("ticket_id", "event_id"))
    named = f"SELECT ticket_id FROM check_ins{SEEN_ON_THE_DAYS}"
    first_versions(piece, "tickets", ("contract_address", "token_id"), (), named)


def event_life(piece: Piece) -> None:
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
    first_versions(piece, "events", ("on_sale_at", "starts_at"), {*(row[0] for row in rows), *known_late(piece, "events")})


def listings(piece: Piece) -> None:
    around_and_late(piece, "watch_list", ())


def labels(piece: Piece) -> None:
    maturity = timedelta(days=LABEL_MATURITY_DAYS)
    piece.engine.execute(f"CREATE TEMP TABLE maturity AS SELECT {LABEL_MATURITY_DAYS * MICROSECONDS_OF_DAY} AS microseconds")
    # Those of the transactions that mature on the days, and those that become known on them.
    around_and_late(piece, "chargebacks", ("payment_id", "reason"), LABEL_MATURITY_DAYS + LATE_DAYS)
    _frauds(piece)
    around_and_late(piece, "fraud_reviews", ("transaction_id", "verdict"), LABEL_MATURITY_DAYS + LATE_DAYS)
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
    # Two pieces of news of one transaction may be any time apart: what came first decides what the second one tells.
    _find_all(piece, "fraud_reviews", ("transaction_id", "verdict"), "SELECT transaction_id FROM told")
    ordered = "SELECT DISTINCT order_id FROM transactions SEMI JOIN told USING (transaction_id) WHERE order_id IS NOT NULL"
    if _find_all(piece, "chargebacks", ("payment_id", "reason"), _payments_of(piece, ordered)):
        _frauds(piece)
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


def _frauds(piece: Piece) -> None:
    """The relation of orders with their first chargeback for fraud among those at hand."""
    first_versions(piece, "payments", ("order_id",), (), "SELECT payment_id FROM chargebacks WHERE reason = 'fraud'")
    piece.engine.execute(
        "CREATE OR REPLACE TEMP TABLE frauds AS SELECT p.order_id, min(c.seen) AS seen FROM chargebacks AS c "
        "JOIN payments AS p ON p.payment_id = c.payment_id WHERE c.reason = 'fraud' GROUP BY p.order_id"
    )


def _payments_of(piece: Piece, orders: str) -> str:
    """The query of the payments of some orders."""
    found = look_up(
        piece.catalog.connection, TICKETING, "payments", ("order_id",), fetch_table(piece.engine, orders), ("payment_id",)
    )
    piece.engine.register("payments_of_orders", found)
    return "SELECT DISTINCT payment_id FROM payments_of_orders"


def _find_all(piece: Piece, name: str, columns: tuple[str, ...], of: str) -> bool:
    """Add to a relation all rows, however old, with one of the values that a query names in the first of the columns.

    Returns whether there were more than those at hand.
    """
    table = TICKETING.by_name[name]
    (key,) = table.key
    found = look_up(piece.catalog.connection, TICKETING, name, columns[:1], fetch_table(piece.engine, of), (key,))
    piece.engine.register("known", found)
    older = f"SELECT {key} FROM known ANTI JOIN {name} USING ({key})"
    if missing := bool(fetch_rows(piece.engine, f"{older} LIMIT 1")):
        piece.engine.execute(f"ALTER TABLE {name} RENAME TO recent")
        first_versions(piece, name, columns, (), older.replace(f"JOIN {name}", "JOIN recent"))
        piece.engine.execute(f"INSERT INTO {name} SELECT * FROM recent")
        piece.engine.execute("DROP TABLE recent")
    piece.engine.unregister("known")
    return missing
