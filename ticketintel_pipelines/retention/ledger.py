"""The ledger of retention: each act adds a row, in the transaction that does it where there is one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import psycopg

from ticketintel_pipelines.retention.room import Room


@dataclass(frozen=True)
class Entry:
    """One act. `detail` must hold no personal data: what is written here stays."""

    act: str
    table: str | None
    first_day: date | None = None
    last_day: date | None = None
    rows: int = 0
    bytes: int = 0
    content_hash: str | None = None
    file_hash: str | None = None
    result: str = "done"
    detail: Mapping[str, object] = field(default_factory=dict)


def append(connection: psycopg.Connection, room: Room, entry: Entry) -> None:
    """Write an act into the ledger."""
    connection.execute(
        "INSERT INTO ops.retention_ledger (act, domain, table_name, first_day, last_day, rows, bytes, content_hash, file_hash, "
        "actor, policy_version, run_id, result, detail) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            entry.act,
            room.domain.name,
            entry.table,
            entry.first_day,
            entry.last_day,
            entry.rows,
            entry.bytes,
            entry.content_hash,
            entry.file_hash,
            room.actor,
            room.policy.version,
            room.run_id,
            entry.result,
            json.dumps(entry.detail),
        ),
    )


def broken_rows(connection: psycopg.Connection) -> list[int]:
    """Numbers of the rows that were changed, or follow one that was taken out, since they were written."""
    return [row[0] for row in connection.execute("SELECT broken FROM ops.broken_ledger_rows()").fetchall()]
