"""What was measured of models in use, as `ops.model_drift` and `ops.model_performance` remember it."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date
from math import comb

import psycopg

DAYS_IN_A_ROW = 2
"""One day may be unlike all others without anything having changed."""
LARGEST_FALL = 0.10
"""Of the detection rate, against the weeks before."""
LEAST_KNOWN = 20
"""Positives of a week without which its detection rate says nothing."""
EARLIER_WEEKS = 4
CHANCE = 0.05


@dataclass(frozen=True)
class DriftRow:
    """One feature, or the score, of a day."""

    feature: str
    kl_divergence: float | None
    mean_shift: float | None
    kind: str | None
    statistic: float | None
    threshold: float | None
    drifted: bool


@dataclass(frozen=True)
class Performance:
    """The scores of a week, by its Monday, against the labels known when it was measured."""

    week: date
    rows: int
    known_positives: int
    found_positives: int
    false_alarms: int
    average_precision: float | None


@dataclass(frozen=True)
class ModelWatch:
    """The figures of one model, on one connection."""

    connection: psycopg.Connection
    domain: str
    model: str

    def measured(self, day: date) -> str | None:
        """The content of the scores whose drift was measured; None for a day that was not."""
        row = self.connection.execute(
            "SELECT min(content_hash) FROM ops.model_drift WHERE domain = %s AND model = %s AND day = %s",
            (self.domain, self.model, day),
        ).fetchone()
        return row[0] if row else None

    def record_drift(self, day: date, version: str, rows: int, content: str, columns: Sequence[DriftRow]) -> None:
        """Replace what was measured of a day."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ops.model_drift WHERE domain = %s AND model = %s AND day = %s", (self.domain, self.model, day)
            )
            cursor.executemany(
                "INSERT INTO ops.model_drift (domain, model, day, version, rows, content_hash, feature, kl_divergence, "
                "mean_shift, kind, statistic, threshold, drifted) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [(self.domain, self.model, day, version, rows, content, *astuple(column)) for column in columns],
            )

    def labels_until(self) -> date | None:
        """The day up to whose end labels were known when performance was measured last."""
        row = self.connection.execute(
            "SELECT max(labels_until) FROM ops.model_performance WHERE domain = %s AND model = %s", (self.domain, self.model)
        ).fetchone()
        return row[0] if row else None

    def record_performance(self, weeks: Sequence[Performance], labels_until: date) -> None:
        """Keep what weeks came to, in place of what they came to before."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ops.model_performance (domain, model, labels_until, week, rows, known_positives, found_positives, "
                "false_alarms, average_precision) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) "
                "ON CONFLICT (domain, model, week) DO UPDATE SET labels_until = excluded.labels_until, rows = excluded.rows, "
                "known_positives = excluded.known_positives, found_positives = excluded.found_positives, "
                "false_alarms = excluded.false_alarms, average_precision = excluded.average_precision, measured_at = now()",
                [(self.domain, self.model, labels_until, *astuple(week)) for week in weeks],
            )

    def reason_to_retrain(self) -> str | None:
        """Drift on the last days in a row, or a detection rate that fell by more than chance explains; None otherwise.

        Only what the present champion scored counts: a new one starts with a clean sheet.
        """
        return self._drift() or self._fall()

    def _drift(self) -> str | None:
        rows = self.connection.execute(
            "SELECT d.day, count(*) FILTER (WHERE d.drifted), string_agg(d.feature, ', ' ORDER BY d.feature) "
            "FILTER (WHERE d.drifted) FROM ops.model_drift d JOIN ops.model_aliases a ON a.domain = d.domain "
            "AND a.model = d.model AND a.alias = 'champion' AND a.version = d.version "
            "WHERE d.domain = %s AND d.model = %s GROUP BY d.day ORDER BY d.day DESC LIMIT %s",
            (self.domain, self.model, DAYS_IN_A_ROW),
        ).fetchall()
        if len(rows) < DAYS_IN_A_ROW or not all(count for _, count, _ in rows):
            return None
        return f"drift on {rows[0][0]} and the day before, in {rows[0][2]}"

    def _fall(self) -> str | None:
        rows = self.connection.execute(
            "SELECT week, known_positives, found_positives FROM ops.model_performance "
            "WHERE domain = %s AND model = %s AND known_positives >= %s ORDER BY week DESC LIMIT %s",
            (self.domain, self.model, LEAST_KNOWN, 1 + EARLIER_WEEKS),
        ).fetchall()
        if len(rows) < 2:
            return None
        (week, known, found), *earlier = rows
        before_known, before_found = sum(row[1] for row in earlier), sum(row[2] for row in earlier)
        now, before = found / known, before_found / before_known
        if now >= before * (1 - LARGEST_FALL) or chance_of_so_few(found, known, before_found, before_known) > CHANCE:
            return None
        return f"the detection rate of the week of {week} is {now:.0%}, it was {before:.0%} in the weeks before"


def chance_of_so_few(found: int, known: int, before_found: int, before_known: int) -> float:
    """Fisher's exact test, one-sided: the probability of finding at most so many of the known, were both rates the same."""
    total_found, total = found + before_found, known + before_known
    least = max(0, total_found - before_known)
    ways = sum(comb(known, k) * comb(before_known, total_found - k) for k in range(least, found + 1))
    return ways / comb(total, total_found)
