"""Retention of Dagster's own records: runs and their events go as debug logs do, but for what says how things stand.

Deleting a run deletes the history of what it made, so the latest event of each kind stays for every asset, every partition of
it and every check, and the run that it belongs to. Of such a run only the details go: its log lines and what its steps told.
What was published, trained and retained stands in the warehouse, and needs none of this.

The records are read and deleted in Dagster's database itself, by the schema of the release that is pinned: a run and all that
belongs to it in one transaction, which Dagster's own deletion, a run at a time through its API, does not give.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

import psycopg

from ticketintel_pipelines.contract import RetentionClass
from ticketintel_pipelines.retention.room import Room
from ticketintel_pipelines.retention.traces import Due, Gone, Limits, record, unless_held
from ticketintel_pipelines.warehouse.server import connect

BATCH_RUNS = 200

DOOMED = """
WITH latest AS MATERIALIZED (
    SELECT max(id) AS id
    FROM event_logs
    WHERE asset_key IS NOT NULL
      AND dagster_event_type NOT LIKE '%%_PLANNED' AND dagster_event_type <> 'ASSET_CHECK_EVALUATION'
    GROUP BY asset_key, dagster_event_type, partition
),
latest_checks AS MATERIALIZED (
    SELECT id, run_id, evaluation_event_storage_id AS event_id
    FROM asset_check_executions
    WHERE id IN (SELECT max(id) FROM asset_check_executions GROUP BY asset_key, check_name, partition)
       OR id IN (SELECT max(id) FROM asset_check_executions WHERE evaluation_event_storage_id IS NOT NULL
                 GROUP BY asset_key, check_name, partition)
),
kept_events AS MATERIALIZED (
    SELECT id FROM latest
    UNION SELECT event_id FROM latest_checks WHERE event_id IS NOT NULL
),
needed_runs AS MATERIALIZED (
    SELECT e.run_id FROM event_logs e JOIN kept_events USING (id)
    UNION SELECT run_id FROM latest_checks WHERE run_id IS NOT NULL
    UNION SELECT last_run_id FROM asset_keys WHERE last_run_id IS NOT NULL
),
old_runs AS MATERIALIZED (
    SELECT r.run_id, r.ended_at, n.run_id IS NULL AS goes
    FROM (
        SELECT run_id, status, to_timestamp(coalesce(end_time, start_time, extract(epoch FROM create_timestamp))) AS ended_at
        FROM runs
    ) AS r
    LEFT JOIN needed_runs n USING (run_id)
    WHERE r.status IN ('SUCCESS', 'FAILURE', 'CANCELED') AND r.ended_at < %(before)s
),
doomed AS MATERIALIZED (
    SELECT e.id, e.run_id, octet_length(e.event) AS bytes, o.ended_at AS at
    FROM event_logs e JOIN old_runs o USING (run_id)
    WHERE o.goes OR (e.asset_key IS NULL AND coalesce(e.dagster_event_type, '') NOT LIKE 'PIPELINE%%')
    UNION ALL
    -- Events that belong to no run, such as those that sensors report.
    SELECT e.id, e.run_id, octet_length(e.event), e.timestamp AT TIME ZONE 'UTC'
    FROM event_logs e
    WHERE e.run_id = '' AND e.timestamp AT TIME ZONE 'UTC' < %(before)s AND e.id NOT IN (SELECT id FROM kept_events)
)
"""

FOUND = f"""
{DOOMED}
SELECT
    coalesce(d.run_id, o.run_id), count(d.id), coalesce(sum(d.bytes), 0),
    min(coalesce(d.at, o.ended_at)), max(coalesce(d.at, o.ended_at))
FROM doomed d FULL JOIN (SELECT * FROM old_runs WHERE goes) o ON o.run_id = d.run_id
GROUP BY 1
ORDER BY 4, 1
"""

DELETED = f"""
{DOOMED},
gone AS (
    DELETE FROM event_logs WHERE id IN (SELECT id FROM doomed WHERE run_id = ANY (%(runs)s))
    RETURNING id, octet_length(event) AS bytes
),
gone_runs AS (
    DELETE FROM runs WHERE run_id IN (SELECT run_id FROM old_runs WHERE goes AND run_id = ANY (%(runs)s))
    RETURNING run_id
),
gone_tags AS (DELETE FROM asset_event_tags WHERE event_id IN (SELECT id FROM gone)),
gone_checks AS (DELETE FROM asset_check_executions WHERE run_id IN (SELECT run_id FROM gone_runs))
SELECT (SELECT count(*) FROM gone), (SELECT coalesce(sum(bytes), 0) FROM gone), (SELECT count(*) FROM gone_runs)
"""


@dataclass(frozen=True)
class _Found:
    """What goes of one run: `events` of them, or the run as a whole."""

    run_id: str
    events: int
    bytes: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class DagsterRuns:
    """Runs and events in Dagster's database; a piece is an event."""

    dsn: str = field(repr=False)
    name: str = "Dagster's runs"

    def due(self, connection: psycopg.Connection, room: Room, today: date) -> Due:
        with connect(self.dsn, autocommit=True) as dagster:
            return unless_held(connection, room, today, _due(_found(dagster, room, today)))

    def delete(self, connection: psycopg.Connection, room: Room, today: date, limits: Limits) -> Gone:
        """Batch by batch; the record of a batch follows it, since it lies in another database."""
        events = size = 0
        with connect(self.dsn, autocommit=True) as dagster:
            found = _found(dagster, room, today)
            for start in range(0, len(found), BATCH_RUNS):
                if limits.reached(events):
                    return Gone(events, size, all_gone=False)
                batch = found[start : start + BATCH_RUNS]
                row = dagster.execute(
                    DELETED, {"before": _before(room, today), "runs": [one.run_id for one in batch]}
                ).fetchone()
                assert row is not None
                due = _due(batch)
                gone = Due(row[0], int(row[1]), due.first_day, due.last_day)
                record(connection, room, self.name, gone, {"runs_deleted": row[2]})
                events, size = events + gone.pieces, size + gone.bytes
        return Gone(events, size, all_gone=True)


def _before(room: Room, today: date) -> datetime:
    kept_from = room.policy.of(RetentionClass.DEBUG_LOG).kept_from(today)
    assert kept_from is not None
    return datetime.combine(kept_from, time(), UTC)


def _found(dagster: psycopg.Connection, room: Room, today: date) -> list[_Found]:
    """The oldest first; nothing where Dagster has not worked yet."""
    there = dagster.execute("SELECT to_regclass('runs') IS NOT NULL AND to_regclass('event_logs') IS NOT NULL").fetchone()
    if there != (True,):
        return []
    rows = dagster.execute(FOUND, {"before": _before(room, today)}).fetchall()
    return [_Found(run_id, events, int(size), first, last) for run_id, events, size, first, last in rows]


def _due(found: Sequence[_Found]) -> Due:
    first = min((one.first for one in found), default=None)
    last = max((one.last for one in found), default=None)
    return Due(
        sum(one.events for one in found),
        sum(one.bytes for one in found),
        first.astimezone(UTC).date() if first else None,
        last.astimezone(UTC).date() if last else None,
    )
