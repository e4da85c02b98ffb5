"""Observations over days: which are stale, and which stay as they are."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.observation import (
    Observed,
    Observing,
    bring_observation_up_to_date,
    stale_observation_days,
)
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.feature_days import FeatureDays

FIRST = date(2026, 3, 1)
DAYS = DayRange(FIRST, FIRST + timedelta(days=5))
BY_INDEX, AS_STORED = ("seqscan", "bitmapscan"), ("indexscan", "bitmapscan")
"""Ways of reading that the database is told to avoid, which leaves it one."""


def _observed(_: Workspace, days: DayRange) -> dict[date, Observed]:
    return {day: Observed(1, f"{day}") for day in days.days}


VISITS = Observing("visits_seen", ("sessions", "users"), _observed, looks_back_days=1)


def publish(workspace: Workspace, table: str, days: Sequence[date] = DAYS.days, content: str = "as it was") -> None:
    """Record days of a table as published, last in the order in which they are stored."""
    with workspace.catalog() as catalog:
        catalog.connection.cursor().executemany(
            "INSERT INTO ops.published_days (domain, table_name, day, rows_in, published, quarantined, duplicates, "
            "content_hash, raw_sequence, run_id) VALUES (%s, %s, %s, 1, 1, 0, 0, %s, 1, '') "
            "ON CONFLICT (domain, table_name, day) DO UPDATE SET content_hash = excluded.content_hash",
            [(TICKETING.name, table, day, content) for day in days],
        )
        catalog.connection.commit()


def work(workspace: Workspace) -> list[date]:
    return bring_observation_up_to_date(workspace, TICKETING, VISITS, DAYS, run_id="test").worked_out


def stale(workspace: Workspace, avoided: Sequence[str] = ()) -> list[date]:
    with workspace.catalog() as catalog:
        for way in avoided:
            catalog.connection.execute(f"SET enable_{way} = off")
        return stale_observation_days(FeatureDays(catalog.connection, TICKETING.name), VISITS, DAYS)


@pytest.mark.parametrize("first", VISITS.reads)
def test_what_is_up_to_date_stays_so_in_whatever_order_the_records_are_read(workspace: Workspace, first: str) -> None:
    for table in sorted(VISITS.reads, key=lambda name: name != first):
        publish(workspace, table)
    assert work(workspace) == DAYS.days
    assert stale(workspace, BY_INDEX) == []
    assert stale(workspace, AS_STORED) == []


def test_a_table_that_is_published_again_as_it_was_leaves_nothing_to_do(workspace: Workspace) -> None:
    for table in VISITS.reads:
        publish(workspace, table)
    assert work(workspace) == DAYS.days
    publish(workspace, VISITS.reads[0])
    assert stale(workspace) == []
    assert work(workspace) == []


@pytest.mark.parametrize("changed", VISITS.reads)
def test_a_day_that_changed_is_worked_out_with_those_that_look_back_to_it(workspace: Workspace, changed: str) -> None:
    for table in VISITS.reads:
        publish(workspace, table)
    work(workspace)
    publish(workspace, changed, [DAYS.days[2]], "changed")
    assert stale(workspace) == DAYS.days[2:4]
    assert work(workspace) == DAYS.days[2:4]
    assert stale(workspace) == []


def test_a_table_of_which_a_day_came_for_the_first_time_wakes_that_day_and_what_looks_back_to_it(workspace: Workspace) -> None:
    publish(workspace, "users")
    work(workspace)
    publish(workspace, "sessions", [DAYS.first])
    assert stale(workspace) == DAYS.days[:2]
