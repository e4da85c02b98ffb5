"""The identifiers of the person who is erased, and what takes the place of each.

What stands in for an identifier is a digest of it with a random salt. The salt lives as long as the erasure takes: meanwhile
every place gets the same text for the same identifier, so that rows still fit together, and afterwards nobody can tell what
it was made of.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ticketintel_pipelines.contract import PERSON, Column, ColumnType, Table
from ticketintel_pipelines.features.keys import key

TEXT_TYPES = (
    ColumnType.TEXT,
    ColumnType.ADDRESS,
    ColumnType.HASH,
    ColumnType.HEX,
    ColumnType.IP_HASH,
    ColumnType.IP_BLOCK_HASH,
)
FORMS = {
    ColumnType.ADDRESS: ("0x*", 40),
    ColumnType.HASH: ("0x*", 64),
    ColumnType.HEX: ("0x*", 64),
    ColumnType.IP_HASH: ("*", 32),
    ColumnType.IP_BLOCK_HASH: ("*", 32),
}
TEXT_DIGITS = 16
SHORTEST_SEARCHED = 6
"""Shorter texts stand in files for people by chance; columns are compared whole, whatever their length."""


@dataclass(frozen=True)
class Person:
    """Who is erased.

    `identifiers` are, by what columns identify, the values that are on no other person's rows: a row with one of them is about
    this person. `texts` are further personal values found on such rows and on no other person's, to be searched for in files
    that people read. `shared` are identifiers that other people's rows have as well. `salt` makes what stands in for them.
    """

    identifiers: Mapping[str, frozenset[str]]
    texts: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    salt: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    @property
    def accounts(self) -> frozenset[str]:
        return self.identifiers.get(PERSON, frozenset())

    @cached_property
    def keys(self) -> frozenset[int]:
        """The whole numbers that features know the identifiers by."""
        return frozenset(key(value) for values in self.identifiers.values() for value in values)

    def leading(self, columns: Sequence[Column]) -> dict[str, frozenset[str]]:
        """The columns that tell whether a row is about the person, with the values that say so."""
        return {
            column.name: self.identifiers[column.identifies]
            for column in columns
            if column.personal and column.identifies and self.identifiers.get(column.identifies)
        }

    def stand_in(self, column: Column, value: str) -> str:
        """What takes the place of a value of a required column of texts."""
        template, digits = form_of(column)
        return template.replace("*", hashlib.sha256(f"{self.salt}{value}".encode()).hexdigest()[:digits])

    @property
    def values(self) -> frozenset[str]:
        """Every value that is known of the person."""
        return frozenset().union(*self.identifiers.values(), self.texts, self.shared)

    @property
    def encoded(self) -> str:
        """All of it as JSON: personal data, for the erasure's own file alone."""
        found = {word: sorted(values) for word, values in self.identifiers.items()}
        return json.dumps({"identifiers": found, "texts": sorted(self.texts), "shared": sorted(self.shared), "salt": self.salt})

    @classmethod
    def decoded(cls, written: str) -> "Person":
        found = json.loads(written)
        identifiers = {word: frozenset(values) for word, values in found["identifiers"].items()}
        return cls(identifiers, frozenset(found["texts"]), frozenset(found["shared"]), found["salt"])


def form_of(column: Column) -> tuple[str, int]:
    """The text that stands in for a value, with a star for so many hexadecimal digits."""
    return FORMS.get(column.type, (column.erased, TEXT_DIGITS))


def personal_columns(table: Table) -> list[Column]:
    return [column for column in table.columns if column.personal is not None]


def tells_of_people(table: Table) -> bool:
    """Whether rows of a table can be told to be about somebody."""
    return any(column.personal and column.identifies for column in table.columns)
