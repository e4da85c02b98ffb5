"""What starts runs by itself: new final blocks, at most once an hour, and days that a night has left behind."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from ticketintel_pipelines.definitions import build_defs
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines_tests.chain_double import TICKET_CONTRACT, DoubleChain, NodeDouble
from ticketintel_pipelines_tests.conftest import take_in

INCREMENT = "ticketing_hourly_increment"


def evaluate(workspace: Workspace, cursor: str | None = None) -> dg.SensorEvaluationContext | object:
    repository = build_defs({"workspace": workspace}, workspace.settings).get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"workspace": workspace}, repository_def=repository
        )
        return repository.get_sensor_def(INCREMENT).evaluate_tick(context)


@pytest.fixture
def node():
    chain = DoubleChain(1, finality_depth=3)
    chain.mine(10)
    with NodeDouble(chain) as node:
        yield node


@pytest.fixture
def live_workspace(make_settings, node: NodeDouble) -> Workspace:
    settings = make_settings(TICKETINTEL_CHAIN_RPC_URL=node.url)
    address = f'[[contract]]\nname = "tickets"\naddress = "{TICKET_CONTRACT}"\nstart_block = 1\n'
    settings.chain_settings.write_text(f"chain_id = {node.chain.chain_id}\n{address}")
    return Workspace(build_domains(), lambda: settings)


def build_domains():
    from ticketintel_pipelines.catalog import DOMAINS

    return DOMAINS


def test_new_final_blocks_start_an_increment_once_an_hour(live_workspace: Workspace) -> None:
    first = evaluate(live_workspace)
    assert [request.tags["new_final_blocks"] for request in first.run_requests] == ["7"]
    again = evaluate(live_workspace, first.cursor)
    assert not again.run_requests
    assert "already" in again.skip_message


def test_nothing_new_starts_nothing(live_workspace: Workspace, node: NodeDouble) -> None:
    definitions = build_defs({"workspace": live_workspace}, live_workspace.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("ticketing_increment").execute_in_process(instance=instance)
    landed = next(event for event in result.get_asset_materialization_events() if event.asset_key.path[-1] == "chain")
    metadata = landed.materialization.metadata
    assert (metadata["reached_block"].value, metadata["blocks_behind"].value) == (7, 0)
    assert metadata["blocks_behind_head"].value == 3
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("no_gap", True)
    assert "no final block" in evaluate(live_workspace).skip_message


def test_a_node_that_is_down_is_no_failure_of_the_sensor(live_workspace: Workspace, node: NodeDouble) -> None:
    node.stop()
    assert "no endpoint of the chain" in evaluate(live_workspace).skip_message


def test_without_an_endpoint_nothing_is_asked(workspace: Workspace) -> None:
    assert "TICKETINTEL_CHAIN_RPC_URL" in evaluate(workspace).skip_message


def test_days_that_are_still_stale_after_a_night_are_worked_out(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    line = '{{"user_id": "u{0}", "created_at": "{0}T10:00:00Z", "email": "a@b.example", "is_verified": true}}\n'
    (folder / "users.jsonl").write_text(line.format("2026-01-02") + line.format(datetime.now(UTC).date()))
    take_in(workspace, folder)
    repository = build_defs({"workspace": workspace}, workspace.settings).get_repository_def()
    job = repository.get_job("ticketing_etl")
    with dg.DagsterInstance.ephemeral() as instance:
        for chain, expected in ((0, [date(2026, 1, 2)]), (5, [])):
            run = instance.create_run_for_job(job, tags={"follow_up": str(chain)})
            event = dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name=job.name)
            context = dg.build_run_status_sensor_context(
                sensor_name="ticketing_late_days",
                dagster_instance=instance,
                dagster_run=run,
                dagster_event=event,
                resources={"workspace": workspace},
                repository_def=repository,
            )
            answer = repository.get_sensor_def("ticketing_late_days")(context)
            requests = answer if isinstance(answer, list) else []
            assert [date.fromisoformat(request.partition_key) for request in requests] == expected
            assert all(request.tags["follow_up"] == "1" for request in requests)
