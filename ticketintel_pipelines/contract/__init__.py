"""The data contract: what a column, a table and a rule are, and what can be derived from a declaration.

Here belong the vocabulary of declarations and everything read off them without data or a database. The declarations
themselves belong to a domain (`ticketing/tables.py`); carrying rules out belongs to `quality/`.
"""

from ticketintel_pipelines.contract.columns import ERASED, PERSON, WALLET, Column, ColumnType, PersonalData, Place
from ticketintel_pipelines.contract.rules import (
    Follows,
    Holds,
    InRange,
    Matches,
    NotNull,
    OneOf,
    Refers,
    Rule,
    Severity,
    Unique,
)
from ticketintel_pipelines.contract.tables import Domain, RetentionClass, Source, Table, TimeFrom

__all__ = [
    "ERASED",
    "PERSON",
    "WALLET",
    "Column",
    "ColumnType",
    "Domain",
    "Follows",
    "Holds",
    "InRange",
    "Matches",
    "NotNull",
    "OneOf",
    "PersonalData",
    "Place",
    "Refers",
    "RetentionClass",
    "Rule",
    "Severity",
    "Source",
    "Table",
    "TimeFrom",
    "Unique",
]
