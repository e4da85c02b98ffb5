"""The judged rows of one table as they lie in DuckDB, and what is known beside them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

from ticketintel_pipelines.contract import Severity, Table
from ticketintel_pipelines.lake.engine import fetch_table, identifier, parquet_as

KEY_RULE = "key_unique"


@dataclass(frozen=True)
class Surroundings:
    """What is known beside the rows that are judged.

    `accepted_parts(table)` are the lake's accepted parts of a table within the run; `earlier_parts` those of the judged
    table before its days. `look_up(table, columns, values, carried)` finds published rows by columns: it takes distinct
    values as an Arrow table with those columns and returns the found ones with the carried columns; `look_up_outside`
    leaves out the days that `earlier_parts` and the judged rows cover.
    `has_rows(table)` says whether anything of a table is published at all, `held_from(table)` from which day on its rows are
    still there where retention took earlier ones away.
    """

    accepted_parts: Callable[[str], Sequence[Path]]
    earlier_parts: Sequence[Path]
    look_up: Callable[[str, Sequence[str], pa.Table, Sequence[str]], pa.Table]
    look_up_outside: Callable[[str, Sequence[str], pa.Table, Sequence[str]], pa.Table]
    has_rows: Callable[[str], bool]
    has_rows_outside: Callable[[str], bool]
    held_from: Callable[[str], date | None] = field(default=lambda name: None)


@dataclass(frozen=True)
class Judged:
    """The table `judged` of a connection: rows of `table` with their `day`, where they came from, and a mask `broken`.

    A rule is one bit of the mask. One more bit marks a sound row that is superseded: a newer version of it is published.
    """

    connection: duckdb.DuckDBPyConnection
    table: Table
    surroundings: Surroundings

    @cached_property
    def bits(self) -> dict[str, int]:
        return {rule.name: 1 << place for place, rule in enumerate(self.table.rules)}

    @cached_property
    def setting_aside(self) -> int:
        """The bits of the rules that keep a row from being published."""
        return sum(self.bits[rule.name] for rule in self.table.rules if rule.severity is not Severity.WARNING)

    @property
    def superseded_bit(self) -> int:
        return 1 << len(self.table.rules)

    @property
    def sound(self) -> str:
        """SQL that is true for rows that may be published: accepted or superseded."""
        return f"(broken & {self.setting_aside}) = 0"

    @property
    def refused(self) -> str:
        return f"(broken & {self.setting_aside}) <> 0"

    @property
    def accepted(self) -> str:
        return f"(broken & {self.setting_aside | self.superseded_bit}) = 0"

    @property
    def superseded(self) -> str:
        return f"(broken & {self.superseded_bit}) <> 0"

    def published_elsewhere(self, columns: Sequence[str], condition: str, carried: Sequence[str] = ()) -> Iterator[pa.Table]:
        """Values of the judged rows' columns that published rows of other days have as well, with what these carry; none of
        the tables is empty.
        """
        names = ", ".join(identifier(name) for name in columns)
        wanted = f"SELECT DISTINCT {names} FROM judged WHERE {condition}"
        if self.surroundings.earlier_parts:
            kinds = self.table.duckdb_types
            rows = parquet_as(
                self.connection, self.surroundings.earlier_parts, {name: kinds[name] for name in (*columns, *carried)}
            )
            found = fetch_table(self.connection, f"SELECT * FROM {rows} SEMI JOIN ({wanted}) USING ({names})")
            if found.num_rows:
                yield found
        if self.surroundings.has_rows_outside(self.table.name):
            values = fetch_table(self.connection, wanted)
            if values.num_rows:
                found = self.surroundings.look_up_outside(self.table.name, columns, values, carried)
                if found.num_rows:
                    yield found
