"""What the platform recorded: its people, events, orders, money, sessions and security log."""

from ticketintel_pipelines.contract import (
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

CURRENCY = Rule("currency_form", Matches("currency", "[A-Z]{3}"), "the currency is not a three-letter ISO 4217 code")
IP_PATTERN = r"(\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*"


def _user_exists(column: str = "user_id") -> Rule:
    return Rule(f"{column}_exists", Refers(column, "users", "user_id"), "no published user has this id")


USERS = Table(
    name="users",
    grain="one account",
    description="Accounts of the platform.",
    source=Source.PLATFORM,
    key=("user_id",),
    time="created_at",
    retention=RetentionClass.USER_MASTER,
    columns=(
        Column("user_id", ColumnType.TEXT, "Account.", personal=PersonalData.LINK),
        Column("created_at", ColumnType.TIMESTAMP, "When the account was opened.", unit="UTC"),
        Column("wallet_address", ColumnType.ADDRESS, "Wallet of the account.", required=False, personal=PersonalData.LINK),
        Column("email", ColumnType.TEXT, "E-mail address.", personal=PersonalData.DIRECT),
        Column("full_name", ColumnType.TEXT, "Name.", required=False, personal=PersonalData.DIRECT),
        Column("country_code", ColumnType.TEXT, "Country of residence, ISO 3166-1 alpha-2.", required=False),
        Column("is_verified", ColumnType.BOOLEAN, "Whether identity was verified."),
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
    columns=(
        Column("ticket_id", ColumnType.TEXT, "Ticket."),
        Column("issued_at", ColumnType.TIMESTAMP, "When the ticket's token was minted.", unit="UTC"),
        Column("event_id", ColumnType.TEXT, "Event it admits to."),
        Column("contract_address", ColumnType.ADDRESS, "Contract of the token."),
        Column("token_id", ColumnType.UINT256, "Token."),
        Column("tier", ColumnType.TEXT, "standard, premium or vip."),
        Column("seat", ColumnType.TEXT, "Seat; null for standing places.", required=False),
        Column("face_value_usd", ColumnType.MONEY, "Face value.", unit="USD"),
    ),
    extra_rules=(
        Rule("tier_known", OneOf("tier", ("standard", "premium", "vip")), "the tier is none of the known ones"),
        Rule("face_value_range", InRange("face_value_usd", 0), "the face value is negative"),
        Rule("event_exists", Refers("event_id", "events", "event_id"), "no published event has this id"),
        Rule("token_unique", Unique(("contract_address", "token_id")), "another ticket already stands for this token"),
    ),
)

SESSIONS = Table(
    name="sessions",
    grain="one visit of the shop or the app",
    description="Visits, signed in or not, with where they came from.",
    source=Source.PLATFORM,
    key=("session_id",),
    time="started_at",
    retention=RetentionClass.USER_SESSION,
    columns=(
        Column("session_id", ColumnType.TEXT, "Visit.", personal=PersonalData.LINK),
        Column("started_at", ColumnType.TIMESTAMP, "First request.", unit="UTC"),
        Column("ended_at", ColumnType.TIMESTAMP, "Last request.", unit="UTC", required=False),
        Column("user_id", ColumnType.TEXT, "Account; null when not signed in.", required=False, personal=PersonalData.LINK),
        Column("ip_address", ColumnType.TEXT, "Address of the client.", personal=PersonalData.DIRECT),
        Column("device_id", ColumnType.TEXT, "Device fingerprint.", required=False, personal=PersonalData.DIRECT),
        Column(
            "user_agent",
            ColumnType.TEXT,
            "What the client calls itself.",
            required=False,
            personal=PersonalData.DIRECT,
        ),
        Column("country_code", ColumnType.TEXT, "Country of the address.", required=False),
        Column(
            "latitude",
            ColumnType.NUMBER,
            "Place of the address.",
            unit="degrees",
            required=False,
            personal=PersonalData.DIRECT,
        ),
        Column(
            "longitude",
            ColumnType.NUMBER,
            "Place of the address.",
            unit="degrees",
            required=False,
            personal=PersonalData.DIRECT,
        ),
        Column("page_views", ColumnType.INTEGER, "Pages seen.", unit="pages"),
    ),
    extra_rules=(
        _user_exists(),
        Rule("ends_after_start", Follows("ended_at", "started_at"), "the visit ends before it starts"),
        Rule("ip_form", Matches("ip_address", IP_PATTERN), "the address is neither IPv4 nor IPv6"),
        Rule("page_views_range", InRange("page_views", 0), "the number of pages is negative"),
        Rule("latitude_range", InRange("latitude", -90, 90), "the latitude is off the globe"),
        Rule("longitude_range", InRange("longitude", -180, 180), "the longitude is off the globe"),
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
    columns=(
        Column("order_id", ColumnType.TEXT, "Order."),
        Column("created_at", ColumnType.TIMESTAMP, "When it was placed.", unit="UTC"),
        Column("user_id", ColumnType.TEXT, "Account that ordered.", personal=PersonalData.LINK),
        Column("event_id", ColumnType.TEXT, "Event ordered."),
        Column(
            "session_id",
            ColumnType.TEXT,
            "Visit in which it was placed.",
            required=False,
            personal=PersonalData.LINK,
        ),
        Column("market", ColumnType.TEXT, "primary or resale."),
        Column("quantity", ColumnType.INTEGER, "Tickets ordered.", unit="tickets"),
        Column("amount", ColumnType.MONEY, "Total to pay, fees included.", unit="in `currency`"),
        Column("currency", ColumnType.TEXT, "ISO 4217 code."),
        Column("status", ColumnType.TEXT, "paid, cancelled or failed."),
        Column("transaction_hash", ColumnType.HASH, "Chain transaction that delivered; null unless paid.", required=False),
    ),
    extra_rules=(
        CURRENCY,
        Rule("market_known", OneOf("market", ("primary", "resale")), "the market is neither primary nor resale"),
        Rule("status_known", OneOf("status", ("paid", "cancelled", "failed")), "the status is none of the known ones"),
        Rule("quantity_range", InRange("quantity", 1, 1_000), "nobody orders that many tickets at once"),
        Rule("amount_range", InRange("amount", 0), "the amount is negative"),
        _user_exists(),
        Rule("event_exists", Refers("event_id", "events", "event_id"), "no published event has this id"),
        Rule(
            "session_exists",
            Refers("session_id", "sessions", "session_id"),
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
    columns=(
        Column("payment_id", ColumnType.TEXT, "Payment."),
        Column("paid_at", ColumnType.TIMESTAMP, "When the provider answered.", unit="UTC"),
        Column("order_id", ColumnType.TEXT, "Order that is paid."),
        Column("user_id", ColumnType.TEXT, "Account that pays.", personal=PersonalData.LINK),
        Column("method", ColumnType.TEXT, "card, wallet, paypal, apple_pay or bank_transfer."),
        Column(
            "instrument_id",
            ColumnType.TEXT,
            "Provider's token for the card or account.",
            required=False,
            personal=PersonalData.DIRECT,
        ),
        Column("instrument_country", ColumnType.TEXT, "Country that issued the instrument.", required=False),
        Column("amount", ColumnType.MONEY, "Amount.", unit="in `currency`"),
        Column("currency", ColumnType.TEXT, "ISO 4217 code."),
        Column("status", ColumnType.TEXT, "captured, failed or refunded."),
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
        Rule("order_exists", Refers("order_id", "orders", "order_id"), "no published order has this id"),
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
    columns=(
        Column("check_in_id", ColumnType.TEXT, "Admission."),
        Column("checked_in_at", ColumnType.TIMESTAMP, "When.", unit="UTC"),
        Column("ticket_id", ColumnType.TEXT, "Ticket admitted."),
        Column("event_id", ColumnType.TEXT, "Event."),
        Column("gate", ColumnType.TEXT, "Gate.", required=False),
    ),
    extra_rules=(
        Rule("ticket_exists", Refers("ticket_id", "tickets", "ticket_id"), "no published ticket has this id"),
        Rule("event_exists", Refers("event_id", "events", "event_id"), "no published event has this id"),
        Rule("checked_in_once", Unique(("ticket_id",)), "the ticket was already checked in"),
        Rule(
            "issued_before_check_in",
            Refers("ticket_id", "tickets", "ticket_id", not_before="issued_at", time="checked_in_at"),
            "the ticket was admitted before it was paid for and issued",
        ),
    ),
)

CHARGEBACKS = Table(
    name="chargebacks",
    grain="one payment reversed by the payer's bank",
    description="Chargebacks; they arrive weeks after the payment, which makes them late labels of fraud.",
    source=Source.PLATFORM,
    key=("chargeback_id",),
    time="received_at",
    retention=RetentionClass.AUDIT_AND_SECURITY,
    columns=(
        Column("chargeback_id", ColumnType.TEXT, "Chargeback."),
        Column("received_at", ColumnType.TIMESTAMP, "When the platform learned of it.", unit="UTC"),
        Column("payment_id", ColumnType.TEXT, "Payment that is reversed."),
        Column("amount", ColumnType.MONEY, "Amount.", unit="in `currency`"),
        Column("currency", ColumnType.TEXT, "ISO 4217 code."),
        Column("reason", ColumnType.TEXT, "fraud, not_received, duplicate or other."),
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
        Rule("reversed_once", Unique(("payment_id",)), "the payment was already reversed"),
        Rule(
            "paid_before_reversed",
            Refers("payment_id", "payments", "payment_id", not_before="paid_at", time="received_at"),
            "the chargeback is older than the payment it reverses",
        ),
    ),
)

SECURITY_EVENTS = Table(
    name="security_events",
    grain="one event of the security log",
    description="Failed sign-ins, changed passwords, new devices.",
    source=Source.PLATFORM,
    key=("security_event_id",),
    time="occurred_at",
    retention=RetentionClass.AUDIT_AND_SECURITY,
    columns=(
        Column("security_event_id", ColumnType.TEXT, "Security event."),
        Column("occurred_at", ColumnType.TIMESTAMP, "When.", unit="UTC"),
        Column("user_id", ColumnType.TEXT, "Account; null when unknown.", required=False, personal=PersonalData.LINK),
        Column(
            "kind",
            ColumnType.TEXT,
            "login_failed, login_succeeded, password_reset, new_device, two_factor_failed or wallet_changed.",
        ),
        Column("ip_address", ColumnType.TEXT, "Address of the client.", required=False, personal=PersonalData.DIRECT),
        Column("device_id", ColumnType.TEXT, "Device fingerprint.", required=False, personal=PersonalData.DIRECT),
    ),
    extra_rules=(
        Rule(
            "kind_known",
            OneOf(
                "kind",
                (
                    "login_failed",
                    "login_succeeded",
                    "password_reset",
                    "new_device",
                    "two_factor_failed",
                    "wallet_changed",
                ),
            ),
            "the kind is none of the known ones",
        ),
        _user_exists(),
        Rule("ip_form", Matches("ip_address", IP_PATTERN), "the address is neither IPv4 nor IPv6"),
    ),
)

API_REQUESTS = Table(
    name="api_requests",
    grain="one request to the platform's API",
    description="The API's access log, as far as bots show in it.",
    source=Source.PLATFORM,
    key=("request_id",),
    time="requested_at",
    retention=RetentionClass.DEBUG_LOG,
    columns=(
        Column("request_id", ColumnType.TEXT, "Request."),
        Column("requested_at", ColumnType.TIMESTAMP, "When.", unit="UTC"),
        Column("session_id", ColumnType.TEXT, "Visit it belongs to.", required=False, personal=PersonalData.LINK),
        Column("user_id", ColumnType.TEXT, "Account; null when unknown.", required=False, personal=PersonalData.LINK),
        Column("ip_address", ColumnType.TEXT, "Address of the client.", personal=PersonalData.DIRECT),
        Column("method", ColumnType.TEXT, "HTTP method."),
        Column("path", ColumnType.TEXT, "Path without its query."),
        Column("status_code", ColumnType.INTEGER, "HTTP status."),
        Column("latency_ms", ColumnType.NUMBER, "Time to answer.", unit="milliseconds"),
    ),
    extra_rules=(
        Rule("method_known", OneOf("method", ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")), "no such HTTP method"),
        Rule("path_form", Holds("starts_with(path, '/')"), "the path does not start with a slash"),
        Rule("status_range", InRange("status_code", 100, 599), "no such HTTP status"),
        Rule("latency_range", InRange("latency_ms", 0), "the latency is negative", Severity.WARNING),
        Rule("ip_form", Matches("ip_address", IP_PATTERN), "the address is neither IPv4 nor IPv6"),
    ),
)
