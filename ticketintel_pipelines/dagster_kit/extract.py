"""Factory of the assets that stand for raw tables."""

from collections.abc import Sequence

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.contract import Domain, Source, Table
from ticketintel_pipelines.dagster_kit.metadata import column_schema, part_preview
from ticketintel_pipelines.dagster_kit.partitions import wanted_days
from ticketintel_pipelines.stages.extract import check_landed
from ticketintel_pipelines.stages.workspace import Workspace


def raw_asset(
    domain: Domain, table: Table, partitions: dg.PartitionsDefinition, upstream: Sequence[dg.AssetKey] = ()
) -> dg.AssetsDefinition:
    """The raw fragments of one table: landed by import or by a live source, checked here against the catalogue."""

    @dg.asset(
        key=asset_key(domain, "extract", table.name),
        deps=list(upstream),
        description=f"{table.description} Raw, one row per {table.grain.removeprefix('one ')}, as landed in the lake.",
        group_name=domain.name,
        owners=OWNERS["extract"],
        tags=stage_tags("extract"),
        kinds={"parquet", "ethereum"} if table.source is Source.CHAIN else {"parquet"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": column_schema(table), "retention_class": table.retention.value},
    )
    def raw(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        with workspace.progress.step(f"extract {table.name}"):
            extraction = check_landed(workspace, domain, table, wanted_days(context))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": extraction.rows,
                "fragments": extraction.files,
                "days_with_rows": len(extraction.raw_days),
                "preview": dg.MetadataValue.md(part_preview(table, extraction.newest_part)),
                "note": "" if extraction.rows else f"nothing of {table.name} was handed in for {extraction.days}",
            }
        )

    return raw
