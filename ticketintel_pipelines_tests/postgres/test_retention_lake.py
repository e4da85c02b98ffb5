"""The lake follows the policy: expired days leave it, what only the lake has stays as long as the archive would keep it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from ticketintel_pipelines.contract import PersonalData, RetentionClass, Table
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.landing import RAW_STAGE
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.retention import lake as purging
from ticketintel_pipelines.retention.holds import Hold, place
from ticketintel_pipelines.retention.lake import purge_lake
from ticketintel_pipelines.retention.lake_plan import LakeAct, LakePlan, plan_lake
from ticketintel_pipelines.retention.ledger import broken_rows
from ticketintel_pipelines.retention.outcome import Report, Result
from ticketintel_pipelines.retention.policy import DEFAULT_POLICY, Policy
from ticketintel_pipelines.retention.room import Bounds, BusyError
from ticketintel_pipelines.stages.retention_lake import Kept, lake_shelves
from ticketintel_pipelines.ticketing.features.families import FAMILIES, FEATURES
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS
from ticketintel_pipelines.ticketing.retention import FEATURES_KEPT
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines_tests.postgres.retaining import MINTS, ORDERS, TODAY, VISITS, At, Depot, new_depot, order
from ticketintel_pipelines_tests.unit.judging import part

JANUARY, MARCH, MAY = date(2026, 1, 10), date(2026, 3, 10), date(2026, 5, 10)
AFTER_TWO_YEARS = TODAY + timedelta(days=750)
KEPT = {
    "seen_orders": Kept(RetentionClass.PREDICTION, ("orders",)),
    "seen_visits": Kept(RetentionClass.USER_SESSION, ("visits",)),
}


@dataclass(frozen=True)
class World:
    """A depot, and a lake that holds the same rows in all stages."""

    depot: Depot
    lake: Lake

    def plan(self, today: date = TODAY) -> LakePlan:
        return plan_lake(self.depot.room, self.lake, lake_shelves(self.depot.room.domain, KEPT), today)

    def purge(self, today: date = TODAY, **how: object) -> Report[LakeAct]:
        return purge_lake(self.depot.room, self.lake, self.plan(today), **{"dry_run": False, **how})  # type: ignore[arg-type]

    def files(self) -> set[str]:
        home = self.lake.root / self.depot.name
        return {f"{path.parent.parent.relative_to(home)} {path.parent.name[4:11]}" for path in home.rglob("*.parquet")}

    def purged(self) -> list[tuple]:
        query = "SELECT detail ->> 'stage', detail ->> 'name', rows FROM ops.retention_ledger WHERE domain = %s AND act = %s"
        return self.depot.rows(query, (self.depot.name, "lake_purged"))

    def land(self, table: Table, day: date, name: str) -> Path:
        """A raw file of one row that was taken in, and is newer than anything published."""
        path = self.lake.partition(RAW_STAGE, table.name, day) / f"{name}.parquet"
        write(path, table, day, name)
        with psycopg.connect(self.depot.room.dsn) as connection:
            connection.execute(
                "INSERT INTO ops.imported_files (domain, content_hash, table_name, source_file, bytes, rows) "
                "VALUES (%s, %s, %s, %s, 1, 1) ON CONFLICT DO NOTHING",
                (self.depot.name, name, table.name, name),
            )
            connection.execute(
                "INSERT INTO ops.raw_fragments (domain, table_name, day, path, rows, content_hash) "
                "VALUES (%s, %s, %s, %s, 1, %s)",
                (self.depot.name, table.name, day, str(path.relative_to(self.lake.root)), name),
            )
        return path

    def publish(self, table: Table, day: date) -> None:
        """A row in the raw file, in Postgres, and in the stages that follow."""
        self.land(table, day, f"{table.name} of {day}")
        self.depot.publish(table, [order(f"{table.name}-{day}", day)])
        with psycopg.connect(self.depot.room.dsn) as connection:
            connection.execute(
                "UPDATE ops.published_days SET raw_sequence = (SELECT max(sequence) FROM ops.raw_fragments) "
                "WHERE domain = %s AND table_name = %s AND day = %s",
                (self.depot.name, table.name, day),
            )
        for stage in ("validate", "history"):
            write(self.lake.part(stage, table.name, day), table, day, "x")

    def fragments(self) -> set[tuple]:
        query = "SELECT table_name, day FROM ops.raw_fragments WHERE domain = %s"
        return set(self.depot.rows(query, (self.depot.name,)))

    def frozen(self) -> dict[str, date]:
        query = "SELECT table_name, first_day FROM ops.retained_from WHERE domain = %s"
        return dict(self.depot.rows(query, (self.depot.name,)))


def write(path: Path, table: Table, day: date, name: str, **cells: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part(path, table, [{**order(name, day, price_wei="1"), **cells}])


@pytest.fixture
def world(dsn: str, tmp_path: Path) -> World:
    """A row of January, March and May in each table, and what was seen of orders and visits on these days."""
    depot = new_depot(dsn, tmp_path / "archive")
    world = World(depot, Lake(tmp_path / "lake", depot.name))
    for day in (JANUARY, MARCH, MAY):
        for table in (ORDERS, VISITS, MINTS):
            world.publish(table, day)
        write(world.lake.part("feature", "seen_orders", day), ORDERS, day, "x")
        write(world.lake.part("feature", "seen_visits", day), VISITS, day, "x")
    return world


def everything(table: str, stages: Iterable[str], months: Iterable[str]) -> set[str]:
    return {f"{stage}/{table} {month}" for stage in stages for month in months}


ALL = ("2026-01", "2026-03", "2026-05")
STAGES = ("raw", "validate", "history")


def test_what_has_expired_leaves_the_lake_and_the_rest_stays(world: World) -> None:
    world.depot.retain()
    assert set(world.purge().results) == {Result.DONE}
    assert world.files() == (
        everything("mints", STAGES, ALL)
        | everything("visits", STAGES, ("2026-05",))
        | everything("orders", STAGES, ("2026-03", "2026-05"))
        # The archive has the rows of January as they were published, not what they had been before.
        | everything("orders", ("history",), ("2026-01",))
        | everything("seen_orders", ("feature",), ALL)
        | everything("seen_visits", ("feature",), ("2026-05",))
    )
    assert ("visits", JANUARY) not in world.fragments()
    assert {("orders", MARCH), ("mints", JANUARY)} <= world.fragments()
    world.depot.require_balanced()
    with world.depot.room.session() as connection:
        assert broken_rows(connection) == []


def test_a_dry_run_is_the_default_and_changes_nothing(world: World) -> None:
    world.depot.retain()
    before = (world.files(), world.fragments(), world.depot.ledger())
    report = purge_lake(world.depot.room, world.lake, world.plan())
    assert report.dry_run and set(report.results) == {Result.PLANNED}
    assert report.outcomes[0].bytes > 0 and "2026-01" in report.outcomes[0].line
    assert (world.files(), world.fragments(), world.depot.ledger()) == before


def test_nothing_of_an_archived_class_goes_before_its_month_was_dropped(world: World) -> None:
    world.purge()
    assert everything("orders", STAGES, ALL) <= world.files()


def test_with_the_end_of_the_archive_the_lake_has_nothing_more_of_it(world: World) -> None:
    world.depot.retain()
    world.depot.retain(today=AFTER_TWO_YEARS)
    world.purge(AFTER_TWO_YEARS)
    assert not {file for file in world.files() if "/orders " in file}
    assert everything("seen_orders", ("feature",), ALL) <= world.files(), "scores are kept for five years"


def test_a_row_that_came_after_its_month_was_dropped_stays_landed(world: World) -> None:
    world.depot.retain()
    late = world.land(ORDERS, JANUARY, "late order")
    world.purge()
    assert late.exists()
    assert ("orders", JANUARY) in world.fragments()


def test_a_file_whose_fragments_were_purged_stays_known(world: World) -> None:
    world.depot.retain()
    world.purge()
    with world.depot.room.session() as connection:
        assert f"visits of {JANUARY}" in Catalog(connection, world.lake.root).known_files(world.depot.name)


def test_purged_days_are_frozen(world: World) -> None:
    world.depot.retain()
    world.purge()
    frozen = world.frozen()
    assert frozen["feature/seen_visits"] == MARCH + timedelta(days=1)
    assert frozen["visits"] > MARCH
    assert "feature/seen_orders" not in frozen


def test_the_ledger_tells_rows_and_bytes_and_a_second_purge_adds_nothing(world: World) -> None:
    world.depot.retain()
    world.purge()
    purged = world.purged()
    assert len(purged) == len(set(purged)) + 4, "visits of January and of March in four places each, orders in two"
    assert {row[2] for row in purged} == {1}
    world.purge()
    assert world.purged() == purged and world.plan().acts == ()


def test_a_hold_keeps_the_days_that_it_names_with_what_was_made_of_them(world: World) -> None:
    world.depot.retain()
    with world.depot.room.session() as connection:
        place(connection, world.depot.room, Hold(0, "visits", MARCH, MARCH, None, "a court asks"))
    report = world.purge()
    assert everything("visits", STAGES, ("2026-03",)) | {"feature/seen_visits 2026-03"} <= world.files()
    assert not everything("visits", STAGES, ("2026-01",)) & world.files()
    held = [outcome for outcome in report.outcomes if outcome.result is Result.HELD]
    assert len(held) == 4 and all("a court asks" in outcome.line for outcome in held)


def test_a_hold_on_a_person_keeps_the_files_with_that_person(world: World) -> None:
    write(world.lake.part("validate", "visits", JANUARY), VISITS, JANUARY, "x", user_id="somebody else")
    with world.depot.room.session() as connection:
        place(connection, world.depot.room, Hold(0, "visits", None, None, "u1", "a dispute"))
    world.purge()
    assert "validate/visits 2026-01" not in world.files()
    assert "validate/visits 2026-03" in world.files()


def test_a_hold_that_is_placed_after_the_plan_is_respected(world: World) -> None:
    plan = world.plan()
    with world.depot.room.session() as connection:
        number = place(connection, world.depot.room, Hold(0, None, None, None, None, "everything stays"))
    before = world.files()
    report = purge_lake(world.depot.room, world.lake, plan, dry_run=False)
    assert world.files() == before and world.purged() == []
    assert {(outcome.result, outcome.act.holds) for outcome in report.outcomes} == {(Result.HELD, (number,))}
    assert world.depot.ledger("act, detail -> 'holds'").count(("held", [number])) == len(report.outcomes)


class Unplugged(BaseException):
    """Stands for a process that is gone: nothing is put in order after it."""


def unplug() -> None:
    raise Unplugged


@pytest.mark.parametrize("step", ["record", "remove"])
def test_a_purge_that_was_killed_is_finished_by_the_next_one(world: World, step: str, monkeypatch) -> None:
    """Before the ledger was written everything is as it was; afterwards it is gone, and told of once."""
    at = At(f"{step} raw/visits 2026-01", unplug)
    with monkeypatch.context() as patched:
        patched.setattr(purging, "_put_back", lambda *_: None)
        with pytest.raises(Unplugged):
            purge_lake(world.depot.as_of(progress=at).room, world.lake, world.plan(), dry_run=False)
    assert "raw/visits 2026-01" not in world.files()
    assert (("visits", JANUARY) in world.fragments()) == (step == "record")
    world.purge()
    assert ("visits", JANUARY) not in world.fragments()
    assert world.purged().count(("raw", "visits", 1)) == 2, "January and March"
    assert not [path for path in (world.lake.root / ".leaving").rglob("*") if path.is_file()]


def test_files_whose_purge_was_not_recorded_go_back_to_their_place(world: World, monkeypatch) -> None:
    before = world.files()
    at = At("record raw/visits 2026-01", unplug)
    with monkeypatch.context() as patched:
        patched.setattr(purging, "_put_back", lambda *_: None)
        with pytest.raises(Unplugged):
            purge_lake(world.depot.as_of(progress=at).room, world.lake, world.plan(), dry_run=False)
    with world.depot.room.session() as connection:
        place(connection, world.depot.room, Hold(0, "visits", None, None, None, "placed after the lights went out"))
    world.purge()
    assert world.files() == before


def test_an_error_leaves_everything_in_its_place(world: World, monkeypatch) -> None:
    before = (world.files(), world.fragments(), world.frozen())
    monkeypatch.setattr(purging, "append", lambda *_: unplug())
    with pytest.raises(Unplugged):
        world.purge()
    assert (world.files(), world.fragments(), world.frozen()) == before


def test_a_table_that_a_run_works_on_is_left_to_the_next_purge(world: World) -> None:
    with world.depot.room.session() as connection:
        Catalog(connection, world.lake.root).lock_table(world.depot.name, "visits")
        assert world.purge().results[Result.LOCKED] == 6
        assert everything("visits", STAGES, ALL) <= world.files()
    assert set(world.purge().results) == {Result.DONE}


def test_bounds_end_a_run_and_the_next_one_goes_on(world: World) -> None:
    report = world.purge(bounds=Bounds(most_rows=1))
    assert report.results[Result.DONE] == 1 and report.results[Result.BOUNDED] == len(report.outcomes) - 1
    world.purge()
    assert world.plan().acts == ()


def test_files_that_nothing_lists_go_once_no_import_can_be_writing_them(world: World) -> None:
    stray = world.lake.partition(RAW_STAGE, "visits", JANUARY) / "stray.parquet"
    write(stray, VISITS, JANUARY, "stray")
    world.purge()
    assert stray.exists()
    os.utime(stray, (1, 1))
    world.purge()
    assert not stray.exists()


def test_a_plan_of_another_policy_and_a_second_purge_are_refused(world: World) -> None:
    plan = world.plan()
    with pytest.raises(BadInputError, match="another policy"):
        purge_lake(world.depot.as_of(policy=_shorter()).room, world.lake, plan)
    with world.depot.room.alone(Bounds()), pytest.raises(BusyError):
        purge_lake(world.depot.room, world.lake, plan, dry_run=False)


def _shorter() -> Policy:
    visits = DEFAULT_POLICY.of(RetentionClass.USER_SESSION)
    return Policy({**DEFAULT_POLICY.periods, RetentionClass.USER_SESSION: replace(visits, hot_days=7, deleted_after_days=7)})


def test_whatever_lies_in_the_lake_of_ticketing_has_a_class() -> None:
    names = {one.name for one in (*OBSERVATIONS, *FAMILIES, FEATURES)}
    assert set(FEATURES_KEPT) == names
    for shelf in lake_shelves(TICKETING, FEATURES_KEPT):
        assert shelf.table is None or shelf.retention is shelf.table.retention


def test_what_tells_where_a_person_was_is_kept_no_longer_than_its_table() -> None:
    for observation in OBSERVATIONS:
        if any(column.personal is PersonalData.DIRECT for column in observation.columns):
            kept = DEFAULT_POLICY.of(FEATURES_KEPT[observation.name].retention).hot_days
            classes = [DEFAULT_POLICY.of(TICKETING.by_name[name].retention) for name in observation.reads]
            shortest = min(periods.hot_days for periods in classes if periods.hot_days is not None)
            assert kept is not None and kept <= shortest, observation.name
