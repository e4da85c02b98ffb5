"""Legal holds: what must not be archived, purged or erased, whatever the policy says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import psycopg

from ticketintel_pipelines.contract import ColumnType, Table
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.engine import identifier, text
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.room import Room

SUBJECT_TYPES = (ColumnType.ADDRESS, ColumnType.TEXT)


@dataclass(frozen=True)
class Hold:
    """On rows of `table`, of the days from `first_day` to `last_day`, about `subject` (a wallet or a user); None: any."""

    hold_id: int
    table: str | None
    first_day: date | None
    last_day: date | None
    subject: str | None
    reason: str
    until: date | None = None

    @property
    def words(self) -> str:
        """For people; the reason may name a person, so the ledger has the number alone."""
        end = f" until {self.until}" if self.until else ""
        return f"legal hold {self.hold_id}{end}: {self.reason}"


def place(connection: psycopg.Connection, room: Room, hold: Hold) -> int:
    """Put a hold in force; returns its number. (The one in `hold` is not looked at.)

    Raises:
        BadInputError: it names a table that there is not, or nobody where it names somebody, or gives no reason.
    """
    if hold.table is not None and hold.table not in room.domain.by_name:
        raise BadInputError(f"{room.domain.name} has no table {hold.table}; it has {', '.join(room.domain.by_name)}")
    if not hold.reason.strip():
        raise BadInputError("a hold needs a reason")
    if hold.subject is not None and not hold.subject.strip():
        raise BadInputError("a hold on nobody holds nothing: name a wallet or a user, or neither")
    if hold.first_day and hold.last_day and hold.last_day < hold.first_day:
        raise BadInputError(f"a hold cannot end ({hold.last_day}) before it starts ({hold.first_day})")
    with connection.transaction():
        row = connection.execute(
            "INSERT INTO ops.legal_holds (domain, table_name, first_day, last_day, subject, reason, placed_by, until) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING hold_id",
            (
                room.domain.name,
                hold.table,
                hold.first_day,
                hold.last_day,
                _as_stored(hold.subject),
                hold.reason,
                room.actor,
                hold.until,
            ),
        ).fetchone()
        assert row is not None
        detail = {"hold_id": row[0], "on_a_subject": hold.subject is not None}
        append(connection, room, Entry("hold_placed", hold.table, hold.first_day, hold.last_day, detail=detail))
    return int(row[0])


def release(connection: psycopg.Connection, room: Room, hold_id: int) -> None:
    """End a hold.

    Raises:
        BadInputError: there is none of this number in force.
    """
    with connection.transaction():
        row = connection.execute(
            "UPDATE ops.legal_holds SET released_at = now() WHERE domain = %s AND hold_id = %s AND released_at IS NULL "
            "RETURNING table_name, first_day, last_day",
            (room.domain.name, hold_id),
        ).fetchone()
        if row is None:
            raise BadInputError(f"{room.domain.name} has no hold {hold_id} in force; 'ticketintel hold list' shows them")
        table, first_day, last_day = row
        append(connection, room, Entry("hold_released", table, first_day, last_day, detail={"hold_id": hold_id}))


def holds_in_force(connection: psycopg.Connection, room: Room, today: date) -> list[Hold]:
    """All holds of the domain that are neither released nor over."""
    rows = connection.execute(
        "SELECT hold_id, table_name, first_day, last_day, subject, reason, until FROM ops.legal_holds "
        "WHERE domain = %s AND released_at IS NULL AND (until IS NULL OR until >= %s) ORDER BY hold_id",
        (room.domain.name, today),
    ).fetchall()
    return [Hold(*row) for row in rows]


def holds_on(holds: Sequence[Hold], table: Table, first: date, last: date) -> list[Hold]:
    """The holds that may be on rows of a table in these days; those on a subject are on some rows at most."""
    return [
        hold
        for hold in holds
        if hold.table in (None, table.name)
        and (hold.first_day is None or hold.first_day <= last)
        and (hold.last_day is None or hold.last_day >= first)
    ]


def held_rows(table: Table, holds: Sequence[Hold]) -> str:
    """An SQL expression, for Postgres and DuckDB alike, that holds for the rows on which any of the holds is."""
    return " OR ".join(f"({_rows_of(table, hold)})" for hold in holds) or "FALSE"


def _rows_of(table: Table, hold: Hold) -> str:
    time = identifier(table.time)
    conditions = ["TRUE"]
    if hold.first_day is not None:
        conditions.append(f"{time} >= {instant(hold.first_day)}")
    if hold.last_day is not None:
        conditions.append(f"{time} < {instant(hold.last_day + timedelta(days=1))}")
    if hold.subject is not None:
        names = [identifier(column.name) for column in table.columns if column.type in SUBJECT_TYPES]
        # Null where a column is: such a row is not known to be held by that column.
        equal = " OR ".join(f"coalesce({name} = {text(hold.subject)}, FALSE)" for name in names)
        conditions.append(f"({equal or 'FALSE'})")
    return " AND ".join(conditions)


def instant(day: date) -> str:
    """The first instant of a day in UTC, as SQL that Postgres and DuckDB both read."""
    return f"TIMESTAMPTZ '{day} 00:00:00+00'"


def _as_stored(subject: str | None) -> str | None:
    """Addresses are kept in lower case."""
    is_address = subject is not None and subject[:2].lower() == "0x"
    return subject.lower() if subject is not None and is_address else subject
