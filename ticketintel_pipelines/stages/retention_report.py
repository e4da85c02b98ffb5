"""The report on retention: what is held, due next and overdue per class; and whether books, ledger and archive hold."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ticketintel_pipelines.contract import RetentionClass, Source, Table
from ticketintel_pipelines.retention.erasure_requests import Request, overdue_or_soon
from ticketintel_pipelines.retention.holds import Hold, holds_in_force
from ticketintel_pipelines.retention.index import Archived, archived_months
from ticketintel_pipelines.retention.ledger import broken_rows
from ticketintel_pipelines.retention.months import last_day_of
from ticketintel_pipelines.retention.plan import Act, plan
from ticketintel_pipelines.retention.policy import Periods
from ticketintel_pipelines.retention.reconcile import Account, reconcile
from ticketintel_pipelines.retention.room import Room
from ticketintel_pipelines.retention.verify import Verified, verify

GRACE_DAYS = 8
"""A weekly purge and a day: what was due so long ago and is still there is overdue."""


@dataclass(frozen=True)
class ClassReport:
    """What is held of one retention class. `next_due` is the day on which the next rows leave where they are."""

    retention: RetentionClass
    periods: Periods
    tables: int
    hot_rows: int
    archived_rows: int
    oldest_hot: date | None
    oldest_archived: date | None
    next_due: date | None
    overdue: tuple[Act, ...]
    holds: tuple[int, ...]


@dataclass(frozen=True)
class RetentionReport:
    """All that the report's checks judge. `waiting` acts are stopped by a legal hold, or by a restoration that lasts or ended
    within the days of grace.
    """

    today: date
    classes: tuple[ClassReport, ...]
    accounts: tuple[Account, ...]
    overdue: tuple[Act, ...]
    waiting: tuple[Act, ...]
    holds: tuple[Hold, ...]
    broken_ledger_rows: tuple[int, ...]
    requests: tuple[Request, ...]
    verified: Verified

    @property
    def unbalanced(self) -> tuple[Account, ...]:
        return tuple(account for account in self.accounts if account.missing)


def retention_report(room: Room, today: date) -> RetentionReport:
    """Look at all of it; nothing is changed. Every file of the archive is read."""
    accounts = {account.table: account for account in reconcile(room)}
    with room.session() as connection:
        months = archived_months(connection, room)
        holds = holds_in_force(connection, room, today)
        broken = broken_rows(connection)
        requests = [one for one in overdue_or_soon(connection, today) if one.domain == room.domain.name]
    as_of = today - timedelta(days=GRACE_DAYS)
    late = plan(room, as_of).acts
    restored = {(one.table, one.month) for one in months if one.restored_until is not None and one.restored_until >= as_of}
    waiting = [act for act in late if act.stopped and (act.holds or (act.table, act.month) in restored)]
    # An empty partition is no row that is kept too long.
    overdue = [act for act in late if act.rows and act not in waiting]
    return RetentionReport(
        today,
        tuple(_classes(room, accounts, months, overdue, holds)),
        tuple(accounts.values()),
        tuple(overdue),
        tuple(waiting),
        tuple(holds),
        tuple(broken),
        tuple(requests),
        verify(room),
    )


def _classes(
    room: Room,
    accounts: dict[str, Account],
    months: Sequence[Archived],
    overdue: Sequence[Act],
    holds: Sequence[Hold],
) -> Iterable[ClassReport]:
    tables: dict[RetentionClass, list[Table]] = defaultdict(list)
    for table in room.domain.published_tables:
        tables[table.retention].append(table)
    alone = [one for one in months if one.holds_alone]
    for retention in RetentionClass:
        periods, names = room.policy.of(retention), {table.name for table in tables[retention]}
        archived = [one for one in alone if one.table in names]
        hot = [oldest for name in sorted(names) if (oldest := accounts[name].oldest) is not None]
        leaving = [
            _leaves(periods, oldest)
            for table in tables[retention]
            if table.source is not Source.FEATURE and (oldest := accounts[table.name].oldest) is not None
        ]
        leaving += [_expires(periods, one.month) for one in archived]
        yield ClassReport(
            retention,
            periods,
            len(names),
            sum(accounts[name].hot for name in names),
            sum(one.rows for one in archived),
            min(hot, default=None),
            min((one.first_day for one in archived), default=None),
            min((day for day in leaving if day is not None), default=None),
            tuple(act for act in overdue if act.table in names),
            tuple(hold.hold_id for hold in holds if hold.table is None or hold.table in names),
        )


def _leaves(periods: Periods, oldest: date) -> date | None:
    """When the oldest rows leave Postgres: those of an archived class with the last of their month."""
    if periods.hot_days is None:
        return None
    return (last_day_of(oldest.replace(day=1)) if periods.archived else oldest) + timedelta(days=periods.hot_days + 1)


def _expires(periods: Periods, month: date) -> date | None:
    if periods.deleted_after_days is None:
        return None
    return last_day_of(month) + timedelta(days=periods.deleted_after_days + 1)
