"""The columns that observations of ticketing share, and those of the transactions, which other observations read."""

from ticketintel_pipelines.contract import Column, ColumnType, PersonalData
from ticketintel_pipelines.ticketing.features.families import SEEN_COLUMN, TRANSACTION_ID


def key_column(name: str, of: str, personal: PersonalData | None = None, *, required: bool = False) -> Column:
    return Column(name, ColumnType.INTEGER, f"Key of the {of}.", required=required, personal=personal)


def whole_column(name: str, description: str, unit: str | None = None, *, required: bool = False) -> Column:
    return Column(name, ColumnType.INTEGER, description, unit=unit, required=required)


WALLET = key_column("wallet_key", "wallet")
USER = key_column("user_key", "user", PersonalData.LINK)
DEVICE = key_column("device_key", "device of the order's session", PersonalData.LINK)
BLOCK = key_column("ip_block_key", "network block of the order's session", PersonalData.LINK)
INSTRUMENT = key_column("instrument_key", "payment instrument", PersonalData.LINK)
METHOD = key_column("method_key", "payment method")
EVENT, TICKET = key_column("event_key", "event, or of the contract where no event is known"), key_column("ticket_key", "token")
SELLER = key_column("seller_key", "wallet that gave")

TRANSACTION_COLUMNS = (
    TRANSACTION_ID,
    SEEN_COLUMN,
    whole_column("block_number", "Height of the block.", required=True),
    whole_column("log_index", "Place of the log in its block.", required=True),
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
    whole_column("price_gwei", "Price paid, cut off below one gwei.", "gwei"),
    whole_column("amount_cents", "Amount of the platform's order, per ticket.", "US cents"),
    whole_column("face_value_cents", "Face value of the ticket.", "US cents"),
    whole_column("on_sale", "When the event went on sale.", "microseconds since 1970 UTC"),
    whole_column("starts", "When the event starts.", "microseconds since 1970 UTC"),
    whole_column("capacity", "Seats of the event."),
)
