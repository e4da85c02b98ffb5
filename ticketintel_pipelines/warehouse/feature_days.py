"""What was worked out of the tables of the stage `feature`, as `ops.feature_days` remembers it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import psycopg

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.warehouse.frozen import retained_from

UNFINISHED = ""
"""Inputs of a day that is about to be worked out again."""


@dataclass(frozen=True)
class FeatureDay:
    """One day of one table: how many rows, a hash of them, and one of what they were worked out from."""

    rows: int
    content_hash: str
    inputs_hash: str


@dataclass(frozen=True)
class FeatureDays:
    """The days of a domain's feature tables, on one connection."""

    connection: psycopg.Connection
    domain: str

    def of(self, table: str) -> dict[date, FeatureDay]:
        """All days of a table."""
        rows = self.connection.execute(
            "SELECT day, rows, content_hash, inputs_hash FROM ops.feature_days "
            "WHERE domain = %s AND table_name = %s ORDER BY day",
            (self.domain, table),
        ).fetchall()
        return {day: FeatureDay(*figures) for day, *figures in rows}

    def retained_from(self) -> dict[str, date]:
        """The first day that is still held of each table that retention took days from."""
        return retained_from(self.connection, self.domain)

    def published(self, tables: Sequence[str]) -> dict[date, dict[str, str]]:
        """Content of the published tables by day and table; days without rows are left out."""
        rows = self.connection.execute(
            "SELECT day, table_name, content_hash FROM ops.published_days "
            "WHERE domain = %s AND table_name = ANY (%s) AND published > 0",
            (self.domain, list(tables)),
        ).fetchall()
        days: dict[date, dict[str, str]] = {}
        for day, table, content in rows:
            days.setdefault(day, {})[table] = content
        return days

    def late(self, tables: Sequence[str]) -> list[tuple[str, date, date]]:
        """Of the published tables, in order: table, day, and a day long after it on which rows of it became known."""
        return self.connection.execute(
            "SELECT table_name, day, known_on FROM ops.published_days, unnest(late_on) AS known_on "
            "WHERE domain = %s AND table_name = ANY (%s) AND published > 0 ORDER BY 1, 2, 3",
            (self.domain, list(tables)),
        ).fetchall()

    def record(self, table: str, days: Mapping[date, FeatureDay], run_id: str) -> None:
        """Remember days; one with the same content keeps the time and the run of its last change."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ops.feature_days AS f (domain, table_name, day, rows, content_hash, inputs_hash, run_id) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (domain, table_name, day) DO UPDATE SET "
                "rows = excluded.rows, content_hash = excluded.content_hash, inputs_hash = excluded.inputs_hash, "
                "run_id = CASE WHEN f.content_hash = excluded.content_hash THEN f.run_id ELSE excluded.run_id END, "
                "worked_out_at = CASE WHEN f.content_hash = excluded.content_hash THEN f.worked_out_at ELSE now() END",
                [
                    (self.domain, table, day, figures.rows, figures.content_hash, figures.inputs_hash, run_id)
                    for day, figures in days.items()
                ],
            )

    def unfinish_from(self, table: str, day: date) -> None:
        """Mark the days from one on as to be worked out again, so that a run that dies is followed by one that finishes it."""
        self.connection.execute(
            "UPDATE ops.feature_days SET inputs_hash = %s WHERE domain = %s AND table_name = %s AND day >= %s",
            (UNFINISHED, self.domain, table, day),
        )
        self.connection.commit()

    def unpublished(self, table: str, hot_days: int) -> list[date]:
        """Days of the last `hot_days` before the newest one whose content differs from what stands in Postgres."""
        rows = self.connection.execute(
            "SELECT day FROM ops.feature_days WHERE domain = %(domain)s AND table_name = %(table)s AND day > ("
            "SELECT max(day) - %(hot_days)s FROM ops.feature_days "
            "WHERE domain = %(domain)s AND table_name = %(table)s AND rows > 0) "
            "AND content_hash IS DISTINCT FROM published_hash AND (rows > 0 OR published_hash IS NOT NULL) ORDER BY day",
            {"domain": self.domain, "table": table, "hot_days": hot_days},
        ).fetchall()
        return [row[0] for row in rows]

    def note_published(self, table: str, days: Sequence[date], hot_days: int) -> None:
        """These days stand in Postgres as they are now, and none that is older than the window does."""
        self.connection.execute(
            "UPDATE ops.feature_days SET published_hash = content_hash "
            "WHERE domain = %s AND table_name = %s AND day = ANY (%s)",
            (self.domain, table, list(days)),
        )
        self.connection.execute(
            "UPDATE ops.feature_days SET published_hash = NULL WHERE domain = %(domain)s AND table_name = %(table)s "
            "AND published_hash IS NOT NULL AND day <= ("
            "SELECT max(day) - %(hot_days)s FROM ops.feature_days "
            "WHERE domain = %(domain)s AND table_name = %(table)s AND rows > 0)",
            {"domain": self.domain, "table": table, "hot_days": hot_days},
        )


def rows_published(connection: psycopg.Connection, domain: str, tables: Sequence[str]) -> dict[date, int]:
    """The rows of published tables by day, together; days without any are left out."""
    rows = connection.execute(
        "SELECT day, sum(published)::bigint FROM ops.published_days "
        "WHERE domain = %s AND table_name = ANY (%s) AND published > 0 GROUP BY day",
        (domain, list(tables)),
    ).fetchall()
    return dict(rows)


def inputs_by_day(
    inputs: Mapping[str, Mapping[date, str]],
    days: DayRange,
    looks_back_days: int = 0,
    late: Iterable[tuple[str, date, date]] = (),
) -> dict[date, str]:
    """A hash of the inputs' content for each day, including that of the days before it that are read again.

    `late` are earlier days that some day reads too: input, its day, the day that reads it. It follows the order of the inputs
    and of these too, which is to be the same every time.
    """
    alone = {
        day: "|".join(f"{name}={contents[day]}" for name, contents in inputs.items() if day in contents)
        for day in DayRange(days.first - timedelta(days=looks_back_days), days.last).days
    }
    beyond: dict[date, list[str]] = {}
    for name, own, day in late:
        if day - own > timedelta(days=looks_back_days) and own in inputs[name]:
            beyond.setdefault(day, []).append(f"{name} {own}={inputs[name][own]}")
    hashes: dict[date, str] = {}
    for day in days.days:
        reach = [alone[day - timedelta(days=back)] for back in range(looks_back_days + 1)] + beyond.get(day, [])
        hashes[day] = hashlib.sha256("/".join(reach).encode()).hexdigest()[:32]
    return hashes
