"""What was landed and published, as the tables of the schema `ops` remember it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg

from ticketintel_pipelines.contract import Domain, Refers
from ticketintel_pipelines.intake.landing import LandedFile
from ticketintel_pipelines.lake.layout import DayRange

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
    SELECT f.day
    FROM ops.raw_fragments f
    JOIN inputs i ON i.raw = f.table_name
    LEFT JOIN ops.published_days p ON p.domain = f.domain AND p.table_name = i.table_name AND p.day = f.day
    WHERE f.domain = %(domain)s AND f.sequence > coalesce(p.raw_sequence, 0)
),

orphaned AS (
    SELECT q.day
    FROM ops.quarantine q
    JOIN ops.published_days p USING (domain, table_name, day)
    JOIN parents o ON o.table_name = q.table_name AND o.rule = ANY (q.rules)
    JOIN newest n ON n.raw = o.raw AND n.sequence > p.raw_sequence
    WHERE q.domain = %(domain)s AND NOT q.mended
),

unasked AS (
    SELECT p.day
    FROM ops.published_days p
    JOIN parents o ON o.table_name = p.table_name AND o.rule = ANY (p.not_judged)
    JOIN newest n ON n.raw = o.raw AND n.sequence > p.raw_sequence
    WHERE p.domain = %(domain)s AND p.rows_in > 0
)

SELECT day FROM outdated
UNION
SELECT day FROM orphaned
UNION
SELECT day FROM unasked
ORDER BY day
"""


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

    def record_import(self, domain: str, files: Sequence[LandedFile]) -> None:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            # Two imports of one folder at once land the same fragments: the second one to get here has nothing to add.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"import {domain}",))
            known = {row[0] for row in cursor.execute(KNOWN_FILES, (domain,)).fetchall()}
            files = [file for file in files if file.content_hash not in known]
            cursor.executemany(
                "INSERT INTO ops.imported_files (domain, content_hash, table_name, source_file, bytes, rows) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                [(domain, file.content_hash, file.table, file.name, file.bytes, file.rows) for file in files],
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

    def landed_tables(self, domain: str) -> set[str]:
        """Raw tables of which a file was ever taken in, be it one without rows."""
        with self.connection.transaction():
            rows = self.connection.execute(
                "SELECT DISTINCT table_name FROM ops.imported_files WHERE domain = %s", (domain,)
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
        want of a parent, or a reference could not be judged for want of any, and the parent's table has had something
        landed since.
        """
        pairs = [(table, raw) for table, raws in inputs.items() for raw in raws]
        orphans = [
            (table.name, rule.name, raw)
            for table in domain.validated_tables
            for rule in table.rules
            if isinstance(rule.check, Refers)
            for raw in inputs[rule.check.table]
        ]
        with self.connection.transaction():
            rows = self.connection.execute(
                STALE_DAYS,
                {
                    "domain": domain.name,
                    "tables": [pair[0] for pair in pairs],
                    "raws": [pair[1] for pair in pairs],
                    "o_tables": [orphan[0] for orphan in orphans],
                    "o_rules": [orphan[1] for orphan in orphans],
                    "o_raws": [orphan[2] for orphan in orphans],
                },
            ).fetchall()
        return [row[0] for row in rows]

    def total_rows(self, domain: str, table: str) -> int:
        """Rows of a table that are published, all days together."""
        with self.connection.transaction():
            row = self.connection.execute(
                "SELECT coalesce(sum(published), 0) FROM ops.published_days WHERE domain = %s AND table_name = %s",
                (domain, table),
            ).fetchone()
        assert row is not None
        return int(row[0])

    def quarantined_days(self, domain: str) -> list[date]:
        """Days with rows in quarantine that nothing has mended."""
        with self.connection.transaction():
            rows = self.connection.execute(
                "SELECT DISTINCT day FROM ops.quarantine WHERE domain = %s AND NOT mended ORDER BY day", (domain,)
            ).fetchall()
        return [row[0] for row in rows]

    def state(self, domain: str, tables: Iterable[str]) -> str:
        """A text that changes whenever anything of these tables is published or scored."""
        with self.connection.transaction():
            row = self.connection.execute(
                "SELECT coalesce(md5(string_agg(concat_ws('|', table_name, day, content_hash), ',' "
                "ORDER BY table_name, day)), '') "
                "FROM ops.published_days WHERE domain = %s AND table_name = ANY (%s)",
                (domain, list(tables)),
            ).fetchone()
        assert row is not None
        return str(row[0])
