"""The feature families of a ticket transaction: what each learns from, and what its columns mean.

A fold's answer is a column of the relation `asked` of the family's SQL file, named after the fold. To add a feature, add its
column here and to that file; a new family is one more `Family` in `FAMILIES`.
"""

from dataclasses import replace

from ticketintel_pipelines.contract import Column, ColumnType, PersonalData
from ticketintel_pipelines.features.families import Family, Graph, Rhythm
from ticketintel_pipelines.features.folds import DAY, HOUR, MICROSECONDS, Distinct, Fold, Latest, Lifetime, Median, Trailing
from ticketintel_pipelines.features.rows import EVERYTHING, SEEN
from ticketintel_pipelines.warehouse.migrations import SQL_FOLDER

FORMULAS = SQL_FOLDER / "ticketing" / "features"

TRANSACTIONS, MOVES, SESSIONS = "transactions", "wallet_moves", "located_sessions"
PAYMENTS, CHECK_INS, LABELS, EVENT_LIFE = "payments_made", "check_ins_seen", "labels", "event_life"
LISTINGS = "listings"

SEEN_COLUMN = Column(SEEN, ColumnType.INTEGER, "Instant from which on the row is known.", unit="microseconds since 1970 UTC")
TRANSACTION_ID = Column("transaction_id", ColumnType.TEXT, "Ticket transaction.")


def _key(name: str, description: str, personal: PersonalData | None = None) -> Column:
    return Column(name, ColumnType.INTEGER, description, required=False, personal=personal)


def _number(name: str, description: str, unit: str) -> Column:
    return Column(name, ColumnType.NUMBER, description, unit=unit, required=False)


def _count(name: str, description: str, unit: str = "count") -> Column:
    return Column(name, ColumnType.INTEGER, description, unit=unit, required=False)


def _flag(name: str, description: str) -> Column:
    return Column(name, ColumnType.BOOLEAN, description, required=False)


def _family(
    name: str,
    description: str,
    *,
    asked_by: str = TRANSACTIONS,
    features: tuple[Column, ...] = (),
    others: tuple[Column, ...] = (),
    folds: tuple[Fold, ...] = (),
    graph: Graph | None = None,
    rhythm: Rhythm = Rhythm.DAILY,
) -> Family:
    own = (TRANSACTION_ID, SEEN_COLUMN) if asked_by == TRANSACTIONS else (SEEN_COLUMN,)
    return Family(
        name,
        description,
        asked_by,
        FORMULAS / f"{name}.sql",
        (*own, *others, *features),
        folds,
        graph,
        rhythm=rhythm,
        features=features,
    )


def _of_wallet(name: str, value: str) -> Fold:
    """The different values of a column among a wallet's earlier purchases, and whether this one's is new."""
    return Fold(name, TRANSACTIONS, "wallet_key", Distinct(), TRANSACTIONS, "wallet_key", (value,), value)


def _listings(name: str, by: str, asked_key: str) -> Fold:
    return Fold(name, LISTINGS, by, Lifetime(), TRANSACTIONS, asked_key)


def _labels(name: str, key: str) -> Fold:
    spans = Trailing({"90d": 90 * DAY})
    return Fold(name, LABELS, key, spans, TRANSACTIONS, key, ("settled", "fraud"))


TICKETS = _family(
    "tickets",
    "How long the ticket had been held by whoever gives it away.",
    folds=(Fold("got", TRANSACTIONS, "ticket_key", Latest(1), TRANSACTIONS, "ticket_key", ("wallet_key",)),),
    others=(
        _key("seller_key", "Wallet that gave the ticket."),
        _count("held_microseconds", "Time since that wallet got it, if it is known to have got it.", "microseconds"),
    ),
    features=(
        _number(
            "time_to_resale",
            "Time since the seller got the ticket: the time of the ticket's last transaction before, where the seller received "
            "it in that one; null otherwise.",
            "hours",
        ),
    ),
)

CHECK_IN_OWNERS = _family(
    "check_in_owners",
    "Check-ins with the wallet that held the ticket at that moment.",
    asked_by=CHECK_INS,
    folds=(Fold("holder", TRANSACTIONS, "ticket_key", Latest(1), CHECK_INS, "ticket_key", ("wallet_key",)),),
    others=(_key("wallet_key", "Wallet that held the ticket."), _key("event_key", "Event that was attended.")),
)

EVENT_CLOSINGS = _family(
    "event_closings",
    "Events that start, with the demand they had until then.",
    asked_by=EVENT_LIFE,
    folds=(Fold("sold", TRANSACTIONS, "event_key", Lifetime(), EVENT_LIFE, "event_key"),),
    others=(_count("demand", "Transactions of the event so far."),),
)

WALLETS = _family(
    "wallets",
    "What the wallet that receives the ticket has done before.",
    rhythm=Rhythm.HOURLY,
    folds=(
        Fold("moves", MOVES, "wallet_key", Trailing({"1h": HOUR, "1d": DAY}), TRANSACTIONS, "wallet_key"),
        Fold("age", MOVES, "wallet_key", Lifetime(), TRANSACTIONS, "wallet_key"),
        Fold(
            "spent",
            TRANSACTIONS,
            "wallet_key",
            Trailing({f"{days}d": days * DAY for days in (1, 7, 30, 90)}),
            TRANSACTIONS,
            "wallet_key",
            ("price_gwei",),
        ),
        Fold("held", "tickets", "seller_key", Lifetime(), TRANSACTIONS, "wallet_key", ("held_microseconds",)),
        Fold("attended", "check_in_owners", "wallet_key", Distinct(), TRANSACTIONS, "wallet_key", ("event_key",)),
        Fold("paid", PAYMENTS, "wallet_key", Distinct(), TRANSACTIONS, "wallet_key", ("method_key",)),
        _of_wallet("devices", "device_key"),
        _of_wallet("blocks", "ip_block_key"),
        _of_wallet("instruments", "instrument_key"),
        _of_wallet("events", "event_key"),
    ),
    features=(
        _count("txn_velocity_1h", "Transactions of the wallet, given and received, in the hour before."),
        _count("txn_velocity_1d", "Transactions of the wallet, given and received, in the 24 hours before."),
        _number("wallet_age_days", "Time since the wallet's first transaction; null at its first.", "days"),
        _number("avg_ticket_hold_time", "Mean time that the tickets it has let go so far were held.", "hours"),
        _count("cross_event_attendance", "Different events to which a ticket it held was checked in so far.", "events"),
        _count("payment_method_diversity", "Different methods with which its user has paid so far.", "methods"),
        *(
            _count(f"purchases_{days}d", f"Tickets bought for a price in the {24 * days} hours before.")
            for days in (1, 7, 30, 90)
        ),
        *(
            _number(
                f"amount_ratio_{days}d",
                f"Price against the mean of the wallet's own purchases of the {24 * days} hours before; null without any.",
                "ratio",
            )
            for days in (1, 7, 30, 90)
        ),
        _flag("is_new_device", "No earlier purchase of the wallet came from this device."),
        _flag("is_new_ip_block", "No earlier purchase of the wallet came from this network block."),
        _flag("is_new_instrument", "No earlier purchase of the wallet was paid with this instrument."),
        _flag("is_new_event", "The wallet has bought nothing of this event before."),
        _count("instruments_used", "Different payment instruments of its earlier purchases.", "instruments"),
    ),
)

EVENTS = _family(
    "events",
    "How the ticket's event stands on the market.",
    rhythm=Rhythm.HOURLY,
    folds=(
        Fold("demand", TRANSACTIONS, "event_key", Lifetime(), TRANSACTIONS, "event_key"),
        Fold("market", TRANSACTIONS, EVERYTHING, Lifetime(), TRANSACTIONS, EVERYTHING),
        Fold("closed", "event_closings", EVERYTHING, Lifetime(), TRANSACTIONS, EVERYTHING, ("demand",)),
        Fold("on_sale", EVENT_LIFE, EVERYTHING, Lifetime(), TRANSACTIONS, EVERYTHING, ("step",)),
        Fold("prices", TRANSACTIONS, "event_key", Median(), TRANSACTIONS, "event_key", ("price_gwei",)),
        Fold(
            "rush",
            TRANSACTIONS,
            "event_key",
            Trailing({"1m": 60 * MICROSECONDS, "10m": 600 * MICROSECONDS, "1h": HOUR}),
            TRANSACTIONS,
            "event_key",
        ),
    ),
    features=(
        _number(
            "event_popularity_score",
            "d / (d + m): d the event's transactions so far, m the mean of that over the events on sale at that moment.",
            "0 to 1",
        ),
        _number(
            "price_deviation_ratio",
            "Price against the median of the event's earlier prices; before the first one, amount paid against face value.",
            "ratio",
        ),
        _count("event_transactions", "Transactions of the event so far."),
        _count("event_transactions_1m", "Transactions of the event in the minute before."),
        _count("event_transactions_10m", "Transactions of the event in the ten minutes before."),
        _count("event_transactions_1h", "Transactions of the event in the hour before."),
        _number("minutes_since_on_sale", "Time since the event went on sale.", "minutes"),
        _number("hours_to_event", "Time until the event starts.", "hours"),
        _number("event_transactions_per_seat", "Transactions of the event so far against its capacity.", "ratio"),
    ),
)


def _risk(name: str, of: str) -> Column:
    words = f"Share of fraud among earlier transactions with the same {of}, over what became known in the 90 days before."
    return _number(name, words, "0 to 1")


RISKS = _family(
    "risks",
    "What had become known by then of the honesty of earlier transactions that share something with this one, and which of its "
    "wallets others had warned of.",
    folds=(
        _labels("event_labels", "event_key"),
        _labels("seller_labels", "seller_key"),
        _labels("device_labels", "device_key"),
        _labels("block_labels", "ip_block_key"),
        _labels("instrument_labels", "instrument_key"),
        _labels("wallet_labels", "wallet_key"),
        _listings("wallet_named", "wallet_key", "wallet_key"),
        _listings("counterparty_named", "wallet_key", "seller_key"),
        _listings("named", EVERYTHING, EVERYTHING),
    ),
    features=(
        _risk("event_risk_90d", "event"),
        _risk("seller_risk_90d", "seller"),
        _risk("device_risk_90d", "device"),
        _risk("ip_block_risk_90d", "network block"),
        _risk("instrument_risk_90d", "payment instrument"),
        _count("device_frauds_90d", "Frauds from the same device that became known in the 90 days before."),
        _count("instrument_frauds_90d", "Frauds with the same payment instrument that became known in the 90 days before."),
        _count("wallet_frauds_90d", "Frauds of the same wallet that became known in the 90 days before."),
        _count(
            "wallet_listings",
            "Watch lists that had named the receiving wallet by then; null as long as nothing was on any list.",
            "lists",
        ),
        _count(
            "counterparty_listings",
            "Watch lists that had named the giving wallet by then; null without one, and as long as nothing was on any list.",
            "lists",
        ),
    ),
)

PLACES = _family(
    "places",
    "Whether the wallet's user can have travelled between his last two located sessions.",
    folds=(Fold("located", SESSIONS, "wallet_key", Latest(2), TRANSACTIONS, "wallet_key", ("latitude", "longitude")),),
    features=(
        _number("session_distance_km", "Distance between the wallet's last two located sessions.", "km"),
        _flag(
            "geo_velocity_flag",
            "The last two located sessions imply over 900 km/h, 16 km taken off for places being known to a tenth of a degree.",
        ),
    ),
)

CENTRALITY = _family(
    "centrality",
    "How central the receiving wallet is among those that tickets were passed between.",
    graph=Graph("transfers", TRANSACTIONS, "seller_key", "wallet_key", "wallet_key", 90),
    features=(
        _number(
            "wallet_centrality",
            "PageRank of the wallet in the graph of transfers of the trailing 90 days, as of the day before, times the number "
            "of wallets: 1 is a wallet like the others; null for one that is not in the graph.",
            "ratio",
        ),
    ),
)

FAMILIES = (TICKETS, CHECK_IN_OWNERS, EVENT_CLOSINGS, WALLETS, EVENTS, RISKS, PLACES, CENTRALITY)
"""In an order in which each finds what it reads."""

DESCRIBING = tuple(family for family in FAMILIES if family.features)


def _described(family: Family) -> tuple[Column, ...]:
    """The features of a family with where they come from and how often they are brought up to date."""
    source = f"From {', '.join(name for name in family.reads)}; {family.rhythm.value}."
    return tuple(replace(column, description=f"{column.description} {source}") for column in family.features)


AMOUNT = Column("amount_eth", ColumnType.NUMBER, "Price of the ticket; 0 where none was paid or none is known.", "ETH", False)
"""What the transaction itself says, not what was known before it."""

FEATURES = Family(
    "features",
    "All features of each ticket transaction, as they were at its time.",
    TRANSACTIONS,
    FORMULAS / "features.sql",
    (
        TRANSACTION_ID,
        SEEN_COLUMN,
        Column("occurred_at", ColumnType.TIMESTAMP, "Time of the transaction.", unit="UTC"),
        Column("kind", ColumnType.TEXT, "Kind of the transaction."),
        Column("event_id", ColumnType.TEXT, "Event of the ticket.", required=False),
        AMOUNT,
        *(column for family in DESCRIBING for column in _described(family)),
    ),
    joins=tuple(family.name for family in DESCRIBING),
    features=tuple(column for family in DESCRIBING for column in family.features),
)
