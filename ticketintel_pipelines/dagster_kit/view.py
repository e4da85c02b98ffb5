"""Factory of the assets that keep the analysts' materialized views fresh."""

from collections.abc import Sequence

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.dagster_kit.metadata import markdown_table
from ticketintel_pipelines.stages.view import bring_up_to_date
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.views import View, first_rows


def view_asset(domain: Domain, view: View, upstream: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """One materialized view, refreshed without locking its readers out."""

    @dg.asset(
        key=asset_key(domain, "view", view.name),
        deps=list(upstream),
        description=view.description,
        group_name=domain.name,
        owners=OWNERS["view"],
        tags=stage_tags("view"),
        kinds={"postgres", "view"},
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(name=name, description=words) for name, words in view.columns.items()]
            ),
            "dagster/table_name": f"{domain.name}.{view.name}",
        },
    )
    def materialized_view(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        with workspace.progress.step(f"refresh {view.name}"):
            refresh = bring_up_to_date(workspace, domain, view)
        context.log.info(f"{view.name}: {refresh.action}, {refresh.rows:,} rows")
        with workspace.catalog() as catalog:
            header, rows = first_rows(catalog.connection, view, 5)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": refresh.rows,
                "action": refresh.action,
                "preview": dg.MetadataValue.md(markdown_table(header, rows)),
            }
        )

    return materialized_view
