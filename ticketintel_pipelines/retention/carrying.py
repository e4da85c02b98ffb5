"""Carrying a plan out: one run at a time in a domain, act by act, within bounds; each act looks again at what it is about."""

import time
from collections.abc import Callable
from dataclasses import replace

import psycopg

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.retention.acts import Plan
from ticketintel_pipelines.retention.archive import archive_month
from ticketintel_pipelines.retention.expiry import delete_archived_month, sweep
from ticketintel_pipelines.retention.index import archived_month, partitions
from ticketintel_pipelines.retention.ledger import Entry, append
from ticketintel_pipelines.retention.manifest import DamagedArchiveError
from ticketintel_pipelines.retention.outcome import IN_USE, NotDoneError, Outcome, Report, Result, planned
from ticketintel_pipelines.retention.plan import Act, Kind
from ticketintel_pipelines.retention.purge import delete_rows, drop_archived_month, purge_month
from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS, Bounds, Room


def carry_out(
    room: Room,
    plan: Plan[Act],
    *,
    bounds: Bounds = DEFAULT_BOUNDS,
    dry_run: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> Report[Act]:
    """Do what a plan says; in a dry run, which is the default, only say so.

    Raises:
        BusyError: another run has the domain.
        BadInputError: the plan was made for another domain or under another policy.
    """
    if (plan.domain, plan.policy_version) != (room.domain.name, room.policy.version):
        raise BadInputError("the plan was made for another domain or under another policy; make it anew")
    if dry_run:
        return planned(plan)
    with room.alone(bounds) as connection:
        run = _Run(connection, room, plan, bounds, clock)
        sweep(connection, room)
        return Report(plan, tuple(run.outcome(act) for act in plan.acts), dry_run=False)


class _Run:
    def __init__(
        self, connection: psycopg.Connection, room: Room, plan: Plan[Act], bounds: Bounds, clock: Callable[[], float]
    ) -> None:
        self.connection = connection
        self.room = room
        self.today = plan.today
        self.dropped_too = {(act.table, act.month) for act in plan.acts if act.kind is Kind.DROP}
        self.bounds = bounds
        self.clock = clock
        self.deadline = clock() + bounds.most_minutes * 60
        self.rows = 0

    def outcome(self, act: Act) -> Outcome[Act]:
        """Do one act; what stops it is told in the outcome, and in the ledger where somebody has to know."""
        if act.stopped is not None:
            return self._told(act, Result.HELD, act.stopped)
        if (bound := self.bounds.reached(self.rows, self._is_late)) is not None:
            return Outcome(act, Result.BOUNDED, 0, 0, bound)
        try:
            done = self._do(act)
        except NotDoneError as error:
            return self._told(replace(act, holds=error.holds), error.result, str(error))
        except DamagedArchiveError as error:
            return self._told(act, Result.REFUSED, str(error))
        except IN_USE as error:
            return Outcome(act, Result.LOCKED, 0, 0, " ".join(str(error).split()))
        # The rows of a month that is archived and then dropped count once.
        if act.kind is not Kind.ARCHIVE or (act.table, act.month) not in self.dropped_too:
            self.rows += done.rows
        return done

    def _do(self, act: Act) -> Outcome[Act]:
        table = self.room.domain.by_name[act.table]
        about = (self.connection, self.room, table, act.month)
        if act.kind is Kind.DELETE_ARCHIVE:
            return Outcome(act, Result.DONE, *delete_archived_month(*about, self.today))
        partition = partitions(self.connection, self.room, table).get(act.month)
        if partition is None:
            known = archived_month(self.connection, self.room, act.table, act.month)
            where = "; it is in the archive" if known is not None and known.holds_alone else ""
            return Outcome(act, Result.DONE, 0, 0, f"it was gone before{where}")
        match act.kind:
            case Kind.ARCHIVE:
                manifest = archive_month(*about, partition, self.today)
                return Outcome(act, Result.DONE, manifest.rows, manifest.file_bytes)
            case Kind.DROP:
                return Outcome(act, Result.DONE, *drop_archived_month(*about, partition, self.today))
            case Kind.PURGE:
                return Outcome(act, Result.DONE, *purge_month(*about, partition, self.today))
            case Kind.DELETE_ROWS:
                assert act.until is not None
                rows, all_gone = delete_rows(
                    self.connection,
                    self.room,
                    table,
                    partition,
                    act.month,
                    act.until,
                    self.today,
                    self.bounds,
                    self.bounds.most_rows - self.rows,
                    self._is_late,
                )
                result = Result.DONE if all_gone else Result.BOUNDED
                return Outcome(act, result, rows, 0, "" if all_gone else "the next run goes on")

    def _is_late(self) -> bool:
        return self.clock() >= self.deadline

    def _told(self, act: Act, result: Result, words: str) -> Outcome[Act]:
        """Holds and refusals stand in the ledger, by the numbers of the holds: a reason may name a person."""
        if result in (Result.HELD, Result.REFUSED):
            detail = {"kind": act.kind.value, "holds": list(act.holds)}
            entry = Entry(result.value, act.table, act.month, act.last_day, act.rows, 0, result=result.value, detail=detail)
            append(self.connection, self.room, entry)
        return Outcome(act, result, 0, 0, words)
