"""What the platform logged of its clients: visits, security events, requests."""

from ticketintel_pipelines.contract import (
    PERSON,
    Column,
    ColumnType,
    Follows,
    Holds,
    InRange,
    OneOf,
    PersonalData,
    Place,
    RetentionClass,
    Rule,
    Severity,
    Source,
    Table,
)
from ticketintel_pipelines.ticketing.tables.common import KNOWN_AT, VERSION_COLUMNS, user_exists


def client_address(*, required: bool = True) -> tuple[Column, Column]:
    """What is kept of the address a client came from; the address itself is stored nowhere."""
    return (
        Column(
            "ip_hash",
            ColumnType.IP_HASH,
            "Keyed hash of the client's address: the same address has the same hash wherever it occurs.",
            required=required,
            personal=PersonalData.LINK,
            aliases=("ip_address",),
            identifies="address",
        ),
        Column(
            "ip_block_hash",
            ColumnType.IP_BLOCK_HASH,
            "Keyed hash of the network block of the address: the first 24 bits of IPv4, the first 48 of IPv6.",
            required=False,
            personal=PersonalData.LINK,
            aliases=("ip_address",),
        ),
    )


def user(description: str) -> Column:
    """The account that a row may belong to."""
    return Column("user_id", ColumnType.TEXT, description, required=False, personal=PersonalData.LINK, identifies=PERSON)


DEVICE = Column(
    "device_id",
    ColumnType.TEXT,
    "Device fingerprint.",
    required=False,
    personal=PersonalData.DIRECT,
    identifies="device",
)

SESSIONS = Table(
    name="sessions",
    grain="one visit of the shop or the app",
    description="Visits, signed in or not, with where they came from.",
    source=Source.PLATFORM,
    key=("session_id",),
    time="started_at",
    retention=RetentionClass.USER_SESSION,
    version=KNOWN_AT.name,
    columns=(
        Column("session_id", ColumnType.TEXT, "Visit.", personal=PersonalData.LINK, identifies="session"),
        Column("started_at", ColumnType.TIMESTAMP, "First request.", unit="UTC"),
        Column("ended_at", ColumnType.TIMESTAMP, "Last request.", unit="UTC", required=False),
        user("Account; null when not signed in."),
        *client_address(),
        DEVICE,
        Column(
            "user_agent",
            ColumnType.TEXT,
            "What the client calls itself.",
            required=False,
            personal=PersonalData.DIRECT,
        ),
        Column("country_code", ColumnType.TEXT, "Country of the address.", required=False, place=Place.COUNTRY),
        Column(
            "latitude",
            ColumnType.NUMBER,
            "Place of the address, to one decimal.",
            unit="degrees",
            required=False,
            personal=PersonalData.DIRECT,
            place=Place.LATITUDE,
        ),
        Column(
            "longitude",
            ColumnType.NUMBER,
            "Place of the address, to one decimal.",
            unit="degrees",
            required=False,
            personal=PersonalData.DIRECT,
            place=Place.LONGITUDE,
        ),
        Column("page_views", ColumnType.INTEGER, "Pages seen.", unit="pages"),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        user_exists(),
        Rule("ends_after_start", Follows("ended_at", "started_at"), "the visit ends before it starts"),
        Rule("page_views_range", InRange("page_views", 0), "the number of pages is negative"),
        Rule("latitude_range", InRange("latitude", -90, 90), "the latitude is off the globe"),
        Rule("longitude_range", InRange("longitude", -180, 180), "the longitude is off the globe"),
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
    version=KNOWN_AT.name,
    columns=(
        Column("security_event_id", ColumnType.TEXT, "Security event."),
        Column("occurred_at", ColumnType.TIMESTAMP, "When.", unit="UTC"),
        user("Account; null when unknown."),
        Column(
            "kind",
            ColumnType.TEXT,
            "login_failed, login_succeeded, password_reset, new_device, two_factor_failed or wallet_changed.",
        ),
        *client_address(required=False),
        DEVICE,
        *VERSION_COLUMNS,
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
        user_exists(),
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
    version=KNOWN_AT.name,
    columns=(
        Column("request_id", ColumnType.TEXT, "Request."),
        Column("requested_at", ColumnType.TIMESTAMP, "When.", unit="UTC"),
        Column(
            "session_id",
            ColumnType.TEXT,
            "Visit it belongs to.",
            required=False,
            personal=PersonalData.LINK,
            identifies="session",
        ),
        user("Account; null when unknown."),
        *client_address(),
        Column("method", ColumnType.TEXT, "HTTP method."),
        Column("path", ColumnType.TEXT, "Path without its query."),
        Column("status_code", ColumnType.INTEGER, "HTTP status."),
        Column("latency_ms", ColumnType.NUMBER, "Time to answer.", unit="milliseconds"),
        *VERSION_COLUMNS,
    ),
    extra_rules=(
        Rule("method_known", OneOf("method", ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")), "no such HTTP method"),
        Rule("path_form", Holds("starts_with(path, '/')"), "the path does not start with a slash"),
        Rule("status_range", InRange("status_code", 100, 599), "no such HTTP status"),
        Rule("latency_range", InRange("latency_ms", 0), "the latency is negative", Severity.WARNING),
    ),
)
