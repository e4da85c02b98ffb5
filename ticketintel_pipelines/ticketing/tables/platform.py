"""What people do on the platform that lasts: accounts, events, tickets, orders, money, admissions."""

from ticketintel_pipelines.contract import (
    ERASED,
    PERSON,
    WALLET,
    Column,
    ColumnType,
    Follows,
    Holds,
    InRange,
    Matches,
    OneOf,
    PersonalData,
    Refers,
    RetentionClass,
    Rule,
    Severity,
    Source,
    Table,
    Unique,
)
from ticketintel_pipelines.ticketing.tables.common import DELETED_AT, KNOWN_AT, VERSION_COLUMNS, user_exists

SESSION_TO_ORDER_DAYS = 3
ORDER_TO_PAYMENT_DAYS = 30
"""Nobody orders so long after a visit began, or pays so long after an order: no parent is looked for longer ago."""

CURRENCY = Rule("currency_form", Matches("currency", "[A-Z]{3}"), "the currency is not a three-letter ISO 4217 code")

USERS = Table(
    name="users",
    grain="one account",
    description="Accounts of the platform.",
    source=Source.PLATFORM,
    key=("user_id",),
    time="created_at",
    retention=RetentionClass.USER_MASTER,
    version=KNOWN_AT.name,
    columns=(
        Column("user_id", ColumnType.TEXT, "Account.", personal=PersonalData.LINK, identifies=PERSON),
        Column("created_at", ColumnType.TIMESTAMP, "When the account was opened.", unit="UTC"),
        Column(
            "wallet_address",
            ColumnType.ADDRESS,
            "Wallet of the account.",
            required=False,
            personal=PersonalData.LINK,
            identifies=WALLET,
        ),
        Column(
            "email",
            ColumnType.TEXT,
            "E-mail address.",
            personal=PersonalData.DIRECT,
            identifies="email",
            erased=f"{ERASED}*@erased.invalid",
        ),
        Column("full_name", ColumnType.TEXT, "Name.", required=False, personal=PersonalData.DIRECT),
        Column("country_code", ColumnType.TEXT, "Country of residence, ISO 3166-1 alpha-2.", required=False),
        Column("is_verified", ColumnType.BOOLEAN, "Whether identity was verified."),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        Rule("email_form", Matches("email", r"[^@\s]+@[^@\s]+\.[^@\s]+"), "the e-mail address has no such form"),
        Rule(
            "country_form",
            Matches("country_code", "[A-Z]{2}"),
            "the country is not a two-letter code",
            Severity.WARNING,
        ),
    ),
)

EVENTS = Table(
    name="events",
    grain="one event that tickets are sold for",
    description="Concerts, matches, festivals: where, when, how many places.",
    source=Source.PLATFORM,
    key=("event_id",),
    time="created_at",
    retention=RetentionClass.ON_CHAIN,
    version=KNOWN_AT.name,
    columns=(
        Column("event_id", ColumnType.TEXT, "Event."),
        Column("created_at", ColumnType.TIMESTAMP, "When the event was announced.", unit="UTC"),
        Column("name", ColumnType.TEXT, "Name for people."),
        Column("category", ColumnType.TEXT, "concert, sport, festival, theatre, comedy or conference."),
        Column("venue", ColumnType.TEXT, "Venue."),
        Column("city", ColumnType.TEXT, "City."),
        Column("country_code", ColumnType.TEXT, "Country, ISO 3166-1 alpha-2."),
        Column("latitude", ColumnType.NUMBER, "Latitude of the venue.", unit="degrees", required=False),
        Column("longitude", ColumnType.NUMBER, "Longitude of the venue.", unit="degrees", required=False),
        Column("organiser_id", ColumnType.TEXT, "Organiser who sells."),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the event's tickets."),
        Column("capacity", ColumnType.INTEGER, "Tickets that can be sold.", unit="tickets"),
        Column("face_value_usd", ColumnType.MONEY, "Face value of the cheapest tier.", unit="USD"),
        Column("on_sale_at", ColumnType.TIMESTAMP, "When the primary sale opens.", unit="UTC"),
        Column("starts_at", ColumnType.TIMESTAMP, "When doors open.", unit="UTC"),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        Rule("capacity_range", InRange("capacity", 1, 500_000), "the capacity is not that of a venue"),
        Rule("face_value_range", InRange("face_value_usd", 0), "the face value is negative"),
        Rule("latitude_range", InRange("latitude", -90, 90), "the latitude is off the globe"),
        Rule("longitude_range", InRange("longitude", -180, 180), "the longitude is off the globe"),
        Rule("on_sale_before_start", Follows("starts_at", "on_sale_at"), "the sale opens after the event starts"),
    ),
)

TICKETS = Table(
    name="tickets",
    grain="one ticket, which is one token",
    description="The platform's register of issued tickets: which token is which seat.",
    source=Source.PLATFORM,
    key=("ticket_id",),
    time="issued_at",
    retention=RetentionClass.ON_CHAIN,
    version=KNOWN_AT.name,
    columns=(
        Column("ticket_id", ColumnType.TEXT, "Ticket."),
        Column("issued_at", ColumnType.TIMESTAMP, "When the ticket's token was minted.", unit="UTC"),
        Column("event_id", ColumnType.TEXT, "Event it admits to."),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the token."),
        Column("token_id", ColumnType.UINT256, "Token."),
        Column("tier", ColumnType.TEXT, "standard, premium or vip."),
        Column("seat", ColumnType.TEXT, "Seat; null for standing places.", required=False),
        Column("face_value_usd", ColumnType.MONEY, "Face value.", unit="USD"),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        Rule("tier_known", OneOf("tier", ("standard", "premium", "vip")), "the tier is none of the known ones"),
        Rule("face_value_range", InRange("face_value_usd", 0), "the face value is negative"),
        Rule("event_exists", Refers("event_id", "events", "event_id"), "no published event has this id"),
        Rule("token_unique", Unique(("contract_address", "token_id")), "another ticket already stands for this token"),
    ),
)

ORDERS = Table(
    name="orders",
    grain="one order of tickets of one event",
    description="What users ordered, in the primary shop or on the platform's resale market.",
    source=Source.PLATFORM,
    key=("order_id",),
    time="created_at",
    retention=RetentionClass.TRANSACTION_LOG,
    version=KNOWN_AT.name,
    columns=(
        Column("order_id", ColumnType.TEXT, "Order."),
        Column("created_at", ColumnType.TIMESTAMP, "When it was placed.", unit="UTC"),
        Column("user_id", ColumnType.TEXT, "Account that ordered.", personal=PersonalData.LINK, identifies=PERSON),
        Column("event_id", ColumnType.TEXT, "Event ordered."),
        Column(
            "session_id",
            ColumnType.TEXT,
            "Visit in which it was placed.",
            required=False,
            personal=PersonalData.LINK,
            identifies="session",
        ),
        Column("market", ColumnType.TEXT, "primary or resale."),
        Column("quantity", ColumnType.INTEGER, "Tickets ordered.", unit="tickets"),
        Column("amount", ColumnType.MONEY, "Total to pay, fees included.", unit="in `currency`"),
        Column("currency", ColumnType.TEXT, "ISO 4217 code."),
        Column("status", ColumnType.TEXT, "paid, cancelled or failed."),
        Column("transaction_hash", ColumnType.HASH, "Chain transaction that delivered; null unless paid.", required=False),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        CURRENCY,
        Rule("market_known", OneOf("market", ("primary", "resale")), "the market is neither primary nor resale"),
        Rule("status_known", OneOf("status", ("paid", "cancelled", "failed")), "the status is none of the known ones"),
        Rule("quantity_range", InRange("quantity", 1, 1_000), "nobody orders that many tickets at once"),
        Rule("amount_range", InRange("amount", 0), "the amount is negative"),
        user_exists(),
        Rule("event_exists", Refers("event_id", "events", "event_id"), "no published event has this id"),
        Rule(
            "session_exists",
            Refers("session_id", "sessions", "session_id", within_days=SESSION_TO_ORDER_DAYS),
            "no published session has this id",
            Severity.WARNING,
        ),
        Rule(
            "after_sign_up",
            Refers("user_id", "users", "user_id", not_before="created_at", time="created_at"),
            "the order is older than the account that placed it",
        ),
    ),
)

PAYMENTS = Table(
    name="payments",
    grain="one attempt to pay an order",
    description="Payments, captured or not.",
    source=Source.PLATFORM,
    key=("payment_id",),
    time="paid_at",
    retention=RetentionClass.TRANSACTION_LOG,
    version=KNOWN_AT.name,
    columns=(
        Column("payment_id", ColumnType.TEXT, "Payment."),
        Column("paid_at", ColumnType.TIMESTAMP, "When the provider answered.", unit="UTC"),
        Column("order_id", ColumnType.TEXT, "Order that is paid."),
        Column("user_id", ColumnType.TEXT, "Account that pays.", personal=PersonalData.LINK, identifies=PERSON),
        Column("method", ColumnType.TEXT, "card, wallet, paypal, apple_pay or bank_transfer."),
        Column(
            "instrument_id",
            ColumnType.TEXT,
            "Provider's token for the card or account.",
            required=False,
            personal=PersonalData.DIRECT,
            identifies="instrument",
        ),
        Column("instrument_country", ColumnType.TEXT, "Country that issued the instrument.", required=False),
        Column("amount", ColumnType.MONEY, "Amount.", unit="in `currency`"),
        Column("currency", ColumnType.TEXT, "ISO 4217 code."),
        Column("status", ColumnType.TEXT, "captured, failed or refunded."),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        CURRENCY,
        Rule(
            "method_known",
            OneOf("method", ("card", "wallet", "paypal", "apple_pay", "bank_transfer")),
            "the method is none of the known ones",
        ),
        Rule("status_known", OneOf("status", ("captured", "failed", "refunded")), "the status is none of the known ones"),
        Rule("amount_range", InRange("amount", 0), "the amount is negative"),
        Rule(
            "order_exists",
            Refers("order_id", "orders", "order_id", within_days=ORDER_TO_PAYMENT_DAYS),
            "no published order has this id",
        ),
        Rule(
            "created_before_paid",
            Refers("order_id", "orders", "order_id", not_before="created_at", time="paid_at"),
            "the payment is older than the order it pays",
        ),
    ),
)

CHECK_INS = Table(
    name="check_ins",
    grain="one ticket admitted at a gate",
    description="Admissions to events.",
    source=Source.PLATFORM,
    key=("check_in_id",),
    time="checked_in_at",
    retention=RetentionClass.TRANSACTION_LOG,
    version=KNOWN_AT.name,
    columns=(
        Column("check_in_id", ColumnType.TEXT, "Admission."),
        Column("checked_in_at", ColumnType.TIMESTAMP, "When.", unit="UTC"),
        Column("ticket_id", ColumnType.TEXT, "Ticket admitted."),
        Column("event_id", ColumnType.TEXT, "Event."),
        Column("gate", ColumnType.TEXT, "Gate.", required=False),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        Rule("ticket_exists", Refers("ticket_id", "tickets", "ticket_id"), "no published ticket has this id"),
        Rule("event_exists", Refers("event_id", "events", "event_id"), "no published event has this id"),
        Rule("checked_in_once", Unique(("ticket_id",), unless=DELETED_AT.name), "the ticket was already checked in"),
        Rule(
            "issued_before_check_in",
            Refers("ticket_id", "tickets", "ticket_id", not_before="issued_at", time="checked_in_at"),
            "the ticket was admitted before it was paid for and issued",
        ),
    ),
)

FRAUD_KINDS = ("stolen_card", "account_takeover", "bot", "scalping", "wash_trade")
VERDICTS = ("fraud", "honest")

CHARGEBACKS = Table(
    name="chargebacks",
    grain="one payment reversed by the payer's bank",
    description="Chargebacks; they arrive weeks after the payment, which makes them late labels of fraud.",
    source=Source.PLATFORM,
    key=("chargeback_id",),
    time="received_at",
    retention=RetentionClass.AUDIT_AND_SECURITY,
    version=KNOWN_AT.name,
    columns=(
        Column("chargeback_id", ColumnType.TEXT, "Chargeback."),
        Column("received_at", ColumnType.TIMESTAMP, "When the platform learned of it.", unit="UTC"),
        Column("payment_id", ColumnType.TEXT, "Payment that is reversed."),
        Column("amount", ColumnType.MONEY, "Amount.", unit="in `currency`"),
        Column("currency", ColumnType.TEXT, "ISO 4217 code."),
        Column("reason", ColumnType.TEXT, "fraud, not_received, duplicate or other."),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        CURRENCY,
        Rule(
            "reason_known",
            OneOf("reason", ("fraud", "not_received", "duplicate", "other")),
            "the reason is none of the known ones",
        ),
        Rule("amount_range", InRange("amount", 0), "the amount is negative"),
        Rule("payment_exists", Refers("payment_id", "payments", "payment_id"), "no published payment has this id"),
        Rule("reversed_once", Unique(("payment_id",), unless=DELETED_AT.name), "the payment was already reversed"),
        Rule(
            "paid_before_reversed",
            Refers("payment_id", "payments", "payment_id", not_before="paid_at", time="received_at"),
            "the chargeback is older than the payment it reverses",
        ),
    ),
)

FRAUD_REVIEWS = Table(
    name="fraud_reviews",
    grain="one verdict of the fraud desk on one ticket transaction",
    description="What reviewers say of ticket transactions: labels of fraud of every kind, also where no payment can be "
    "reversed. A second review of a transaction is a row of its own.",
    source=Source.PLATFORM,
    key=("review_id",),
    time="decided_at",
    retention=RetentionClass.AUDIT_AND_SECURITY,
    version=KNOWN_AT.name,
    columns=(
        Column("review_id", ColumnType.TEXT, "Review."),
        Column("decided_at", ColumnType.TIMESTAMP, "When the reviewer decided.", unit="UTC"),
        Column("transaction_id", ColumnType.TEXT, "Ticket transaction that was reviewed, as `transactions` names it."),
        Column("verdict", ColumnType.TEXT, "fraud or honest."),
        Column(
            "fraud_kind",
            ColumnType.TEXT,
            "stolen_card, account_takeover, bot, scalping or wash_trade; null where the verdict names none.",
            required=False,
        ),
        Column("reviewer_id", ColumnType.TEXT, "Code of the operator who decided.", personal=PersonalData.LINK),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        Rule("verdict_known", OneOf("verdict", VERDICTS), "the verdict is neither fraud nor honest"),
        Rule("kind_known", OneOf("fraud_kind", FRAUD_KINDS), "the kind of fraud is none of the known ones"),
        Rule(
            "kind_of_fraud",
            Holds("fraud_kind IS NULL OR verdict IS DISTINCT FROM 'honest'"),
            "a verdict of honest names a kind of fraud",
        ),
        Rule(
            "transaction_exists",
            Refers("transaction_id", "transactions", "transaction_id"),
            "no published transaction has this id",
        ),
        Rule(
            "occurred_before_decided",
            Refers("transaction_id", "transactions", "transaction_id", not_before="occurred_at", time="decided_at"),
            "the verdict is older than the transaction",
        ),
    ),
)
