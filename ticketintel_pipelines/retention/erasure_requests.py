"""Requests of people to be erased: written down with a deadline, closed with a receipt."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg

from ticketintel_pipelines.retention.tombstones import value_hash

SOON_DAYS = 7


@dataclass(frozen=True)
class Request:
    """One request, under the keyed hash of the account or wallet that it names; `receipt` is its file once it is done."""

    domain: str
    subject: str
    requested_at: datetime
    due_at: datetime
    done_at: datetime | None = None
    receipt: str | None = None

    def is_overdue(self, today: date) -> bool:
        return self.done_at is None and self.due_at.date() < today


def subject_of(key: bytes, word: str, value: str) -> str:
    """The keyed hash that stands for an account or a wallet; `word` says which of both it is."""
    return value_hash(key, f"request {word}", value)


def overdue_or_soon(connection: psycopg.Connection, today: date, soon_days: int = SOON_DAYS) -> list[Request]:
    """The open requests that are overdue, or due within some days, the most urgent first."""
    rows = connection.execute(
        "SELECT domain, subject_hash, requested_at, due_at FROM ops.erasure_requests "
        "WHERE done_at IS NULL AND due_at < %s ORDER BY due_at",
        (today + timedelta(days=soon_days + 1),),
    ).fetchall()
    return [Request(*row) for row in rows]


def open_request(connection: psycopg.Connection, domain: str, subject: str) -> Request:
    """Write a request down, unless it is open already; the open one."""
    connection.execute(
        "INSERT INTO ops.erasure_requests (domain, subject_hash) VALUES (%s, %s) "
        "ON CONFLICT (domain, subject_hash) WHERE done_at IS NULL DO NOTHING",
        (domain, subject),
    )
    found = newest_request(connection, domain, subject)
    assert found is not None
    return found


def newest_request(connection: psycopg.Connection, domain: str, subject: str) -> Request | None:
    """The last request about somebody, open or done."""
    row = connection.execute(
        "SELECT domain, subject_hash, requested_at, due_at, done_at, receipt FROM ops.erasure_requests "
        "WHERE domain = %s AND subject_hash = %s ORDER BY done_at IS NOT NULL, requested_at DESC LIMIT 1",
        (domain, subject),
    ).fetchone()
    return None if row is None else Request(*row)


def close_request(connection: psycopg.Connection, request: Request, receipt: str, receipt_hash: str) -> None:
    connection.execute(
        "UPDATE ops.erasure_requests SET done_at = now(), receipt = %s, receipt_hash = %s "
        "WHERE domain = %s AND subject_hash = %s AND requested_at = %s",
        (receipt, receipt_hash, request.domain, request.subject, request.requested_at),
    )
