"""Judging the rows of some days: exact duplicates dropped and counted, broken rows set aside, the rest written by day.

All of it is SQL over columns. A rule is one bit of a row's `broken` mask. Uniqueness comes last (`uniqueness.py`), among the
rows that are otherwise sound: a broken row does not stand in the way of the mended one with the same key.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from ticketintel_pipelines.contract import Refers, Rule, Severity, Table
from ticketintel_pipelines.lake.engine import fetch_row, fetch_rows, fetch_table, identifier, parquet, text
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.quality.judged import Judged, Surroundings
from ticketintel_pipelines.quality.predicates import parent_alias, parent_column, violation
from ticketintel_pipelines.quality.uniqueness import LANDING, settle
from ticketintel_pipelines.quality.verdict import LATE_DAYS, QUARANTINE_SCHEMA, DayOutcome, RuleResult, Verdict

SAMPLE_KEYS = 5
PART_COMPRESSION = "snappy"
"""Accepted rows can be made again from the raw ones, which are kept smaller: here speed counts for more."""
PARTS_AT_ONCE = 2
"""A day's part is too small to keep two cores busy by itself."""
KEY_SEPARATOR = ":"


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
        self.judged = Judged(connection, table, surroundings)
        self.bits = self.judged.bits
        self.not_judged = self._unanswerable()
        self._name_candidates(candidates)
        self._join_parents()
        self._judge()
        self.copies = self._drop_copies()
        settle(self.judged)

    @property
    def key(self) -> str:
        """SQL of a row's key as text for people."""
        return f"concat_ws({text(KEY_SEPARATOR)}, {', '.join(identifier(name) for name in self.table.key)})"

    def verdict(self, folder: Path) -> Verdict:
        """Write the accepted and the superseded rows to `folder`, a part per day each, and sum up."""
        outcomes = tuple(self._outcomes())
        parts = self._write_parts(folder, self.judged.accepted, [o.day for o in outcomes if o.published])
        history = self._write_parts(folder / "history", self.judged.superseded, [o.day for o in outcomes if o.superseded])
        return Verdict(self.table, self.days, parts, outcomes, self._quarantine(), tuple(self._results()), history)

    def _unanswerable(self) -> dict[str, str]:
        reasons: dict[str, str] = {}
        for rule in self.table.rules:
            if isinstance(rule.check, Refers) and not self._parent_is_known(rule.check.table):
                reasons[rule.name] = f"no {rule.check.table} are published"
        return reasons

    def _parent_is_known(self, parent: str) -> bool:
        return bool(self.surroundings.accepted_parts(parent)) or self.surroundings.has_rows(parent)

    def _name_candidates(self, candidates: str) -> None:
        day = f"CAST({identifier(self.table.time)} AT TIME ZONE 'UTC' AS DATE)"
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW candidates AS SELECT *, {day} AS day FROM {candidates}")

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

    def _violation(self, rule: Rule) -> str | None:
        """What breaks a rule; for want of a parent that retention may have taken away, no row does."""
        broken, check = violation(rule), rule.check
        if not isinstance(check, Refers) or check.not_before is not None:
            return broken
        held_from = self.surroundings.held_from(check.table)
        if held_from is None:
            return broken
        if check.within_days is None:
            return None
        return f"({broken} AND day >= DATE '{held_from + timedelta(days=check.within_days)}')"

    def _judge(self) -> None:
        terms = [
            f"CASE WHEN {sql} THEN {self.bits[rule.name]} ELSE 0 END"
            for rule in self.table.rules
            if rule.name not in self.not_judged and (sql := self._violation(rule)) is not None
        ]
        joins = "".join(
            f" LEFT JOIN {parent_alias(check)} ON {parent_column(check, 'key')} = c.{identifier(check.column)}"
            for check in self.table.parents
            if self._parent_is_known(check.table)
        )
        inner = f"SELECT c.*, {self._mask(terms)} AS broken FROM candidates AS c{joins}"
        columns = ", ".join(identifier(name) for name in self.table.column_names)
        self.connection.execute(
            f"CREATE OR REPLACE TABLE judged AS SELECT {columns}, source_file, source_row, landing_order, day, broken, "
            f"false AS mended FROM ({inner})"
        )

    @staticmethod
    def _mask(terms: list[str]) -> str:
        return f"CAST({' + '.join(terms)} AS BIGINT)" if terms else "CAST(0 AS BIGINT)"

    def _drop_copies(self) -> dict[date, int]:
        """Leave the first of the rows that are the same in all compared columns; returns how many others there were by day.

        Makes `contested`, the keys that several rows have even so.
        """
        compared = ", ".join(identifier(name) for name in self.table.compared_columns)
        key = ", ".join(identifier(name) for name in self.table.key)
        # Grouping by the key is cheap; only rows whose key repeats are compared in full.
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {key} FROM judged GROUP BY {key} HAVING count(*) > 1"
        )
        same_key = " AND ".join(f"j.{identifier(name)} IS NOT DISTINCT FROM r.{identifier(name)}" for name in self.table.key)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE repeated_rows AS SELECT j.rowid AS row, day, {key}, "
            f"row_number() OVER (PARTITION BY {compared} ORDER BY {LANDING}) AS copy "
            f"FROM judged j SEMI JOIN repeated r ON {same_key}"
        )
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE contested AS SELECT {key} FROM repeated_rows WHERE copy = 1 "
            f"GROUP BY {key} HAVING count(*) > 1"
        )
        copies = dict(fetch_rows(self.connection, "SELECT day, count(*) FROM repeated_rows WHERE copy > 1 GROUP BY day"))
        if copies:
            self.connection.execute("DELETE FROM judged WHERE rowid IN (SELECT row FROM repeated_rows WHERE copy > 1)")
        return copies

    def _write_parts(self, folder: Path, condition: str, days: list[date]) -> dict[date, Path]:
        columns = ", ".join(identifier(name) for name in self.table.column_names)
        order = ", ".join(identifier(name) for name in (self.table.time, *self.table.key))
        folder.mkdir(parents=True, exist_ok=True)

        def write(day: date) -> tuple[date, Path]:
            part = folder / f"{day}.parquet"
            with self.connection.cursor() as cursor:
                cursor.execute(
                    f"COPY (SELECT {columns} FROM judged WHERE {condition} AND day = DATE '{day}' ORDER BY {order}) "
                    f"TO {text(str(part))} (FORMAT parquet, COMPRESSION {PART_COMPRESSION})"
                )
            return day, part

        with ThreadPoolExecutor(max_workers=PARTS_AT_ONCE) as pool:
            return dict(pool.map(write, days))

    def _outcomes(self) -> list[DayOutcome]:
        columns = ", ".join(identifier(name) for name in self.table.column_names)
        accepted = self._hashed_by_day(self.judged.accepted, columns)
        other = self._hashed_by_day(f"NOT {self.judged.accepted}", f"{columns}, source_file, source_row, broken, mended")
        late_on = self._late_on()
        outcomes = []
        for day in self.days.days:
            published, _, accepted_hash = accepted.get(day, (0, 0, 0))
            set_aside, superseded, other_hash = other.get(day, (0, 0, 0))
            outcomes.append(
                DayOutcome(
                    day,
                    self.rows_in.get(day, 0),
                    published,
                    set_aside - superseded,
                    self.copies.get(day, 0),
                    f"{accepted_hash:x}-{other_hash:x}",
                    superseded,
                    tuple(late_on.get(day, ())),
                )
            )
        return outcomes

    def _late_on(self) -> dict[date, list[date]]:
        """By day: when its rows became known, of those whose first sound version came more than `LATE_DAYS` later."""
        if self.table.version is None:
            return {}
        version = identifier(self.table.version)
        key = ", ".join(identifier(name) for name in self.table.key)
        # Only keys of which some version is late are grouped: mostly there are none.
        known_on = f"CAST({version} AT TIME ZONE 'UTC' AS DATE)"
        late = f"SELECT {key}, day FROM judged WHERE {self.judged.sound} AND {known_on} > day + {LATE_DAYS}"
        rows = fetch_rows(
            self.connection,
            f"SELECT day, list(DISTINCT known_on ORDER BY known_on) FROM (SELECT day, min({known_on}) AS known_on "
            f"FROM judged SEMI JOIN ({late}) USING ({key}, day) WHERE {self.judged.sound} "
            f"GROUP BY {key}, day HAVING count({version}) = count(*)) WHERE known_on > day + {LATE_DAYS} GROUP BY day",
        )
        return dict(rows)

    def _hashed_by_day(self, condition: str, columns: str) -> dict[date, tuple[int, int, int]]:
        """Of the rows for which a condition holds, by day: how many, how many of them superseded, a hash of their columns."""
        rows = fetch_rows(
            self.connection,
            f"SELECT day, count(*), count(*) FILTER (WHERE {self.judged.superseded}), sum(hash({columns})) "
            f"FROM judged WHERE {condition} GROUP BY day",
        )
        return {row[0]: row[1:] for row in rows}

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
        if fetch_row(self.connection, f"SELECT count(*) FROM judged WHERE {self.judged.refused}") == (0,):
            return QUARANTINE_SCHEMA.empty_table()
        rules = [rule for rule in self.table.rules if rule.severity is not Severity.WARNING]
        names = ", ".join(f"CASE WHEN broken & {self.bits[rule.name]} <> 0 THEN {text(rule.name)} END" for rule in rules)
        reasons = " ".join(f"WHEN {text(rule.name)} THEN {text(rule.reason)}" for rule in rules)
        content = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in self.table.column_names)
        refused = fetch_table(
            self.connection,
            f"WITH refused AS (SELECT *, list_filter([{names}], lambda name: name IS NOT NULL) AS rules FROM judged "
            f"WHERE {self.judged.refused}) "
            f"SELECT day, rules[1] AS rule, rules, CASE rules[1] {reasons} END AS reason, source_file, source_row, "
            f"{self.key} AS row_key, mended, CAST(to_json(struct_pack({content})) AS VARCHAR) AS content "
            "FROM refused ORDER BY day, source_file, source_row",
        )
        return refused.cast(QUARANTINE_SCHEMA)
