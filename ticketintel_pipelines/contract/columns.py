"""Columns and their types: one logical type says how a value is stored in DuckDB, in Parquet and in Postgres."""

from dataclasses import dataclass
from enum import Enum


class ColumnType(Enum):
    """Logical types, each with its DuckDB type (also that of the lake's Parquet) and its Postgres type.

    Addresses and hashes are lower-case hexadecimal text with `0x`. `UINT256` is decimal text in the lake, since neither
    Parquet nor DuckDB has an exact 256-bit type, and `numeric(78,0)` in Postgres. `IP_HASH` and `IP_BLOCK_HASH` arrive as the
    address of a client and are kept as a keyed hash of it and of its network block, 32 hexadecimal digits each: two types,
    because what may come in, what is stored and which form a cell must have then follow from the one declaration.
    """

    ADDRESS = ("address", "VARCHAR", "text")
    HASH = ("hash", "VARCHAR", "text")
    HEX = ("hex bytes", "VARCHAR", "text")
    IP_HASH = ("IP address, kept as a keyed hash", "VARCHAR", "text")
    IP_BLOCK_HASH = ("IP address, its network kept as a keyed hash", "VARCHAR", "text")
    TEXT = ("text", "VARCHAR", "text")
    INTEGER = ("integer", "BIGINT", "bigint")
    UINT256 = ("unsigned 256-bit integer", "VARCHAR", "numeric(78,0)")
    NUMBER = ("number", "DOUBLE", "double precision")
    MONEY = ("money", "DECIMAL(18,2)", "numeric(18,2)")
    BOOLEAN = ("boolean", "BOOLEAN", "boolean")
    TIMESTAMP = ("timestamp", "TIMESTAMPTZ", "timestamp with time zone")

    def __init__(self, label: str, duckdb: str, postgres: str) -> None:
        self.label = label
        self.duckdb = duckdb
        self.postgres = postgres

    @property
    def is_hexadecimal(self) -> bool:
        return self in (ColumnType.ADDRESS, ColumnType.HASH, ColumnType.HEX)

    @property
    def is_keyed_hash(self) -> bool:
        return self in (ColumnType.IP_HASH, ColumnType.IP_BLOCK_HASH)


class PersonalData(Enum):
    """What a column says about a person: who may read it, and what an erasure must rewrite."""

    DIRECT = "direct"
    """Names the person or a device of theirs by itself (an e-mail address, a device's fingerprint)."""
    LINK = "link"
    """Joins a public or pseudonymous record to a person (the wallet of a user)."""


PERSON = "person"
"""What a column with the account of a person identifies: the rows with it are about that person."""
WALLET = "wallet"
"""What a personal column with a wallet identifies: public by itself, it is the tie to the person that is personal."""
ERASED = "erased-"
"""How a text begins that stands in the place of an erased one."""


class Place(Enum):
    """What a column says of the place of the row's client address: where the source leaves it out, it is looked up."""

    COUNTRY = "country"
    LATITUDE = "latitude"
    """Coordinates are rounded to `PLACE_DECIMALS`, whoever supplied them."""
    LONGITUDE = "longitude"


PLACE_DECIMALS = 1
"""Of a degree, some 11 km: a finer place would be personal data."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `aliases` are the names under which other tools export the same column, tried in order when reading raw files.
    `nulls` are texts that stand for "no value" in raw files, besides the empty one. `place` marks a column that is filled
    from the place of the row's client address.

    `identifies` says what a personal column is an identifier of: `PERSON`, `WALLET`, or a word of the domain's own for what
    leads from one row of a person to others (a visit, a device). Columns with the same word hold the same identifiers.
    `erased` is what takes the place of a required text once the person is erased; the star stands for a random number.
    """

    name: str
    type: ColumnType
    description: str
    unit: str | None = None
    required: bool = True
    personal: PersonalData | None = None
    aliases: tuple[str, ...] = ()
    nulls: tuple[str, ...] = ()
    place: Place | None = None
    identifies: str | None = None
    erased: str = f"{ERASED}*"
