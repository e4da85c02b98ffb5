"""The observations of ticketing: validated rows by the instant from which on they were known, made by one SQL file each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ticketintel_pipelines.contract import Column, ColumnType, PersonalData
from ticketintel_pipelines.quality.verdict import LATE_DAYS
from ticketintel_pipelines.ticketing.features import preparing
from ticketintel_pipelines.ticketing.features.families import SEEN_COLUMN, TRANSACTION_ID
from ticketintel_pipelines.ticketing.features.observed_columns import (
    BLOCK,
    DEVICE,
    EVENT,
    INSTRUMENT,
    METHOD,
    SELLER,
    TICKET,
    TRANSACTION_COLUMNS,
    USER,
    WALLET,
    key_column,
    whole_column,
)
from ticketintel_pipelines.ticketing.features.preparing import BEFORE_DAYS, LABEL_MATURITY_DAYS
from ticketintel_pipelines.ticketing.features.relations import Piece
from ticketintel_pipelines.warehouse.migrations import SQL_FOLDER

FILES = SQL_FOLDER / "ticketing" / "features" / "observations"


@dataclass(frozen=True)
class Observation:
    """One table of the stage `feature`: `prepare` makes the relations that its SQL file reads.

    A row is made with rows of up to `joins_days` before the day on which it is seen: once retention took those, the day is not
    worked out again. One that is seen later than on its own day may be missing then. Rows of the tables in `sees_late` are seen
    on the day on which they become known however late that is, the others within `looks_back_days`.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    reads: tuple[str, ...]
    prepare: Callable[[Piece], None]
    looks_back_days: int = LATE_DAYS
    observes: tuple[str, ...] = ()
    joins_days: int = 0
    sees_late: tuple[str, ...] = ()

    @property
    def sql(self) -> Path:
        return FILES / f"{self.name}.sql"


OBSERVATIONS = (
    Observation(
        "transactions",
        "Ticket transactions with what was known of each when it happened: the rows that features describe.",
        TRANSACTION_COLUMNS,
        ("transactions", "orders", "sessions", "payments", "events", "tickets"),
        preparing.transactions,
        looks_back_days=BEFORE_DAYS,
        joins_days=BEFORE_DAYS,
    ),
    Observation(
        "wallet_moves",
        "Who took part in a transaction, whichever side it was on.",
        (TRANSACTION_ID, SEEN_COLUMN, WALLET),
        (),
        preparing.moves,
        looks_back_days=0,
        observes=("transactions",),
    ),
    Observation(
        "located_sessions",
        "Visits of signed-in users with the place they came from.",
        (
            key_column("session_key", "session", PersonalData.LINK, required=True),
            SEEN_COLUMN,
            WALLET,
            USER,
            Column("latitude", ColumnType.INTEGER, "Latitude.", unit="tenths of a degree", personal=PersonalData.DIRECT),
            Column("longitude", ColumnType.INTEGER, "Longitude.", unit="tenths of a degree", personal=PersonalData.DIRECT),
            DEVICE,
            BLOCK,
        ),
        ("sessions", "users"),
        preparing.of_users("sessions", ("latitude", "longitude", "device_id", "ip_block_hash")),
        sees_late=("sessions",),
    ),
    Observation(
        "payments_made",
        "Payments that went through.",
        (key_column("payment_key", "payment", required=True), SEEN_COLUMN, WALLET, USER, METHOD, INSTRUMENT),
        ("payments", "users"),
        preparing.of_users("payments", ("method", "instrument_id", "status")),
        sees_late=("payments",),
    ),
    Observation(
        "check_ins_seen",
        "Tickets that were let in.",
        (key_column("check_in_key", "check-in", required=True), SEEN_COLUMN, TICKET, EVENT),
        ("check_ins", "tickets"),
        preparing.check_ins,
        sees_late=("check_ins",),
    ),
    Observation(
        "event_life",
        "Events that come onto the market and that start, which ends it.",
        (EVENT, SEEN_COLUMN, whole_column("step", "1 for coming onto the market, -1 for the start.", required=True)),
        ("events",),
        preparing.event_life,
        sees_late=("events",),
    ),
    Observation(
        "listings",
        "Addresses that watch lists came to name.",
        (
            key_column("wallet_key", "wallet or contract", required=True),
            SEEN_COLUMN,
            key_column("list_key", "list", required=True),
        ),
        ("watch_list",),
        preparing.listings,
        sees_late=("watch_list",),
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
            whole_column("settled", "1 where the transaction counts as judged from now on.", required=True),
            whole_column("fraud", "1 where fraud became known.", required=True),
        ),
        ("chargebacks", "fraud_reviews", "payments", "orders", "transactions"),
        preparing.labels,
        looks_back_days=LABEL_MATURITY_DAYS + LATE_DAYS,
        observes=("transactions",),
        joins_days=LABEL_MATURITY_DAYS,
        sees_late=("chargebacks", "fraud_reviews"),
    ),
)
"""In an order in which each finds what it observes."""
