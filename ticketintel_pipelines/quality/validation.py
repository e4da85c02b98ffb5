"""Judging the rows of some days: exact duplicates dropped and counted, broken rows set aside, the rest written by day.

All of it is SQL over columns. A rule is one bit of a row's `broken` mask. Uniqueness comes last, among the rows that are
otherwise sound: a broken row does not stand in the way of the mended one with the same key.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from ticketintel_pipelines.contract import Refers, Rule, Severity, Table, Unique
from ticketintel_pipelines.lake.engine import fetch_row, fetch_rows, fetch_table, identifier, parquet, text
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.quality.predicates import parent_alias, parent_column, violation
from ticketintel_pipelines.quality.verdict import QUARANTINE_SCHEMA, DayOutcome, RuleResult, Verdict

SAMPLE_KEYS = 5
PART_COMPRESSION = "snappy"
"""Accepted rows can be made again from the raw ones, which are kept smaller: here speed counts for more."""
PARTS_AT_ONCE = 2
"""A day's part is too small to keep two cores busy by itself."""
KEY_RULE = "key_unique"
KEY_SEPARATOR = ":"
LANDING = "landing_order, source_file, source_row"
"""Which of two rows came first, where their time does not tell."""


@dataclass(frozen=True)
class Surroundings:
    """What is known beside the rows that are judged.

    `accepted_parts(table)` are the lake's accepted parts of a table within the run; `earlier_parts` those of the judged
    table before its days. `look_up(table, columns, values, carried)` finds published rows by columns: it takes distinct
    values as an Arrow table with those columns and returns the found ones with the carried columns; `look_up_outside`
    leaves out the days that `earlier_parts` and the judged rows cover.
    `has_rows(table)` says whether anything of a table is published at all.
    """

    accepted_parts: Callable[[str], Sequence[Path]]
    earlier_parts: Sequence[Path]
    look_up: Callable[[str, Sequence[str], pa.Table, Sequence[str]], pa.Table]
    look_up_outside: Callable[[str, Sequence[str], pa.Table], pa.Table]
    has_rows: Callable[[str], bool]
    has_rows_outside: Callable[[str], bool]


class Judgement:
    """The judged rows of one table on some days, as the table `judged` of a DuckDB connection.

    The table is not a temporary one: those are seen by one cursor only, and the parts are written by several.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: Table,
        days: DayRange,
        candidates: str,
        rows_in: dict[date, int],
        surroundings: Surroundings,
    ) -> None:
        """`candidates` is a table expression with the table's columns, `source_file`, `source_row` and `landing_order`;
        `rows_in` counts its rows by day, from another source than the rows themselves where there is one.
        """
        self.connection = connection
        self.table = table
        self.days = days
        self.rows_in = rows_in
        self.surroundings = surroundings
        self.bits = {rule.name: 1 << place for place, rule in enumerate(table.rules)}
        self.setting_aside = sum(self.bits[rule.name] for rule in table.rules if rule.severity is not Severity.WARNING)
        self.not_judged = self._unanswerable()
        self._drop_duplicates(candidates)
        self._join_parents()
        self._judge()
        for rule in table.rules:
            if isinstance(rule.check, Unique):
                self._judge_uniqueness(rule, rule.check)
        self._mark_mended()

    @property
    def key(self) -> str:
        """SQL of a row's key as text for people."""
        return f"concat_ws({text(KEY_SEPARATOR)}, {', '.join(identifier(name) for name in self.table.key)})"

    @property
    def accepted(self) -> str:
        return f"(broken & {self.setting_aside}) = 0"

    def verdict(self, folder: Path) -> Verdict:
        """Write the accepted rows to `folder`, a part per day, and sum up."""
        parts = self._write_parts(folder)
        return Verdict(self.table, self.days, parts, tuple(self._outcomes()), self._quarantine(), tuple(self._results()))

    def _unanswerable(self) -> dict[str, str]:
        reasons: dict[str, str] = {}
        for rule in self.table.rules:
            if isinstance(rule.check, Refers) and not self._parent_is_known(rule.check.table):
                reasons[rule.name] = f"no {rule.check.table} are published"
        return reasons

    def _parent_is_known(self, parent: str) -> bool:
        return bool(self.surroundings.accepted_parts(parent)) or self.surroundings.has_rows(parent)

    def _drop_duplicates(self, candidates: str) -> None:
        """Make `candidates`, and `repeated_rows`: those whose key repeats, each numbered among its exact copies."""
        time = identifier(self.table.time)
        columns = ", ".join(identifier(name) for name in self.table.column_names)
        key = ", ".join(identifier(name) for name in self.table.key)
        self.connection.execute(
            "CREATE OR REPLACE TEMP VIEW candidates AS "
            f"SELECT *, CAST({time} AT TIME ZONE 'UTC' AS DATE) AS day FROM {candidates}"
        )
        # Grouping by the key is cheap; only rows whose key repeats are compared in full.
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {key} FROM candidates GROUP BY {key} HAVING count(*) > 1"
        )
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE repeated_rows AS SELECT c.*, "
            f"row_number() OVER (PARTITION BY {columns} ORDER BY {LANDING}) AS copy "
            f"FROM candidates c SEMI JOIN repeated r ON {self._same_key('r', 'c')}"
        )

    def _same_key(self, left: str, right: str) -> str:
        """SQL that is true for rows with the same key, absent values included."""
        pairs = (f"{left}.{identifier(name)} IS NOT DISTINCT FROM {right}.{identifier(name)}" for name in self.table.key)
        return " AND ".join(pairs)

    def _kept(self) -> str:
        """A table expression of the candidates without the further copies of any row."""
        if fetch_row(self.connection, "SELECT count(*) FROM repeated_rows WHERE copy > 1") == (0,):
            return "candidates"
        # Where a row came from does not tell it from its copies: decoded logs of two files share their part of the lake.
        return (
            f"(SELECT * FROM candidates c ANTI JOIN repeated r ON {self._same_key('r', 'c')} "
            "UNION ALL BY NAME SELECT * EXCLUDE (copy) FROM repeated_rows WHERE copy = 1)"
        )

    def _join_parents(self) -> None:
        for check in self.table.parents:
            if not self._parent_is_known(check.table):
                continue
            carried = sorted(
                {
                    rule.check.not_before
                    for rule in self.table.rules
                    if isinstance(rule.check, Refers) and rule.check.table == check.table and rule.check.not_before
                }
            )
            self._find_parents(check, carried)

    def _find_parents(self, check: Refers, carried: list[str]) -> None:
        """Make a table of the parents that the candidates name: from the run's own parts, else from what is published."""
        alias = parent_alias(check)
        key = parent_column(check, "key")
        own = identifier(check.column)
        wanted = f"(SELECT DISTINCT {own} AS {key} FROM candidates WHERE {own} IS NOT NULL)"
        named = "".join(f", {identifier(name)} AS {parent_column(check, name)}" for name in carried)
        nulls = "".join(f", CAST(NULL AS TIMESTAMPTZ) AS {parent_column(check, name)}" for name in carried)
        selection = f"SELECT {identifier(check.parent_column)} AS {key}{named}"
        if parts := self.surroundings.accepted_parts(check.table):
            rows = f"{selection} FROM {parquet(parts)} SEMI JOIN {wanted} AS w ON w.{key} = {identifier(check.parent_column)}"
        else:
            rows = f"SELECT {key}{nulls} FROM {wanted} LIMIT 0"
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {alias} AS {rows}")
        missing = fetch_table(
            self.connection,
            f"SELECT {key} AS {identifier(check.parent_column)} FROM {wanted} ANTI JOIN {alias} USING ({key})",
        )
        if missing.num_rows and self.surroundings.has_rows(check.table):
            found = self.surroundings.look_up(check.table, (check.parent_column,), missing, carried)
            self.connection.register("found_parents", found)
            self.connection.execute(f"INSERT INTO {alias} {selection} FROM found_parents")
            self.connection.unregister("found_parents")

    def _judge(self) -> None:
        terms = [
            f"CASE WHEN {sql} THEN {self.bits[rule.name]} ELSE 0 END"
            for rule in self.table.rules
            if rule.name not in self.not_judged and (sql := violation(rule)) is not None
        ]
        joins = "".join(
            f" LEFT JOIN {parent_alias(check)} ON {parent_column(check, 'key')} = c.{identifier(check.column)}"
            for check in self.table.parents
            if self._parent_is_known(check.table)
        )
        inner = f"SELECT c.*, {self._mask(terms)} AS broken FROM {self._kept()} AS c{joins}"
        columns = ", ".join(identifier(name) for name in self.table.column_names)
        self.connection.execute(
            f"CREATE OR REPLACE TABLE judged AS SELECT {columns}, source_file, source_row, landing_order, day, broken, "
            f"false AS mended FROM ({inner})"
        )

    @staticmethod
    def _mask(terms: list[str]) -> str:
        return f"CAST({' + '.join(terms)} AS BIGINT)" if terms else "CAST(0 AS BIGINT)"

    def _judge_uniqueness(self, rule: Rule, check: Unique) -> None:
        columns = ", ".join(identifier(name) for name in check.columns)
        bit = self.bits[rule.name]
        present = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in check.columns)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {columns} FROM judged WHERE {self.accepted} AND {present} "
            f"GROUP BY {columns} HAVING count(*) > 1"
        )
        self._find_standing(check)
        time = identifier(self.table.time)
        self.connection.execute(
            f"UPDATE judged SET broken = broken | {bit} WHERE rowid IN (SELECT row FROM (SELECT j.rowid AS row, row_number() "
            f"OVER (PARTITION BY {columns} ORDER BY s.standing NULLS LAST, {time}, {LANDING}) AS place "
            f"FROM judged j SEMI JOIN repeated USING ({columns}) LEFT JOIN standing s USING ({columns}, {time}) "
            f"WHERE {self.accepted}) WHERE place > 1)"
        )
        for taken in self._published_elsewhere(check.columns, f"{self.accepted} AND {present}"):
            self._mark(f"broken = broken | {bit}", self.accepted, columns, taken)

    def _find_standing(self, check: Unique) -> None:
        """Make `standing`: which of the rows that share their columns are published already, and therefore stay."""
        columns = ", ".join(identifier(name) for name in check.columns)
        time = identifier(self.table.time)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE standing AS SELECT {columns}, {time}, true AS standing FROM judged LIMIT 0"
        )
        repeated = fetch_table(self.connection, "SELECT * FROM repeated")
        if repeated.num_rows and self.surroundings.has_rows(self.table.name):
            found = self.surroundings.look_up(self.table.name, check.columns, repeated, (self.table.time,))
            self.connection.register("found", found)
            self.connection.execute(f"INSERT INTO standing SELECT DISTINCT {columns}, {time}, true FROM found")
            self.connection.unregister("found")

    def _mark_mended(self) -> None:
        """Mark the refused rows of which another one with the same key is published: nothing is left to do about them."""
        waiting = f"NOT {self.accepted} AND broken & {self.bits[KEY_RULE]} = 0"
        if fetch_row(self.connection, f"SELECT count(*) FROM judged WHERE {waiting}") == (0,):
            return
        key = ", ".join(identifier(name) for name in self.table.key)
        beside = f"SELECT DISTINCT {key} FROM judged SEMI JOIN (SELECT {key} FROM judged WHERE {waiting}) USING ({key}) "
        here = fetch_table(self.connection, f"{beside} WHERE {self.accepted}")
        self._mark("mended = true", waiting, key, here)
        present = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in self.table.key)
        for taken in self._published_elsewhere(self.table.key, f"{waiting} AND {present}"):
            self._mark("mended = true", waiting, key, taken)

    def _mark(self, change: str, condition: str, columns: str, found: pa.Table) -> None:
        """Change the judged rows for which a condition holds and whose columns are among those found."""
        self.connection.register("found", found)
        self.connection.execute(
            f"UPDATE judged SET {change} WHERE {condition} AND rowid IN "
            f"(SELECT j.rowid FROM judged j SEMI JOIN found USING ({columns}))"
        )
        self.connection.unregister("found")

    def _published_elsewhere(self, columns: Sequence[str], condition: str) -> Iterator[pa.Table]:
        """Values of the judged rows' columns that published rows of other days have as well."""
        names = ", ".join(identifier(name) for name in columns)
        wanted = f"SELECT DISTINCT {names} FROM judged WHERE {condition}"
        if self.surroundings.earlier_parts:
            yield fetch_table(
                self.connection,
                f"SELECT DISTINCT {names} FROM {parquet(self.surroundings.earlier_parts)} SEMI JOIN ({wanted}) USING ({names})",
            )
        if self.surroundings.has_rows_outside(self.table.name):
            values = fetch_table(self.connection, wanted)
            if values.num_rows:
                yield self.surroundings.look_up_outside(self.table.name, columns, values)

    def _write_parts(self, folder: Path) -> dict[date, Path]:
        columns = ", ".join(identifier(name) for name in self.table.column_names)
        order = ", ".join(identifier(name) for name in (self.table.time, *self.table.key))
        days = fetch_rows(self.connection, f"SELECT DISTINCT day FROM judged WHERE {self.accepted} ORDER BY day")
        folder.mkdir(parents=True, exist_ok=True)

        def write(day: date) -> tuple[date, Path]:
            part = folder / f"{day}.parquet"
            with self.connection.cursor() as cursor:
                cursor.execute(
                    f"COPY (SELECT {columns} FROM judged WHERE {self.accepted} AND day = DATE '{day}' ORDER BY {order}) "
                    f"TO {text(str(part))} (FORMAT parquet, COMPRESSION {PART_COMPRESSION})"
                )
            return day, part

        with ThreadPoolExecutor(max_workers=PARTS_AT_ONCE) as pool:
            return dict(pool.map(write, (day for (day,) in days)))

    def _outcomes(self) -> list[DayOutcome]:
        columns = ", ".join(identifier(name) for name in self.table.column_names)
        rows = fetch_rows(
            self.connection,
            f"SELECT day, count(*) FILTER (WHERE {self.accepted}), count(*) FILTER (WHERE NOT {self.accepted}), "
            f"coalesce(sum(hash({columns})) FILTER (WHERE {self.accepted}), 0), "
            f"coalesce(sum(hash({columns}, source_file, source_row, broken, mended)) FILTER (WHERE NOT {self.accepted}), 0) "
            "FROM judged GROUP BY day",
        )
        judged = {row[0]: row[1:] for row in rows}
        duplicates = dict(fetch_rows(self.connection, "SELECT day, count(*) FROM repeated_rows WHERE copy > 1 GROUP BY day"))
        outcomes = []
        for day in self.days.days:
            published, quarantined, accepted_hash, refused_hash = judged.get(day, (0, 0, 0, 0))
            outcomes.append(
                DayOutcome(
                    day,
                    self.rows_in.get(day, 0),
                    published,
                    quarantined,
                    duplicates.get(day, 0),
                    f"{int(accepted_hash):x}-{int(refused_hash):x}",
                )
            )
        return outcomes

    def _results(self) -> list[RuleResult]:
        counts = [f"count(*) FILTER (WHERE broken & {bit} <> 0)" for bit in self.bits.values()]
        rows, *failing = fetch_row(self.connection, f"SELECT count(*), {', '.join(counts)} FROM judged")
        results = []
        for rule, count in zip(self.table.rules, failing, strict=True):
            samples = self._samples(rule) if count else ()
            results.append(RuleResult(rule, rows, count, samples, self.not_judged.get(rule.name)))
        return results

    def _samples(self, rule: Rule) -> tuple[str, ...]:
        found = fetch_rows(
            self.connection,
            f"SELECT {self.key} FROM judged WHERE broken & {self.bits[rule.name]} <> 0 ORDER BY 1 LIMIT {SAMPLE_KEYS}",
        )
        return tuple(row[0] for row in found)

    def _quarantine(self) -> pa.Table:
        if fetch_row(self.connection, f"SELECT count(*) FROM judged WHERE NOT {self.accepted}") == (0,):
            return QUARANTINE_SCHEMA.empty_table()
        rules = [rule for rule in self.table.rules if rule.severity is not Severity.WARNING]
        names = ", ".join(f"CASE WHEN broken & {self.bits[rule.name]} <> 0 THEN {text(rule.name)} END" for rule in rules)
        reasons = " ".join(f"WHEN {text(rule.name)} THEN {text(rule.reason)}" for rule in rules)
        content = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in self.table.column_names)
        refused = fetch_table(
            self.connection,
            f"WITH refused AS (SELECT *, list_filter([{names}], lambda name: name IS NOT NULL) AS rules FROM judged "
            f"WHERE NOT {self.accepted}) "
            f"SELECT day, rules[1] AS rule, rules, CASE rules[1] {reasons} END AS reason, source_file, source_row, "
            f"{self.key} AS row_key, mended, CAST(to_json(struct_pack({content})) AS VARCHAR) AS content "
            "FROM refused ORDER BY day, source_file, source_row",
        )
        return refused.cast(QUARANTINE_SCHEMA)
