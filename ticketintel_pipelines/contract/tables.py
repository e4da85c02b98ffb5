"""Tables and domains: a table is declared once, and DDL check, validation, comments, grants and dictionary read that."""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from ticketintel_pipelines.contract.columns import Column, ColumnType
from ticketintel_pipelines.contract.rules import Check, Matches, NotNull, Refers, Rule, Unique

ADDRESS_PATTERN = "0x[0-9a-f]{40}"
HASH_PATTERN = "0x[0-9a-f]{64}"
KEYED_HASH_PATTERN = "[0-9a-f]{32}"


class RetentionClass(Enum):
    """How long rows are kept; the periods belong to the retention policy."""

    ON_CHAIN = "on-chain data"
    TRANSACTION_LOG = "transaction logs"
    FAILED_TRANSACTION = "failed transactions"
    USER_SESSION = "user sessions"
    PREDICTION = "predictions and scores"
    AUDIT_AND_SECURITY = "audit and security logs"
    DEBUG_LOG = "debug logs"
    USER_MASTER = "user master data"


class Source(Enum):
    """Where a table's rows come from."""

    CHAIN = "chain"
    PLATFORM = "platform"
    DERIVED = "derived"
    """Composed by the pipeline from other tables; not part of the raw contract."""
    MODEL = "model"
    """Written by a model when it scores."""
    FEATURE = "feature"
    """Worked out of what was seen; the checks of its asset stand in for rules on rows."""


@dataclass(frozen=True)
class TimeFrom:
    """Where a raw file's missing time is looked up: the time of the row of `table` with the same `column`."""

    table: str
    column: str


@dataclass(frozen=True)
class Table:
    """One table: its grain, columns, key, time, rules and retention class.

    `key` identifies a row for ever; `time` (UTC) decides the daily partition. `published` tables have a Postgres table of
    the same name in the domain's schema; the others stay in the lake. `extra_rules` come on top of the rules that
    follow from the columns themselves (nullability, address and hash form, uniqueness of the key). `time_from` says where
    the time of a raw file without that column is taken from. `version` names the column that tells when a state of a row
    became known: such a row may come again on its day, the newest sound state is published and the older ones are kept as
    history. A null is older than anything.
    """

    name: str
    grain: str
    description: str
    source: Source
    key: tuple[str, ...]
    time: str
    columns: tuple[Column, ...]
    retention: RetentionClass
    extra_rules: tuple[Rule, ...] = ()
    published: bool = True
    time_from: TimeFrom | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name} declares a column twice")
        missing = {self.time, *self.key} - set(names)
        if missing:
            raise ValueError(f"table {self.name} has no column {sorted(missing)} for its key or time")
        if self.version is not None and self.column(self.version).type is not ColumnType.TIMESTAMP:
            raise ValueError(f"table {self.name} has no timestamp {self.version} to tell its versions apart")
        addresses = [column.name for column in self.columns if column.type is ColumnType.IP_HASH]
        if len(addresses) > 1 or (not addresses and any(column.place for column in self.columns)):
            raise ValueError(f"table {self.name} must have one client address for the places of its rows, not {addresses}")
        rule_names = [rule.name for rule in self.rules]
        if len(set(rule_names)) != len(rule_names):
            raise ValueError(f"table {self.name} declares a rule name twice: {sorted(rule_names)}")

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def compared_columns(self) -> tuple[str, ...]:
        """The columns by which two rows are the same or not.

        Places are left out: looked up, they change with the file they are looked up in, and the row does not.
        """
        return tuple(column.name for column in self.columns if column.place is None)

    @property
    def duckdb_types(self) -> dict[str, str]:
        """The columns' types in DuckDB and the lake, by name."""
        return {column.name: column.type.duckdb for column in self.columns}

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """All rules: those that follow from the columns, then the declared ones."""
        return (*self._column_rules(), self._key_rule(), *self.extra_rules)

    @property
    def parents(self) -> tuple[Refers, ...]:
        """References to other tables, once each."""
        seen: dict[tuple[str, str, str], Refers] = {}
        for rule in self.rules:
            if isinstance(rule.check, Refers):
                check = rule.check
                seen.setdefault((check.column, check.table, check.parent_column), check)
        return tuple(seen.values())

    def _column_rules(self) -> list[Rule]:
        rules: list[Rule] = []
        for column in self.columns:
            if column.required:
                rules.append(Rule(f"{column.name}_present", NotNull(column.name), f"{column.name} is required"))
            if column.type is ColumnType.ADDRESS:
                form: Check = Matches(column.name, ADDRESS_PATTERN)
                rules.append(Rule(f"{column.name}_form", form, f"{column.name} is not 0x and 40 hexadecimal digits"))
            if column.type is ColumnType.HASH:
                form = Matches(column.name, HASH_PATTERN)
                rules.append(Rule(f"{column.name}_form", form, f"{column.name} is not 0x and 64 hexadecimal digits"))
            if column.type.is_keyed_hash:
                form = Matches(column.name, KEYED_HASH_PATTERN)
                rules.append(Rule(f"{column.name}_form", form, "the address is neither IPv4 nor IPv6, nor hashed already"))
        return rules

    def _key_rule(self) -> Rule:
        reason = f"another row with the same {', '.join(self.key)} was published first"
        if self.version is not None:
            reason += f", on another day or with the same {self.version}"
        return Rule("key_unique", Unique(self.key), reason)


@dataclass(frozen=True)
class Domain:
    """One business: its tables by name, in the order in which they can be validated (parents first)."""

    name: str
    description: str
    tables: tuple[Table, ...]
    by_name: dict[str, Table] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z_]+", self.name):
            raise ValueError(f"domain name {self.name!r} must be lower-case letters and underscores")
        object.__setattr__(self, "by_name", {table.name: table for table in self.tables})
        self._check_order()

    def _check_order(self) -> None:
        earlier: set[str] = set()
        for table in self.tables:
            for parent in table.parents:
                if parent.table not in earlier:
                    raise ValueError(f"{self.name}.{table.name} refers to {parent.table}, which must be declared before it")
            earlier.add(table.name)

    @property
    def raw_tables(self) -> tuple[Table, ...]:
        """Tables of the raw contract: what can be handed in."""
        return tuple(table for table in self.tables if table.source in (Source.CHAIN, Source.PLATFORM))

    @property
    def published_tables(self) -> tuple[Table, ...]:
        """Tables with a Postgres table of the same name."""
        return tuple(table for table in self.tables if table.published)

    @property
    def validated_tables(self) -> tuple[Table, ...]:
        """Tables whose rows pass through rules on their way to Postgres."""
        return tuple(table for table in self.published_tables if table.source not in (Source.MODEL, Source.FEATURE))
