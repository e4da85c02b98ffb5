"""Frozen days: those that cannot be worked out any more, since retention took away what they are made of.

What was published of them stays as it is, in the archive or in tables that are kept longer. Rows that come late for them
stay landed.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import psycopg

NEARBY_DAYS = 1
"""What a day's rows are joined with lies on the day itself or on the one before."""


def retained_from(connection: psycopg.Connection, domain: str) -> dict[str, date]:
    """The first day that is still held, by table; `feature/<name>` are tables of that stage. Those that lost nothing lack."""
    rows = connection.execute("SELECT table_name, first_day FROM ops.retained_from WHERE domain = %s", (domain,)).fetchall()
    return dict(rows)


def first_workable(
    retained: Mapping[str, date], table: str, made_of: Iterable[str] = (), nearby_days: int = NEARBY_DAYS
) -> date | None:
    """The first day of a table that can be worked out: it is held, and so is what its rows are made of; None where all can."""
    days = [retained[name] + timedelta(days=nearby_days) for name in made_of if name != table and name in retained]
    if table in retained:
        days.append(retained[table])
    return max(days, default=None)
