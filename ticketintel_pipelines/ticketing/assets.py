"""The ticketing assets: raw tables, decoded logs, validated tables, views. Each is thin; the work is in the plain functions."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.contract import Source as TableSource
from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.dagster_kit.extract import raw_asset
from ticketintel_pipelines.dagster_kit.feature import family_asset, observation_asset
from ticketintel_pipelines.dagster_kit.increment import (
    NO_GAP,
    LiveSource,
    chain_facts,
    increment_asset,
    platform_facts,
)
from ticketintel_pipelines.dagster_kit.metadata import column_schema, markdown_table, part_preview
from ticketintel_pipelines.dagster_kit.model import model_asset, report_asset, score_asset, watch_asset
from ticketintel_pipelines.dagster_kit.model_catalogue import catalogue_asset
from ticketintel_pipelines.dagster_kit.partitions import wanted_days
from ticketintel_pipelines.dagster_kit.retention import retention_assets
from ticketintel_pipelines.dagster_kit.validate import validated_asset
from ticketintel_pipelines.dagster_kit.view import view_asset
from ticketintel_pipelines.dagster_kit.window_model import window_model_assets
from ticketintel_pipelines.stages.validate import Source, landed_rows
from ticketintel_pipelines.stages.view import views_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.consequences import CONSEQUENCES
from ticketintel_pipelines.ticketing.decoding import decode_days
from ticketintel_pipelines.ticketing.features.families import FAMILIES, FEATURES
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS
from ticketintel_pipelines.ticketing.features.observing import OBSERVING
from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS
from ticketintel_pipelines.ticketing.ledger import composed_transactions
from ticketintel_pipelines.ticketing.models.learning import LEARNINGS, LISTED, WINDOW_LEARNINGS
from ticketintel_pipelines.ticketing.ownership import owned_transfers
from ticketintel_pipelines.ticketing.sources import take_from_chain, take_from_platform
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import BLOCKS, LOGS, MARKET_SALES, SALES, TRANSACTIONS, TRANSFERS
from ticketintel_pipelines.ticketing.tables.features import FEATURE_TABLE

if TYPE_CHECKING:
    from ticketintel_pipelines.stages.retention_lake import Kept

SOURCES = {
    TRANSFERS.name: Source(
        owned_transfers,
        sized_by=(TRANSFERS.name,),
        decoded_from=(LOGS.name, SALES.name),
        consequences=CONSEQUENCES[TRANSFERS.name],
        made_of=RAW_INPUTS[TRANSFERS.name],
    ),
    TRANSACTIONS.name: Source(
        composed_transactions,
        sized_by=(TRANSFERS.name, MARKET_SALES.name),
        decoded_from=(LOGS.name, SALES.name),
        consequences=CONSEQUENCES[TRANSACTIONS.name],
        made_of=RAW_INPUTS[TRANSACTIONS.name],
    ),
}

UPSTREAM = {
    TRANSFERS.name: [asset_key(TICKETING, "extract", TRANSFERS.name)],
    TRANSACTIONS.name: [
        asset_key(TICKETING, "extract", MARKET_SALES.name),
        asset_key(TICKETING, "validate", TRANSFERS.name),
        asset_key(TICKETING, "validate", "tickets"),
        asset_key(TICKETING, "validate", "orders"),
    ],
}


CHAIN = LiveSource(
    name="chain",
    description="New final blocks of the chain and the logs of our contracts in them, complete, landed in the lake as raw "
    "blocks and logs; what a reorganisation orphaned is replaced.",
    kinds=frozenset({"ethereum", "parquet"}),
    take=lambda workspace, progress: chain_facts(take_from_chain(workspace, progress)),
    checks={NO_GAP: "every block from each contract's start block to the last one reached is accounted for, once"},
)
PLATFORM = LiveSource(
    name="platform",
    description="New and changed rows of the platform's own database, landed in the lake as versions of raw rows.",
    kinds=frozenset({"postgres", "parquet"}),
    take=lambda workspace, progress: platform_facts(take_from_platform(workspace, progress)),
)
LIVE_SOURCES = (CHAIN, PLATFORM)


def decoded_assets(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Token movements and sales, decoded from logs and sales lists into the lake."""
    keys = {table.name: asset_key(TICKETING, "extract", table.name) for table in (TRANSFERS, MARKET_SALES)}

    @dg.multi_asset(
        name="decoded_logs",
        specs=[
            dg.AssetSpec(
                keys[table.name],
                deps=[asset_key(TICKETING, "extract", LOGS.name), asset_key(TICKETING, "extract", SALES.name)],
                description=f"{table.description} In the lake, not yet validated.",
                group_name=TICKETING.name,
                owners=OWNERS["extract"],
                tags=stage_tags("extract"),
                kinds={"parquet", "python"},
                metadata={"dagster/column_schema": column_schema(table)},
            )
            for table in (TRANSFERS, MARKET_SALES)
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def decoded_logs(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.MaterializeResult]:
        days = wanted_days(context)
        with workspace.progress.step("decode logs"):
            report = decode_days(workspace, days, run_id=context.run_id, progress=context.log.info)
        unknown = sorted(report.unknown_by_topic.items(), key=lambda pair: -pair[1])
        logs: dict[str, Any] = {
            "logs": report.logs,
            "logs_decoded": report.decoded,
            "logs_of_unknown_events": report.unknown,
            "logs_quarantined": report.undecodable,
            "unknown_events": dg.MetadataValue.md(markdown_table(("topic", "logs"), unknown[:20])),
        }
        own = {
            TRANSFERS: {"dagster/row_count": report.transfers, "fungible_transfers_left_out": report.fungible},
            MARKET_SALES: {"dagster/row_count": report.sales, "listed_sales": report.listed_sales},
        }
        for table, figures in own.items():
            parts = workspace.lake(TICKETING).parts("extract", table.name, days.days)
            preview = dg.MetadataValue.md(part_preview(table, parts[-1] if parts else None))
            yield dg.MaterializeResult(asset_key=keys[table.name], metadata={**figures, **logs, "preview": preview})

    return decoded_logs


def source_of(table: Table) -> Source:
    """Where the candidates of a validated table come from."""
    raw = Source(landed_rows, sized_by=(table.name,), consequences=CONSEQUENCES.get(table.name, ()))
    return SOURCES.get(table.name, raw)


def _taken_by(table: Table) -> list[dg.AssetKey]:
    """The live source that a raw table's rows can come from."""
    if table in (BLOCKS, LOGS):
        return [CHAIN.key(TICKETING)]
    return [PLATFORM.key(TICKETING)] if table.source is TableSource.PLATFORM else []


def feature_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """What was seen, and the feature families that are made of it."""
    assets = [
        observation_asset(TICKETING, observing, observation.description, observation.columns, partitions)
        for observation, observing in zip(OBSERVATIONS, OBSERVING, strict=True)
    ]
    for family in (*FAMILIES, FEATURES):
        upstream = [asset_key(TICKETING, "feature", name) for name in family.reads]
        published = FEATURE_TABLE if family is FEATURES else None
        assets.append(family_asset(TICKETING, family, upstream, partitions, published))
    return assets


def model_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The models, their reports, their scores, and what is watched of them."""
    learned_from = [asset_key(TICKETING, "feature", name) for name in (FEATURES.name, "labels")]
    assets = []
    for learning, scoring in LEARNINGS:
        assets += [
            model_asset(learning, learned_from),
            report_asset(learning),
            score_asset(learning, scoring, partitions),
            watch_asset(learning, scoring, partitions),
        ]
    for one in WINDOW_LEARNINGS:
        assets += window_model_assets(one, partitions)
    return [*assets, catalogue_asset(TICKETING, LISTED)]


def ticketing_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """All assets of the domain."""
    assets = [increment_asset(TICKETING, source) for source in LIVE_SOURCES]
    assets += [raw_asset(TICKETING, table, partitions, _taken_by(table)) for table in TICKETING.raw_tables]
    assets.append(decoded_assets(partitions))
    for table in TICKETING.validated_tables:
        source = source_of(table)
        own = UPSTREAM.get(table.name, [asset_key(TICKETING, "extract", table.name)])
        parents = [asset_key(TICKETING, "validate", name) for name in {parent.table for parent in table.parents}]
        assets.append(validated_asset(TICKETING, table, source, [*own, *sorted(parents)], partitions))
    validated = {table.name for table in TICKETING.validated_tables}
    assets += feature_assets(partitions) + model_assets(partitions)
    for view in views_of(TICKETING):
        upstream = [asset_key(TICKETING, "validate" if name in validated else "score", name) for name in view.reads]
        assets.append(view_asset(TICKETING, view, upstream))
    return assets + retention_assets(TICKETING, _features_kept)


def _features_kept() -> Mapping[str, "Kept"]:
    # Loading the definitions needs nothing of what retention works with.
    from ticketintel_pipelines.ticketing.retention import FEATURES_KEPT

    return FEATURES_KEPT
