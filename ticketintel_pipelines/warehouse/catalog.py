"""What was landed and published, as the tables of the schema `ops` remember it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Domain, Refers, Table
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.landing import LandedFile
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.warehouse.frozen import first_workable, retained_from

KNOWN_FILES = "SELECT content_hash FROM ops.imported_files WHERE domain = %s"

STALE_DAYS = """
WITH inputs AS (
    SELECT * FROM unnest(%(tables)s::text[], %(raws)s::text[]) AS i (table_name, raw)
),

parents AS (
    SELECT * FROM unnest(%(o_tables)s::text[], %(o_rules)s::text[], %(o_raws)s::text[]) AS o (table_name, rule, raw)
),

newest AS (
    SELECT table_name AS raw, max(sequence) AS sequence FROM ops.raw_fragments WHERE domain = %(domain)s GROUP BY table_name
),

outdated AS (
    SELECT i.table_name, f.day
    FROM ops.raw_fragments f
    JOIN inputs i ON i.raw = f.table_name
    LEFT JOIN ops.published_days p ON p.domain = f.domain AND p.table_name = i.table_name AND p.day = f.day
    WHERE f.domain = %(domain)s AND f.sequence > coalesce(p.raw_sequence, 0)
),

unasked AS (
    SELECT p.table_name, p.day
    FROM ops.published_days p
    JOIN parents o ON o.table_name = p.table_name AND o.rule = ANY (p.not_judged)
    JOIN newest n ON n.raw = o.raw AND n.sequence > p.raw_sequence
    WHERE p.domain = %(domain)s AND p.rows_in > 0
)

SELECT table_name, day FROM outdated
UNION
SELECT table_name, day FROM unasked
UNION
SELECT table_name, day FROM ops.stale_days WHERE domain = %(domain)s
"""

WORKABLE_DAYS = """
SELECT DISTINCT s.day
FROM ({stale}) AS s (table_name, day)
LEFT JOIN unnest(%(f_tables)s::text[], %(f_days)s::date[]) AS f (table_name, first_day) USING (table_name)
WHERE f.first_day IS NULL OR s.day >= f.first_day
ORDER BY s.day
"""

LATE_ROWS = """
SELECT i.table_name, f.table_name, sum(f.rows)::bigint, min(f.day), max(f.day)
FROM ops.raw_fragments f
JOIN unnest(%(tables)s::text[], %(raws)s::text[], %(days)s::date[]) AS i (table_name, raw, first_day)
    ON i.raw = f.table_name AND f.day < i.first_day
LEFT JOIN ops.published_days p ON p.domain = f.domain AND p.table_name = i.table_name AND p.day = f.day
WHERE f.domain = %(domain)s AND f.sequence > coalesce(p.raw_sequence, 0)
GROUP BY i.table_name, f.table_name
ORDER BY i.table_name, f.table_name
"""

FOUND_PARENTS = """
SELECT q.table_name, q.day
FROM ops.quarantine q
WHERE q.domain = {domain} AND q.table_name = {child} AND {rule} = ANY (q.rules) AND NOT q.mended
    AND EXISTS (SELECT 1 FROM {parent} p WHERE p.{key} = (q.content ->> {column})::{type})
"""
"""Days with a row that was set aside for want of a parent which is published by now."""


@dataclass(frozen=True)
class LateRows:
    """Landed rows of `raw` that `table` does not show: they came when their days, from `first` to `last`, were frozen."""

    table: str
    raw: str
    rows: int
    first: date
    last: date


@dataclass(frozen=True)
class RawDay:
    """The fragments of one table and day in the order of their landing, and how many rows they hold."""

    day: date
    paths: tuple[Path, ...]
    rows: int


class Catalog:
    """Reads and writes through one session; every method is a transaction of its own."""

    def __init__(self, connection: psycopg.Connection, lake_root: Path) -> None:
        self.connection = connection
        self.lake_root = lake_root

    def known_files(self, domain: str) -> set[str]:
        with self.connection.transaction():
            return {row[0] for row in self.connection.execute(KNOWN_FILES, (domain,)).fetchall()}

    def fragments_of(self, domain: str, table: str) -> list[Path]:
        with self.connection.transaction():
            rows = self.connection.execute(
                "SELECT path FROM ops.raw_fragments WHERE domain = %s AND table_name = %s ORDER BY sequence", (domain, table)
            )
            return [self.lake_root / row[0] for row in rows.fetchall()]

    def lock_imports(self, domain: str) -> None:
        """Wait until nobody else takes in or erases; held until the session ends."""
        self.connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (f"import {domain}",))
        self.connection.commit()

    def record_import(
        self, domain: str, files: Sequence[LandedFile], together_with: Callable[[psycopg.Connection], None] = lambda _: None
    ) -> None:
        """Make files and their fragments known; what is done `together_with` them, such as moving a watermark, is done in
        the same transaction."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            # Two imports of one folder at once land the same fragments: the second one to get here has nothing to add.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"import {domain}",))
            known = {row[0] for row in cursor.execute(KNOWN_FILES, (domain,)).fetchall()}
            files = [file for file in files if file.content_hash not in known]
            cursor.executemany(
                "INSERT INTO ops.imported_files (domain, content_hash, table_name, source_file, bytes, rows, erased_rows) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [(domain, file.content_hash, file.table, file.name, file.bytes, file.rows, file.erased) for file in files],
            )
            cursor.executemany(
                "INSERT INTO ops.raw_fragments (domain, table_name, day, path, rows, content_hash) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    (
                        domain,
                        fragment.table,
                        fragment.day,
                        str(fragment.path.relative_to(self.lake_root)),
                        fragment.rows,
                        file.content_hash,
                    )
                    for file in files
                    for fragment in file.fragments
                ],
            )
            together_with(self.connection)

    def withdraw(self, domain: str, source_file: str, inputs: Mapping[str, Sequence[str]]) -> list[Path]:
        """Forget a file that was taken in, and note the days it took part in; returns its fragments, which nothing needs now.

        Raises:
            BadInputError: no file of this name was taken in.
        """
        with self.connection.transaction():
            fragments = self.connection.execute(
                "SELECT f.table_name, f.day, f.path FROM ops.raw_fragments f "
                "JOIN ops.imported_files i USING (domain, content_hash) WHERE domain = %s AND i.source_file = %s",
                (domain, source_file),
            ).fetchall()
            # Rows of the platform's database come again where its tables are asked from the beginning.
            self.connection.execute(
                "DELETE FROM ops.platform_watermarks w USING ops.imported_files i WHERE w.domain = %s AND i.domain = w.domain "
                "AND i.table_name = w.table_name AND i.source_file = %s AND i.source_file LIKE 'platform:%%'",
                (domain, source_file),
            )
            forgotten = self.connection.execute(
                "DELETE FROM ops.imported_files WHERE domain = %s AND source_file = %s", (domain, source_file)
            ).rowcount
            if not forgotten:
                raise BadInputError(
                    f"no file {source_file} was taken in; name it as 'ticketintel status' or ops.imported_files does"
                )
            self.connection.cursor().executemany(
                "INSERT INTO ops.stale_days (domain, table_name, day, because) "
                "VALUES (%s, %s, %s, 'a file of this day was withdrawn') ON CONFLICT DO NOTHING",
                [(domain, table, day) for raw, day, _ in fragments for table, raws in inputs.items() if raw in raws],
            )
        return [self.lake_root / path for _, _, path in fragments]

    def raw_days(self, domain: str, table: str, days: DayRange) -> list[RawDay]:
        """The days of a range on which something of a table was landed."""
        with self.connection.transaction():
            rows = self.connection.execute(
                "SELECT day, array_agg(path ORDER BY sequence), sum(rows)::bigint FROM ops.raw_fragments "
                "WHERE domain = %s AND table_name = %s AND day BETWEEN %s AND %s GROUP BY day ORDER BY day",
                (domain, table, days.first, days.last),
            ).fetchall()
        return [RawDay(day, tuple(self.lake_root / path for path in paths), count) for day, paths, count in rows]

    def newest_fragment(self, domain: str) -> int:
        """Sequence of the newest fragment of a domain; 0 when there is none."""
        with self.connection.transaction():
            row = self.connection.execute(
                "SELECT coalesce(max(sequence), 0) FROM ops.raw_fragments WHERE domain = %s", (domain,)
            ).fetchone()
        assert row is not None
        return int(row[0])

    def worked_out_from(self, domain: str, decoded_from: Sequence[str], days: DayRange) -> int:
        """The newest fragment that rows of these days can hold: any by now, or those there were when the days were decoded."""
        if not decoded_from:
            return self.newest_fragment(domain)
        with self.connection.transaction():
            row = self.connection.execute(
                "SELECT coalesce((SELECT min(raw_sequence) FROM ops.published_days WHERE domain = %(domain)s "
                "AND table_name = ANY (%(tables)s) AND day BETWEEN %(first)s AND %(last)s), "
                # Nothing was decoded: either nothing was there to decode, or it was landed only just now.
                "(SELECT 0 FROM ops.raw_fragments WHERE domain = %(domain)s AND table_name = ANY (%(tables)s) "
                "AND day BETWEEN %(first)s AND %(last)s LIMIT 1), "
                "(SELECT max(sequence) FROM ops.raw_fragments WHERE domain = %(domain)s), 0)",
                {"domain": domain, "tables": list(decoded_from), "first": days.first, "last": days.last},
            ).fetchone()
        assert row is not None
        return int(row[0])

    def lock_table(self, domain: str, table: str) -> None:
        """Wait until no other run works on a table; held until the session ends."""
        self.connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (f"publish {domain}.{table}",))
        self.connection.commit()

    def landed_tables(self, domain: str) -> set[str]:
        """Raw tables of which a file is taken in, be it one without rows, and those of which rows were published."""
        with self.connection.transaction():
            rows = self.connection.execute(
                "SELECT table_name FROM ops.imported_files WHERE domain = %(domain)s "
                "UNION SELECT table_name FROM ops.published_days WHERE domain = %(domain)s AND rows_in > 0",
                {"domain": domain},
            ).fetchall()
        return {row[0] for row in rows}

    def has_rows(self, domain: str, table: str, outside: DayRange | None = None) -> bool:
        """Whether anything of a table is published (on other days than these)."""
        clause = "" if outside is None else "AND day NOT BETWEEN %s AND %s"
        parameters: tuple[object, ...] = (domain, table)
        if outside is not None:
            parameters = (*parameters, outside.first, outside.last)
        with self.connection.transaction():
            row = self.connection.execute(
                f"SELECT EXISTS (SELECT 1 FROM ops.published_days WHERE domain = %s AND table_name = %s "
                f"AND published > 0 {clause})",
                parameters,
            ).fetchone()
        return row == (True,)

    def stale_days(self, domain: Domain, inputs: Mapping[str, Sequence[str]]) -> list[date]:
        """Days on which a table's raw input is newer than what was last worked out from it.

        `inputs` names the raw tables that each validated table is made of. A day is also stale when a row was set aside for
        want of a parent that is published by now, when a reference could not be judged for want of any and the parent's
        table has had something landed since, or when publishing other days was noted to change it. Frozen days are not: what
        they were made of is not there any more.
        """
        pairs = [(table, raw) for table, raws in inputs.items() for raw in raws]
        references = [
            (table, rule.name, rule.check)
            for table in domain.validated_tables
            for rule in table.rules
            if isinstance(rule.check, Refers)
        ]
        parents = [(table.name, name, raw) for table, name, check in references for raw in inputs[check.table]]
        queries: list[sql.Composable] = [sql.SQL(STALE_DAYS)]
        queries += [
            sql.SQL(FOUND_PARENTS).format(
                domain=sql.Literal(domain.name),
                child=sql.Literal(table.name),
                rule=sql.Literal(name),
                parent=sql.Identifier(domain.name, check.table),
                key=sql.Identifier(check.parent_column),
                column=sql.Literal(check.column),
                type=sql.SQL(table.column(check.column).type.postgres),
            )
            for table, name, check in references
            if check.not_before is None
        ]
        stale = sql.SQL(" UNION ").join(sql.SQL("({})").format(query) for query in queries)
        with self.connection.transaction():
            frozen = self._first_workable_days(domain.name, inputs)
            rows = self.connection.execute(
                sql.SQL(WORKABLE_DAYS).format(stale=stale),
                {
                    "f_tables": list(frozen),
                    "f_days": list(frozen.values()),
                    "domain": domain.name,
                    "tables": [pair[0] for pair in pairs],
                    "raws": [pair[1] for pair in pairs],
                    "o_tables": [parent[0] for parent in parents],
                    "o_rules": [parent[1] for parent in parents],
                    "o_raws": [parent[2] for parent in parents],
                },
            ).fetchall()
        return [row[0] for row in rows]

    def late_rows(self, domain: Domain, inputs: Mapping[str, Sequence[str]]) -> list[LateRows]:
        """What was landed for frozen days and is not published for that reason."""
        with self.connection.transaction():
            frozen = self._first_workable_days(domain.name, inputs)
            listed = [(table, raw, day) for table, day in frozen.items() for raw in inputs[table]]
            rows = self.connection.execute(
                LATE_ROWS,
                {
                    "domain": domain.name,
                    "tables": [one[0] for one in listed],
                    "raws": [one[1] for one in listed],
                    "days": [one[2] for one in listed],
                },
            ).fetchall()
        return [LateRows(*row) for row in rows]

    def first_workable_day(self, domain: str, table: str, made_of: Sequence[str] = ()) -> date | None:
        """The first day of a table that can be worked out, of which `made_of` names what its rows are joined with."""
        with self.connection.transaction():
            return first_workable(retained_from(self.connection, domain), table, made_of)

    def _first_workable_days(self, domain: str, inputs: Mapping[str, Sequence[str]]) -> dict[str, date]:
        retained = retained_from(self.connection, domain)
        days = {table: first_workable(retained, table, raws) for table, raws in inputs.items()}
        return {table: day for table, day in days.items() if day is not None}

    def total_rows(self, domain: str, table: str) -> int:
        """Rows of a table that are published, all days together."""
        with self.connection.transaction():
            row = self.connection.execute(
                "SELECT coalesce(sum(published), 0) FROM ops.published_days WHERE domain = %s AND table_name = %s",
                (domain, table),
            ).fetchone()
        assert row is not None
        return int(row[0])

    def quarantined_days(self, domain: str, inputs: Mapping[str, Sequence[str]]) -> list[date]:
        """Days with rows in quarantine that nothing has mended, those of frozen days left out."""
        with self.connection.transaction():
            frozen = self._first_workable_days(domain, inputs)
            rows = self.connection.execute(
                "SELECT DISTINCT table_name, day FROM ops.quarantine WHERE domain = %s AND NOT mended", (domain,)
            ).fetchall()
        return sorted({day for table, day in rows if table not in frozen or day >= frozen[table]})

    def state(self, domain: str, tables: Iterable[str]) -> str:
        """A text that changes whenever anything of these tables is published."""
        with self.connection.transaction():
            row = self.connection.execute(
                "SELECT coalesce(md5(string_agg(concat_ws('|', table_name, day, content_hash), ',' "
                "ORDER BY table_name, day)), '') "
                "FROM ops.published_days WHERE domain = %s AND table_name = ANY (%s)",
                (domain, list(tables)),
            ).fetchone()
        assert row is not None
        return str(row[0])

    def scored_state(self, domain: Domain, table: Table) -> str:
        """A text that changes whenever a model writes to a table."""
        query = sql.SQL("SELECT concat_ws('|', count(*), max({time})) FROM {table}").format(
            time=sql.Identifier(table.time), table=sql.Identifier(domain.name, table.name)
        )
        with self.connection.transaction():
            row = self.connection.execute(query).fetchone()
        assert row is not None
        return str(row[0])
