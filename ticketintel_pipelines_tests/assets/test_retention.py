"""The assets of retention on a small deployment: a dry run changes nothing, a purge does what is due, the checks turn red."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from ticketintel_pipelines.catalog import asset_key
from ticketintel_pipelines.definitions import build_defs
from ticketintel_pipelines.nights import dagster_instance
from ticketintel_pipelines.retention.dagster_traces import DagsterRuns
from ticketintel_pipelines.retention.holds import Hold, place
from ticketintel_pipelines.retention.log_files import LogFiles
from ticketintel_pipelines.retention.model_files import ModelFiles
from ticketintel_pipelines.retention.outcome import Result
from ticketintel_pipelines.retention.quarantine import Quarantine
from ticketintel_pipelines.retention.room import Bounds, Room
from ticketintel_pipelines.retention.traces import Traces, retain_traces
from ticketintel_pipelines.schedules import PURGE_CRON
from ticketintel_pipelines.settings import read_settings
from ticketintel_pipelines.stages.retention import retention_room
from ticketintel_pipelines.stages.retention_traces import traces_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.server import connect

TODAY = datetime.now(UTC).date()
EXPIRED, FRESH = TODAY - timedelta(days=40), TODAY - timedelta(days=3)
"""Of sessions, which stay for 30 days."""
OF_ORDERS = (TODAY - timedelta(days=150)).replace(day=2)
"""Of orders, whose months stay for 90 days and go into the archive then."""
ORDER_COUNT, SESSION_COUNT = 4, 6


def execute(workspace: Workspace, statement: str, parameters: tuple = ()) -> list[tuple]:
    with connect(workspace.server.dsn, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def room_of(workspace: Workspace) -> Room:
    return retention_room(workspace, TICKETING, actor="a test")


def publish(workspace: Workspace, table: str, day: date, count: int) -> None:
    """Rows of one day, with the required columns filled, and counted as published."""
    declared = TICKETING.by_name[table]
    with connect(workspace.server.dsn) as connection:
        month = day.replace(day=1)
        made = connection.execute("SELECT ops.make_month_partition('ticketing', %s, %s)", (table, month)).fetchone()
        if made != (None,):
            connection.execute("SELECT ops.attach_month_partition('ticketing', %s, %s)", (table, month))
        for number in range(count):
            cells: dict[str, Any] = {}
            for column in declared.columns:
                if column.required or column.name in declared.key:
                    text = f"{table}-{day}-{number}"
                    cells[column.name] = {"timestamptz": day, "boolean": True, "text": text}.get(column.type.postgres, number)
            cells[declared.time] = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            names = ", ".join(cells)
            marks = ", ".join(["%s"] * len(cells))
            connection.execute(f"INSERT INTO ticketing.{table} ({names}) VALUES ({marks})", tuple(cells.values()))
        connection.execute(
            "INSERT INTO ops.published_days (domain, table_name, day, rows_in, published, quarantined, duplicates, superseded, "
            "content_hash, raw_sequence, run_id) VALUES ('ticketing', %s, %s, %s, %s, 0, 0, 0, '', 1, '')",
            (table, day, count, count),
        )


@pytest.fixture
def deployment(workspace: Workspace) -> Workspace:
    """Expired and fresh sessions, and a month of orders that is due for the archive."""
    publish(workspace, "sessions", EXPIRED, SESSION_COUNT)
    publish(workspace, "sessions", FRESH, 2)
    publish(workspace, "orders", OF_ORDERS, ORDER_COUNT)
    return workspace


def run(
    workspace: Workspace, job: str, instance: dg.DagsterInstance | None = None, config: dict[str, Any] | None = None
) -> dg.ExecuteInProcessResult:
    definitions = build_defs({"workspace": workspace}, workspace.settings)
    asset = job.removeprefix("ticketing_")
    ops = {"ops": {f"ticketing__retention__{asset}": {"config": config}}} if config else None
    return definitions.resolve_job_def(job).execute_in_process(run_config=ops, instance=instance, raise_on_error=False)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    assert result.success
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def metadata(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    (made,) = result.asset_materializations_for_node(f"ticketing__retention__{name}")
    return {key: value.value for key, value in made.metadata.items()}


def counts(workspace: Workspace) -> tuple[int, int, int]:
    """Sessions, orders and rows of the ledger."""
    (found,) = execute(
        workspace,
        "SELECT (SELECT count(*)::int FROM ticketing.sessions), (SELECT count(*)::int FROM ticketing.orders), "
        "(SELECT count(*)::int FROM ops.retention_ledger)",
    )
    return found


def test_without_being_told_otherwise_nothing_is_changed_and_what_is_overdue_is_red(deployment: Workspace) -> None:
    before = counts(deployment)
    result = run(deployment, "ticketing_purge")
    assert counts(deployment) == before
    assert not deployment.settings.archive_root.exists()
    shown = metadata(result, "purge")
    assert shown["dry_run"] is True
    assert "orders" in shown["acts"] and "sessions" in shown["acts"] and "planned" in shown["acts"]
    assert checks(result) == {
        "nothing_overdue": False,
        "books_reconcile": True,
        "ledger_unbroken": True,
        "erasure_requests_in_time": True,
        "archive_verified": True,
    }


def test_archive_then_purge_leave_the_fresh_rows_a_sound_archive_and_green_checks(deployment: Workspace) -> None:
    archived = run(deployment, "ticketing_archive", config={"dry_run": False})
    assert metadata(archived, "archive")["rows"] == ORDER_COUNT
    assert counts(deployment)[:2] == (SESSION_COUNT + 2, ORDER_COUNT)
    result = run(deployment, "ticketing_purge", config={"dry_run": False})
    assert counts(deployment)[:2] == (2, 0)
    assert all(checks(result).values()), checks(result)
    assert len(list(deployment.settings.archive_root.rglob("*.parquet"))) == 1
    (actor,) = {row[0] for row in execute(deployment, "SELECT actor FROM ops.retention_ledger WHERE act = 'dropped'")}
    assert actor == "asset ticketing/retention/purge"
    ledger = counts(deployment)[2]
    run(deployment, "ticketing_purge", config={"dry_run": False})
    assert counts(deployment)[2] == ledger


def test_a_purge_counts_what_it_archives_and_drops_once_against_its_bound(deployment: Workspace) -> None:
    quarantine(deployment, "sessions", EXPIRED)
    most_rows = ORDER_COUNT + SESSION_COUNT + 1
    run(deployment, "ticketing_purge", config={"dry_run": False, "most_rows": most_rows})
    assert counts(deployment)[:2] == (2, 0)
    assert quarantined(deployment) == []


def test_what_a_hold_keeps_is_not_overdue_and_its_reason_is_not_shown(deployment: Workspace) -> None:
    with room_of(deployment).session() as connection:
        place(connection, room_of(deployment), Hold(0, None, None, None, None, "the case against Mallory"))
    result = run(deployment, "ticketing_purge", config={"dry_run": False})
    assert counts(deployment)[:2] == (SESSION_COUNT + 2, ORDER_COUNT)
    assert checks(result)["nothing_overdue"]
    assert metadata(result, "report")["waiting_for_a_hold_or_restoration"] > 0
    assert "legal hold 1" in metadata(result, "purge")["acts"]
    assert "Mallory" not in str([metadata(result, name) for name in ("purge", "report")])


RED = {
    "books_reconcile": "UPDATE ops.published_days SET published = published + 1, rows_in = rows_in + 1",
    "erasure_requests_in_time": "INSERT INTO ops.erasure_requests (domain, subject_hash, requested_at, due_at) "
    "VALUES ('ticketing', repeat('ab', 32), now() - interval '25 days', now() + interval '5 days')",
    "ledger_unbroken": "ALTER TABLE ops.retention_ledger DISABLE TRIGGER only_added_to; "
    "GRANT UPDATE ON ops.retention_ledger TO CURRENT_USER; "
    "UPDATE ops.retention_ledger SET rows = rows + 1 WHERE sequence = 1",
}


def test_each_check_turns_red_for_what_it_watches(deployment: Workspace) -> None:
    def red() -> set[str]:
        return {name for name, passed in checks(run(deployment, "ticketing_purge")).items() if not passed}

    run(deployment, "ticketing_purge", config={"dry_run": False})
    assert red() == set()
    (file,) = deployment.settings.archive_root.rglob("*.parquet")
    file.write_bytes(file.read_bytes() + b" ")
    expected = {"archive_verified"}
    assert red() == expected
    for name, statement in RED.items():
        execute(deployment, statement)
        expected.add(name)
        assert red() == expected


def test_a_second_purge_at_the_same_time_says_so_and_changes_nothing(deployment: Workspace) -> None:
    before = counts(deployment)
    with room_of(deployment).alone(Bounds()):
        result = run(deployment, "ticketing_purge", config={"dry_run": False})
    assert not result.success
    assert counts(deployment) == before


def test_a_request_with_time_left_is_green(workspace: Workspace) -> None:
    execute(workspace, "INSERT INTO ops.erasure_requests (domain, subject_hash) VALUES ('ticketing', %s)", ("ab" * 32,))
    assert checks(run(workspace, "ticketing_purge"))["erasure_requests_in_time"]


@pytest.mark.parametrize("switch", ["on", "off"])
def test_a_schedule_deletes_only_where_schedules_run(switch: str) -> None:
    settings = read_settings({"TICKETINTEL_SCHEDULES": switch})
    repository = build_defs(settings=settings).get_repository_def()
    schedule = repository.get_schedule_def("ticketing_purge_schedule")
    assert schedule.cron_schedule == PURGE_CRON == "0 3 * * 0"
    with dg.DagsterInstance.ephemeral() as instance:
        when = datetime(2026, 3, 1, 3, tzinfo=UTC)
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=when, repository_def=repository)
        (request,) = schedule.evaluate_tick(context).run_requests
    config = request.run_config["ops"]["ticketing__retention__purge"]["config"]
    assert config["dry_run"] is (switch == "off")
    assert config["most_rows"] > 0 and config["most_minutes"] > 0


def retain(workspace: Workspace, kind: Traces, *, dry_run: bool = False, bounds: Bounds | None = None) -> tuple[Result, int]:
    (outcome,) = retain_traces(room_of(workspace), TODAY, [kind], bounds=bounds or Bounds(), dry_run=dry_run)
    return outcome.result, outcome.pieces


def quarantine(workspace: Workspace, table: str, day: date, count: int = 1, *, mended: bool = False) -> None:
    execute(
        workspace,
        "INSERT INTO ops.quarantine (domain, table_name, day, rule, rules, reason, source_file, source_row, row_key, mended, "
        "content, quarantined_at) SELECT 'ticketing', %s, %s, 'r', '{r}', 'why', 'f', n, 'k', %s, "
        '\'{"wallet": "0xAB"}\', %s FROM generate_series(1, %s) n',
        (table, day, mended, day, count),
    )


def quarantined(workspace: Workspace) -> list[tuple]:
    return execute(workspace, "SELECT table_name, mended, count(*)::int FROM ops.quarantine GROUP BY 1, 2 ORDER BY 1, 2")


def test_quarantine_goes_with_the_class_of_its_table(workspace: Workspace) -> None:
    quarantine(workspace, "sessions", EXPIRED, 5)
    quarantine(workspace, "sessions", FRESH)
    quarantine(workspace, "orders", EXPIRED)
    quarantine(workspace, "users", EXPIRED)
    quarantine(workspace, "users", EXPIRED, 2, mended=True)
    before = quarantined(workspace)
    assert retain(workspace, Quarantine(), dry_run=True) == (Result.PLANNED, 7)
    assert quarantined(workspace) == before
    assert retain(workspace, Quarantine(), bounds=Bounds(most_rows=3)) == (Result.BOUNDED, 3)
    assert retain(workspace, Quarantine()) == (Result.DONE, 4)
    assert quarantined(workspace) == [("orders", False, 1), ("sessions", False, 1), ("users", False, 1)]
    recorded = execute(workspace, "SELECT sum(rows)::int FROM ops.retention_ledger WHERE table_name = 'ops.quarantine'")
    assert recorded == [(7,)]


@pytest.mark.parametrize(
    ("hold", "left"),
    [
        (Hold(0, "sessions", None, None, None, "a case"), 2),
        (Hold(0, None, None, None, "0xab", "a case"), 2),
        (Hold(0, "orders", None, None, None, "a case"), 0),
        (Hold(0, None, None, None, "0xcd", "a case"), 0),
        (Hold(0, None, None, EXPIRED - timedelta(days=1), None, "a case"), 0),
    ],
)
def test_a_hold_keeps_what_it_names_in_quarantine(workspace: Workspace, hold: Hold, left: int) -> None:
    with room_of(workspace).session() as connection:
        place(connection, room_of(workspace), hold)
    quarantine(workspace, "sessions", EXPIRED, 2)
    retain(workspace, Quarantine())
    assert sum(row[2] for row in quarantined(workspace)) == left


def test_logs_go_by_the_day_they_were_written_last(workspace: Workspace, tmp_path: Path) -> None:
    for name, day in (("old", EXPIRED), ("new", FRESH)):
        folder = tmp_path / name / "compute_logs"
        folder.mkdir(parents=True)
        for file in ("step.out", "step.err", "step.complete", "other"):
            (folder / file).write_text("a line\n")
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
            os.utime(folder / file, (moment, moment))
    assert retain(workspace, LogFiles(tmp_path), dry_run=True) == (Result.PLANNED, 3)
    assert retain(workspace, LogFiles(tmp_path)) == (Result.DONE, 3)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"old/compute_logs/other", *(f"new/compute_logs/step.{end}" for end in ("out", "err", "complete")),
                    "new/compute_logs/other"}  # fmt: skip


def test_files_of_models_go_once_nobody_used_them_for_the_time_of_predictions(workspace: Workspace) -> None:
    roots = (workspace.models, workspace.reports)
    old, long_ago = datetime.now(UTC) - timedelta(days=2_000), datetime.now(UTC) - timedelta(days=4_000)
    versions = {"unused": old, "champion": old, "previous": old, "challenger": old, "replaced": long_ago, "young": TODAY}
    for version, registered in versions.items():
        for root in roots:
            folder = root / "ticketing" / "fraud" / version
            folder.mkdir(parents=True)
            (folder / "manifest.json").write_text("{}")
        execute(
            workspace,
            "INSERT INTO ops.model_versions (domain, model, version, manifest, run_id, registered_at) "
            "VALUES ('ticketing', 'fraud', %s, '{}', '', %s)",
            (version, registered),
        )
    point = (
        "INSERT INTO ops.model_aliases (domain, model, alias, version, because) VALUES ('ticketing', 'fraud', %s, %s, '') "
        "ON CONFLICT (domain, model, alias) DO UPDATE SET version = excluded.version"
    )
    execute(workspace, point, ("champion", "replaced"))
    for alias in ("champion", "previous", "challenger"):
        execute(workspace, point, (alias, alias))
    # Left by a run that was killed.
    (workspace.models / "ticketing" / "fraud" / "unused").rename(workspace.models / "ticketing" / "fraud" / ".unused")
    kind = ModelFiles(roots)
    assert retain(workspace, kind, dry_run=True) == (Result.PLANNED, 2)
    assert retain(workspace, kind) == (Result.DONE, 2)
    for root in roots:
        left = {path.name for path in (root / "ticketing" / "fraud").iterdir()}
        # The one that was replaced today scored until today.
        assert left == set(versions) - {"unused"}
    assert execute(workspace, "SELECT count(*)::int FROM ops.model_versions") == [(6,)]


PARTITIONS = dg.StaticPartitionsDefinition(["monday", "tuesday"])


@dg.asset(partitions_def=PARTITIONS, check_specs=[dg.AssetCheckSpec("holds", asset="daily")])
def daily() -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="holds", passed=True)])


@dg.asset
def whole() -> None:
    pass


@dg.asset
def failing() -> None:
    raise ValueError("on purpose")


@pytest.fixture
def instance(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    with dagster_instance(workspace) as instance:
        yield instance


def made(instance: dg.DagsterInstance, assets: list[dg.AssetsDefinition], partition: str | None = None) -> str:
    return dg.materialize(assets, partition_key=partition, instance=instance, raise_on_error=False).run_id


def grow_old(workspace: Workspace, days: int) -> None:
    """As if all runs so far had ended so many days ago."""
    url = workspace.server.dagster.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE runs SET end_time = end_time - %s", (days * 86_400,))
        connection.execute("UPDATE event_logs SET timestamp = timestamp - make_interval(days => %s)", (days,))


def dagster_runs(workspace: Workspace) -> Traces:
    (kind,) = [kind for kind in traces_of(workspace) if isinstance(kind, DagsterRuns)]
    return kind


def test_of_dagsters_runs_the_latest_of_every_asset_partition_and_check_stays(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    superseded = made(instance, [daily], "monday")
    monday, tuesday, once = made(instance, [daily], "monday"), made(instance, [daily], "tuesday"), made(instance, [whole])
    failures = [made(instance, [failing]), made(instance, [failing])]
    instance.report_runless_asset_event(dg.AssetMaterialization("reported"))
    instance.report_runless_asset_event(dg.AssetMaterialization("reported"))
    grow_old(workspace, 60)
    fresh = made(instance, [whole])
    kind = dagster_runs(workspace)
    runs_before = {run.run_id for run in instance.get_runs()}
    retain(workspace, kind, dry_run=True)
    assert {run.run_id for run in instance.get_runs()} == runs_before

    result, events = retain(workspace, kind)
    assert result is Result.DONE and events > 0
    left = {run.run_id for run in instance.get_runs()}
    # Of an asset that always failed, the last try is what is known.
    assert left == {monday, tuesday, fresh, failures[1]}
    assert not {superseded, once, failures[0]} & left
    key = dg.AssetKey("daily")
    assert instance.get_materialized_partitions(key) == {"monday", "tuesday"}
    for partition, run_id in (("monday", monday), ("tuesday", tuesday)):
        (record,) = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition]), limit=5
        ).records
        assert record.run_id == run_id
    assert instance.get_latest_materialization_event(dg.AssetKey("whole")) is not None
    check = dg.AssetCheckKey(key, "holds")
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check]
    assert latest.run_id == tuesday and latest.event is not None
    assert len(instance.fetch_materializations(dg.AssetKey("reported"), limit=5).records) == 1
    # Of the runs that stay, the details have gone, and how they ended has not.
    types = {log.dagster_event_type for log in instance.all_logs(monday)}
    assert dg.DagsterEventType.STEP_START not in types and dg.DagsterEventType.ASSET_MATERIALIZATION in types
    assert instance.get_run_by_id(monday).status is dg.DagsterRunStatus.SUCCESS
    assert any(log.dagster_event_type is dg.DagsterEventType.STEP_START for log in instance.all_logs(fresh))
    assert retain(workspace, kind) == (Result.DONE, 0)


def test_a_run_that_has_not_ended_and_one_that_is_held_stay(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    made(instance, [whole])
    unfinished = instance.create_run_for_job(dg.define_asset_job("j", [whole]).resolve(
        asset_graph=dg.Definitions([whole]).resolve_asset_graph())).run_id  # fmt: skip
    made(instance, [whole])
    grow_old(workspace, 60)
    with room_of(workspace).session() as connection:
        place(connection, room_of(workspace), Hold(0, None, None, None, None, "all of it"))
    assert retain(workspace, dagster_runs(workspace)) == (Result.HELD, 0)
    with connect(workspace.server.dsn, autocommit=True) as connection:
        connection.execute("UPDATE ops.legal_holds SET released_at = now()")
    retain(workspace, dagster_runs(workspace))
    left = {run.run_id for run in instance.get_runs()}
    assert unfinished in left and len(left) == 2


def test_the_purge_itself_takes_the_traces(deployment: Workspace) -> None:
    quarantine(deployment, "sessions", EXPIRED, 5)
    with dagster_instance(deployment) as instance:
        made(instance, [whole])
        grow_old(deployment, 60)
        made(instance, [whole])
        result = run(deployment, "ticketing_purge", instance, {"dry_run": False})
        assert all(checks(result).values())
        assert quarantined(deployment) == []
        shown = metadata(result, "purge")["traces"]
        assert "ops.quarantine" in shown and "Dagster's runs" in shown
        assert instance.get_latest_materialization_event(asset_key(TICKETING, "retention", "report")) is not None
