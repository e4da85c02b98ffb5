"""The event log keeps what Dagster's own keeps: of a backfill, each day of each asset that was announced, done or not."""

import dagster as dg
import pytest
from dagster_postgres.event_log import PostgresEventLogStorage

from ticketintel_pipelines.dagster_kit.event_log import EventLog
from ticketintel_pipelines.nights import EVENT_BATCH_SIZE, EVENT_BATCH_VARIABLE, dagster_instance
from ticketintel_pipelines.stages.workspace import Workspace

DAYS = [f"2026-01-{day:02}" for day in range(1, 13)]
PARTITIONS = dg.StaticPartitionsDefinition(DAYS)
RANGE = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}


@dg.asset(partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
def done() -> None: ...


@dg.asset(partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[done])
def failed() -> None:
    raise ValueError("as it happens")


def announced(instance: dg.DagsterInstance) -> tuple[str, dict[dg.AssetKey, list[tuple[str | None, str]]]]:
    """A backfill whose second asset fails; its announced days by asset with the run, as the log gives them back."""
    job = dg.Definitions(assets=[done, failed], jobs=[dg.define_asset_job("both")]).resolve_job_def("both")
    result = job.execute_in_process(instance=instance, tags=RANGE, raise_on_error=False)
    found: dict[dg.AssetKey, list[tuple[str | None, str]]] = {}
    for record in instance.get_records_for_run(
        result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    ).records:
        event = record.event_log_entry.get_dagster_event()
        assert event.asset_key is not None
        found.setdefault(event.asset_key, []).append((event.partition, record.event_log_entry.run_id))
    return result.run_id, found


@pytest.mark.parametrize("kind", [EventLog, PostgresEventLogStorage])
def test_each_announced_day_is_kept_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kind: type[PostgresEventLogStorage]
) -> None:
    monkeypatch.setenv(EVENT_BATCH_VARIABLE, EVENT_BATCH_SIZE)
    if kind is PostgresEventLogStorage:
        # What Dagster's own does is what the other one is held against.
        monkeypatch.setattr(EventLog, "store_event_batch", PostgresEventLogStorage.store_event_batch)
    with dagster_instance(workspace) as instance:
        assert isinstance(instance.event_log_storage, EventLog)
        run, found = announced(instance)
        assert {asset: sorted(days) for asset, days in found.items()} == {
            asset.key: [(day, run) for day in DAYS] for asset in (done, failed)
        }
        assert instance.get_materialized_partitions(done.key) == set(DAYS)
        assert instance.get_materialized_partitions(failed.key) == set()
        log = instance.event_log_storage
        planned = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        assert set(log.get_latest_storage_id_by_partition(failed.key, planned)) == set(DAYS)
        # The asset is known from its announcement on.
        assert {done.key, failed.key} <= set(instance.all_asset_keys())
        (record,) = log.get_asset_records([failed.key])
        assert record.asset_entry.last_run_id == run
