"""Factory of the assets that take new rows from a live source, and what the UI shows of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from ticketintel_pipelines.catalog import LIVE_TAGS, OWNERS, asset_key, stage_tags
from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.dagster_kit.metadata import markdown_table
from ticketintel_pipelines.errors import TicketIntelError
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.upstream.increment import Increment

if TYPE_CHECKING:
    from ticketintel_pipelines.stages.chain import ChainReport

FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26), warn_window=timedelta(hours=25))
"""A night that did not take place, with an hour or two for one that takes long."""
NO_GAP = "no_gap"


@dataclass(frozen=True)
class Facts:
    """What an increment came to: in a sentence, as metadata, and by check what speaks against it (nothing: it holds).

    `warnings` are sentences for whoever waits for it.
    """

    summary: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    objections: Mapping[str, Sequence[str]] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class LiveSource:
    """A source that rows are taken from by increments. `take` lands what is new; `checks` name and describe what must hold."""

    name: str
    description: str
    kinds: frozenset[str]
    take: Callable[[Workspace, Callable[[str], None]], Facts]
    checks: Mapping[str, str] = field(default_factory=dict)

    def key(self, domain: Domain) -> dg.AssetKey:
        return asset_key(domain, "extract", self.name)


def increment_asset(domain: Domain, source: LiveSource) -> dg.AssetsDefinition:
    """What a live source has that was not landed yet; without partitions, since an increment may touch any day."""
    key = source.key(domain)

    @dg.asset(
        key=key,
        description=source.description,
        group_name=domain.name,
        owners=OWNERS["extract"],
        tags={**stage_tags("extract"), **LIVE_TAGS},
        kinds=set(source.kinds),
        freshness_policy=FRESHNESS,
        check_specs=[dg.AssetCheckSpec(name, asset=key, description=words) for name, words in source.checks.items()],
    )
    def increment(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        try:
            with workspace.progress.step(f"extract {source.name}"):
                facts = source.take(workspace, context.log.info)
        except TicketIntelError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return dg.MaterializeResult(metadata=metadata(facts), check_results=check_results(source, facts))

    return increment


def metadata(facts: Facts) -> dict[str, Any]:
    return {"summary": facts.summary, **facts.metadata}


def check_evaluation(key: dg.AssetKey, result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """A check's result as an event beside runs."""
    assert result.check_name is not None
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=result.check_name,
        passed=bool(result.passed),
        metadata={name: value for name, value in result.metadata.items() if isinstance(value, dg.MetadataValue)},
    )


def check_results(source: LiveSource, facts: Facts) -> list[dg.AssetCheckResult]:
    """Of a source that is not set up, the checks hold: nothing was taken."""
    return [
        dg.AssetCheckResult(
            check_name=name,
            passed=not facts.objections.get(name),
            metadata={"objections": dg.MetadataValue.md("\n".join(f"- {words}" for words in facts.objections.get(name, ())))},
        )
        for name in source.checks
    ]


def chain_facts(report: "ChainReport | None") -> Facts:
    """An increment of a chain for the UI; None is one that was not set up."""
    if report is None:
        return Facts("no endpoint is set in TICKETINTEL_CHAIN_RPC_URL, blocks and logs come from imported files")
    minutes = report.minutes_behind(datetime.now(UTC))
    orphaned = f"; blocks from {min(report.orphaned_from):,} on were replaced" if report.orphaned_from else ""
    return Facts(
        f"{report.blocks:,} blocks and {report.logs:,} logs landed, up to block {report.reached:,} of {report.final_block:,} "
        f"final ones{orphaned}",
        {
            "chain_id": report.chain_id,
            "head": report.head,
            "final_block": report.final_block,
            "reached_block": report.reached,
            "blocks_behind": report.blocks_behind,
            "blocks_behind_head": max(0, report.head - report.reached),
            "minutes_behind": 0.0 if minutes is None else round(minutes, 1),
            "blocks_landed": report.blocks,
            "logs_landed": report.logs,
            "increments": report.increments,
            "logs_recovered": report.logs_recovered,
            "blocks_checked_by_receipts": report.blocks_checked_by_receipts,
            "orphaned_from": dg.MetadataValue.json(report.orphaned_from),
        },
        {NO_GAP: report.gaps},
    )


def platform_facts(increment: Increment | None) -> Facts:
    """An increment of the platform's database for the UI; None is one that was not set up."""
    if increment is None:
        return Facts("no database is set in TICKETINTEL_PLATFORM_DATABASE_URL, its rows come from imported files")
    lags = [table.lag_minutes for table in increment.tables if table.lag_minutes is not None]
    rows = [
        (
            table.table,
            f"{table.counts.landed:,}",
            f"{table.counts.known:,}",
            table.days or "",
            "" if table.lag_minutes is None else f"{table.lag_minutes:.0f}",
            "; ".join((*table.drift, *table.notes)),
        )
        for table in increment.tables
    ]
    heading = ("table", "rows landed", "known already", "days", "minutes behind", "notes")
    changed = [table.table for table in increment.tables if table.counts.landed]
    return Facts(
        f"{increment.rows:,} rows landed" + (f" of {', '.join(changed)}" if changed else ""),
        {
            "rows_landed": increment.rows,
            "minutes_behind": round(min(lags), 1) if lags else 0.0,
            "tables": dg.MetadataValue.md(markdown_table(heading, rows)),
            "absent_tables": dg.MetadataValue.json(list(increment.absent)),
            "read_at": increment.taken_at.isoformat(),
        },
        warnings=increment.warnings,
    )
