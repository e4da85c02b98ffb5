"""Which wallets and contracts others warn of, and from when on that was known."""

from ticketintel_pipelines.contract import Column, ColumnType, RetentionClass, Source, Table
from ticketintel_pipelines.ticketing.tables.common import KNOWN_AT, VERSION_COLUMNS

WATCH_LIST = Table(
    name="watch_list",
    grain="one address on one list",
    description="Addresses that lists warn of: phishing, exploits, stolen funds. An address that several lists name has a row "
    "for each. Kept like the verdicts of the fraud desk: it is evidence of why a wallet was suspected when it was scored.",
    source=Source.PLATFORM,
    key=("list_name", "address"),
    time="listed_at",
    # Scores that lean on a listing have to be explicable for as long as the reviews of them are.
    retention=RetentionClass.AUDIT_AND_SECURITY,
    version=KNOWN_AT.name,
    columns=(
        Column("list_name", ColumnType.TEXT, "List that names the address.", aliases=("data_source", "source")),
        Column(
            "address",
            ColumnType.ADDRESS,
            "Wallet or contract that is warned of.",
            aliases=("wallet_address", "wallet", "banned_address", "contract_address"),
        ),
        Column(
            "listed_at",
            ColumnType.TIMESTAMP,
            "When it became known here that the list names the address: only later transactions can know of it.",
            unit="UTC",
            aliases=("banned_at", "added_at"),
        ),
        Column(
            "label",
            ColumnType.TEXT,
            "What the list says of the address; null where it says nothing.",
            required=False,
            aliases=("wallet_tag", "etherscan_tag", "contract_tag"),
        ),
        *VERSION_COLUMNS,
    ),
)
