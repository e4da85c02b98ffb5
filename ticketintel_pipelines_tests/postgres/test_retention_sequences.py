"""Whatever is done in whatever order: every row is in one place, or its going is in the ledger and was due."""

import tempfile
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from ticketintel_pipelines.contract import RetentionClass
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.retention.holds import Hold, holds_in_force, place, release
from ticketintel_pipelines.retention.plan import ARCHIVING, PURGING
from ticketintel_pipelines.retention.policy import DEFAULTS, Periods, Policy
from ticketintel_pipelines.retention.query import query
from ticketintel_pipelines.retention.restore import restore
from ticketintel_pipelines.retention.room import Bounds
from ticketintel_pipelines.retention.verify import verify
from ticketintel_pipelines.warehouse.frozen import retained_from
from ticketintel_pipelines_tests.postgres.retaining import ORDERS, VISITS, At, Depot, new_depot, order

FIRST = date(2026, 1, 1)
HOT_DAYS, ARCHIVE_DAYS, VISIT_DAYS = 40, 100, 25
POLICY = Policy(
    {
        **DEFAULTS,
        RetentionClass.TRANSACTION_LOG: Periods(HOT_DAYS, ARCHIVE_DAYS, archived=True),
        RetentionClass.USER_SESSION: Periods(VISIT_DAYS, VISIT_DAYS),
    }
)
STEPS = ("export", "read back", "keep", "enter", "drop", "compare", "purge", "delete rows", "expire", "remove", "record")
PERSONS = ("u1", "u2")


class Cut(Exception):
    """The run breaks off."""


class Cutting(At):
    """Breaks a run off when it comes to the first step of a kind."""

    def step(self, name: str):
        if name.startswith(f"{self.wanted} "):
            self.act()
        return super().step(name)


class Retaining(RuleBasedStateMachine):
    dsn = ""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="ticketintel-retention-")
        self.depot: Depot = new_depot(self.dsn, Path(self.folder.name), POLICY)
        self.today = FIRST
        self.published: dict[str, dict[str, date]] = {"orders": {}, "visits": {}}
        self.restored_until = FIRST

    @rule(days=st.integers(5, 45))
    def time_passes(self, days: int) -> None:
        self.today += timedelta(days=days)

    @rule(back=st.lists(st.integers(0, 50), min_size=1, max_size=6), person=st.sampled_from(PERSONS))
    def rows_come(self, back: list[int], person: str) -> None:
        with self.depot.room.session() as connection:
            frozen = retained_from(connection, self.depot.name)
        for table in (ORDERS, VISITS):
            known = self.published[table.name]
            days = [self.today - timedelta(days=number) for number in back]
            rows = [
                order(f"{len(known) + place:04}", day, user_id=person)
                for place, day in enumerate(day for day in days if day >= frozen.get(table.name, date.min))
            ]
            self.depot.publish(table, rows)
            known |= {row["order_id"]: row["placed_at"].date() for row in rows}

    @rule(kinds=st.sampled_from([ARCHIVING, PURGING]), most_rows=st.sampled_from([3, 1_000]))
    def retention_runs(self, kinds: tuple, most_rows: int) -> None:
        self.depot.retain(kinds, self.today, Bounds(most_rows=most_rows, batch_rows=2))

    @rule(step=st.sampled_from(STEPS))
    def retention_breaks_off(self, step: str) -> None:
        def cut() -> None:
            raise Cut

        with suppress(Cut):
            self.depot.as_of(progress=Cutting(step, cut)).retain(today=self.today)

    @rule(back=st.integers(40, 140))
    def a_period_is_restored(self, back: int) -> None:
        day = self.today - timedelta(days=back)
        with suppress(BadInputError):
            restore(self.depot.room, ORDERS, DayRange(day, day), until=self.today + timedelta(days=10))

    @rule(subject=st.sampled_from([None, *PERSONS]), table=st.sampled_from([None, "orders", "visits"]))
    def a_hold_is_placed(self, subject: str | None, table: str | None) -> None:
        with self.depot.room.session() as connection:
            place(connection, self.depot.room, Hold(0, table, None, self.today, subject, "a case"))

    @precondition(lambda self: self.holds())
    @rule()
    def a_hold_is_released(self) -> None:
        with self.depot.room.session() as connection:
            release(connection, self.depot.room, self.holds()[0].hold_id)

    def holds(self) -> list[Hold]:
        with self.depot.room.session() as connection:
            return holds_in_force(connection, self.depot.room, self.today)

    @invariant()
    def every_row_is_accounted_for(self) -> None:
        if not hasattr(self, "depot"):
            return
        self.depot.require_balanced()
        for name, periods in (("orders", ARCHIVE_DAYS), ("visits", VISIT_DAYS)):
            there = query(self.depot.room, f"SELECT order_id FROM {name}")["order_id"].to_pylist()
            assert len(set(there)) == len(there), "a row is in both places"
            gone = {key: day for key, day in self.published[name].items() if key not in set(there)}
            assert set(there) <= set(self.published[name])
            assert all(day < self.today - timedelta(days=periods) for day in gone.values()), gone

    @rule()
    def the_archive_is_verified(self) -> None:
        # What a run left that broke off is not in the index yet.
        self.depot.retain(today=self.today)
        assert [fault for fault in verify(self.depot.room).faults if "does not know it" not in fault] == []

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


def test_after_any_sequence_of_acts_every_row_is_accounted_for(dsn: str) -> None:
    Retaining.dsn = dsn
    run_state_machine_as_test(
        Retaining,
        settings=settings(
            max_examples=6,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
