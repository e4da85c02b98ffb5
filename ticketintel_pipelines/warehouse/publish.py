"""Publishing: the judged rows of some days replace what was published of those days, in one transaction or not at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import duckdb
import psycopg
from psycopg import sql

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.errors import PublishRefusedError
from ticketintel_pipelines.lake.layout import DayRange, contiguous_ranges
from ticketintel_pipelines.quality.verdict import Verdict
from ticketintel_pipelines.warehouse.frozen import retained_from
from ticketintel_pipelines.warehouse.loading import load_parts


@dataclass(frozen=True)
class Publication:
    """What a publication changed: days that were replaced, and rows that were written."""

    changed_days: tuple[date, ...]
    rows_written: int


@dataclass(frozen=True)
class Consequence:
    """Days of `table` whose rows may be others once some rows of another day, or of another table, are published.

    `sql` selects those days, for the days %(changed)s that were just published.
    """

    table: str
    because: str
    sql: str


def publish(
    connection: psycopg.Connection,
    engine: duckdb.DuckDBPyConnection,
    domain: Domain,
    verdict: Verdict,
    *,
    raw_sequence: int,
    run_id: str,
    consequences: Sequence[Consequence] = (),
    before_commit: Callable[[], None] = lambda: None,
) -> Publication:
    """Make a verdict visible; days whose content is the same as before are left alone.

    Readers see the old rows until the transaction commits, and the new ones afterwards. In the same transaction the days
    that have to be worked out again are noted; `before_commit` runs last in it.

    Raises:
        PublishRefusedError: the verdict is not sound, or a day that changed was frozen meanwhile; nothing changed.
    """
    verdict.refuse_unless_sound()
    table = verdict.table
    with connection.transaction():
        # One publisher per table at a time: two runs of the same day would otherwise both delete and then both insert.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"publish {domain.name}.{table.name}",))
        known = _published_hashes(connection, domain, table, verdict.days)
        changed = [outcome for outcome in verdict.outcomes if known.get(outcome.day) != outcome.content_hash]
        _refuse_frozen(connection, domain, table, [outcome.day for outcome in changed])
        days = [outcome.day for outcome in changed]
        for days_together in contiguous_ranges(o.day for o in changed if o.day in known or o.rows_in):
            if table.published:
                _clear(connection, domain, table, days_together)
            _clear_quarantine(connection, domain, table, days_together)
        rows = load_parts(connection, engine, domain, table, {day: verdict.parts[day] for day in days if day in verdict.parts})
        _load_quarantine(connection, domain, verdict, days)
        _record(connection, domain, verdict, set(days), raw_sequence, run_id)
        _note_stale_days(connection, domain, verdict, days, consequences)
        before_commit()
    return Publication(tuple(days), rows)


def _refuse_frozen(connection: psycopg.Connection, domain: Domain, table: Table, changed: Sequence[date]) -> None:
    if not changed or not table.published:
        return
    # Retention keeps writers out while it takes days away: from here on it waits for this transaction.
    connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE").format(sql.Identifier(domain.name, table.name)))
    first = retained_from(connection, domain.name).get(table.name)
    if first is not None and min(changed) < first:
        raise PublishRefusedError(
            f"{domain.name}.{table.name} of {min(changed)} left Postgres, which holds it from {first} on; run the later days"
        )


def _published_hashes(connection: psycopg.Connection, domain: Domain, table: Table, days: DayRange) -> dict[date, str]:
    rows = connection.execute(
        "SELECT day, content_hash FROM ops.published_days WHERE domain = %s AND table_name = %s AND day BETWEEN %s AND %s",
        (domain.name, table.name, days.first, days.last),
    ).fetchall()
    return dict(rows)


def _clear(connection: psycopg.Connection, domain: Domain, table: Table, days: DayRange) -> None:
    start = datetime.combine(days.first, time(), UTC)
    end = datetime.combine(days.last + timedelta(days=1), time(), UTC)
    statement = sql.SQL("DELETE FROM {} WHERE {time} >= %s AND {time} < %s").format(
        sql.Identifier(domain.name, table.name), time=sql.Identifier(table.time)
    )
    connection.execute(statement, (start, end))


def _clear_quarantine(connection: psycopg.Connection, domain: Domain, table: Table, days: DayRange) -> None:
    connection.execute(
        "DELETE FROM ops.quarantine WHERE domain = %s AND table_name = %s AND day BETWEEN %s AND %s",
        (domain.name, table.name, days.first, days.last),
    )


def _load_quarantine(connection: psycopg.Connection, domain: Domain, verdict: Verdict, days: Sequence[date]) -> None:
    changed = set(days)
    rows = [row for row in verdict.quarantine.to_pylist() if row["day"] in changed]
    if not rows:
        return
    columns = ("day", "rule", "rules", "reason", "source_file", "source_row", "row_key", "mended", "content")
    statement = f"COPY ops.quarantine (domain, table_name, {', '.join(columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row((domain.name, verdict.table.name, *(row[column] for column in columns)))


def _note_stale_days(
    connection: psycopg.Connection,
    domain: Domain,
    verdict: Verdict,
    changed: Sequence[date],
    consequences: Sequence[Consequence],
) -> None:
    """The days of the verdict are done; what follows from those that changed is still to do."""
    connection.execute(
        "DELETE FROM ops.stale_days WHERE domain = %s AND table_name = %s AND day BETWEEN %s AND %s",
        (domain.name, verdict.table.name, verdict.days.first, verdict.days.last),
    )
    if not changed:
        return
    for consequence in consequences:
        if not _has_other_days(connection, domain, verdict.table, changed, consequence):
            continue
        connection.execute(
            "INSERT INTO ops.stale_days (domain, table_name, day, because) "
            f"SELECT DISTINCT %(domain)s, %(table)s, day, %(because)s FROM ({consequence.sql}) AS days (day) "
            "WHERE day <> ALL (%(changed)s::date[]) OR %(table)s <> %(published)s ON CONFLICT DO NOTHING",
            {
                "domain": domain.name,
                "table": consequence.table,
                "because": consequence.because,
                "changed": list(changed),
                "published": verdict.table.name,
            },
        )


def _has_other_days(
    connection: psycopg.Connection, domain: Domain, published: Table, changed: Sequence[date], consequence: Consequence
) -> bool:
    """Whether there are any days that a consequence could name: in a first load there are none, and it need not be asked."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM ops.published_days WHERE domain = %s AND table_name = %s AND rows_in > 0 "
        "AND (table_name <> %s OR day <> ALL (%s::date[])))",
        (domain.name, consequence.table, published.name, list(changed)),
    ).fetchone()
    return row == (True,)


def _record(
    connection: psycopg.Connection, domain: Domain, verdict: Verdict, changed: set[date], raw_sequence: int, run_id: str
) -> None:
    """Remember what is published; an unchanged day only learns how new the fragments were that it was worked out from."""
    written = [outcome for outcome in verdict.outcomes if outcome.day in changed]
    not_judged = [result.rule.name for result in verdict.results if result.not_judged]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.published_days AS p (domain, table_name, day, rows_in, published, quarantined, duplicates, "
            "superseded, content_hash, raw_sequence, not_judged, late_on, run_id) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (domain, table_name, day) DO UPDATE SET rows_in = excluded.rows_in, published = excluded.published, "
            "quarantined = excluded.quarantined, duplicates = excluded.duplicates, superseded = excluded.superseded, "
            "content_hash = excluded.content_hash, raw_sequence = excluded.raw_sequence, not_judged = excluded.not_judged, "
            "late_on = excluded.late_on, run_id = excluded.run_id, published_at = now()",
            [
                (
                    domain.name,
                    verdict.table.name,
                    outcome.day,
                    outcome.rows_in,
                    outcome.published,
                    outcome.quarantined,
                    outcome.duplicates,
                    outcome.superseded,
                    outcome.content_hash,
                    raw_sequence,
                    not_judged,
                    list(outcome.late_on),
                    run_id,
                )
                for outcome in written
            ],
        )
        same = [outcome for outcome in verdict.outcomes if outcome.day not in changed]
        cursor.executemany(
            "UPDATE ops.published_days SET raw_sequence = greatest(raw_sequence, %s), rows_in = %s, duplicates = %s, "
            "not_judged = %s, late_on = %s WHERE domain = %s AND table_name = %s AND day = %s",
            [
                (
                    raw_sequence,
                    outcome.rows_in,
                    outcome.duplicates,
                    not_judged,
                    list(outcome.late_on),
                    domain.name,
                    verdict.table.name,
                    outcome.day,
                )
                for outcome in same
            ],
        )
