"""Factory of the assets of a feature family: rows by day in the lake, with checks of their number, nulls and ranges."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, RHYTHM_TAG, asset_key, stage_tags
from ticketintel_pipelines.contract import Column, ColumnType, Domain, Table
from ticketintel_pipelines.dagster_kit.metadata import column_schema_of, markdown_table
from ticketintel_pipelines.dagster_kit.partitions import wanted_days
from ticketintel_pipelines.features.families import Family
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.feature import FamilyReport, bring_family_up_to_date
from ticketintel_pipelines.stages.feature_publishing import publish_hot_days
from ticketintel_pipelines.stages.feature_summary import Distribution, distributions
from ticketintel_pipelines.stages.observation import ObservationReport, Observing, bring_observation_up_to_date
from ticketintel_pipelines.stages.workspace import Workspace

ROWS_KEPT, IN_RANGE, NOT_ALL_NULL = "rows_in_are_rows_out", "values_in_range", "null_shares"
SHOWN_DAYS, NOTED_DAYS = 20, 100


def observation_asset(
    domain: Domain,
    observing: Observing,
    description: str,
    columns: Sequence[Column],
    partitions: dg.PartitionsDefinition,
) -> dg.AssetsDefinition:
    """One observation: what validated tables tell, by the instant from which on it was known."""
    key = asset_key(domain, "feature", observing.name)
    upstream = [asset_key(domain, "validate", name) for name in observing.reads]
    upstream += [asset_key(domain, "feature", name) for name in observing.observes]

    @dg.asset(
        key=key,
        deps=upstream,
        description=description,
        group_name=domain.name,
        owners=OWNERS["feature"],
        tags=stage_tags("feature"),
        kinds={"duckdb", "parquet"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": column_schema_of(columns)},
    )
    def observation(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        days = wanted_days(context)
        with workspace.progress.step(f"observe {observing.name}"):
            report = bring_observation_up_to_date(workspace, domain, observing, days, run_id=context.run_id)
        _note_rows(context, key, report)
        return dg.MaterializeResult(metadata=_progress(report.worked_out, report.changed, report.rows_by_day))

    return observation


def family_asset(
    domain: Domain,
    family: Family,
    upstream: Sequence[dg.AssetKey],
    partitions: dg.PartitionsDefinition,
    published: Table | None = None,
) -> dg.AssetsDefinition:
    """One family of features; `published` is the Postgres table that holds its newest days, if there is one."""
    key = asset_key(domain, "feature", family.name)

    @dg.asset(
        key=key,
        deps=list(upstream),
        description=f"{family.description} In the lake{', the newest days in Postgres' if published else ''}.",
        group_name=domain.name,
        owners=OWNERS["feature"],
        tags={**stage_tags("feature"), RHYTHM_TAG: family.rhythm.value},
        kinds={"numba", "parquet"} if family.folds else {"duckdb", "parquet"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[
            dg.AssetCheckSpec(ROWS_KEPT, asset=key, description="Every asking row has its row of features, once."),
            dg.AssetCheckSpec(IN_RANGE, asset=key, description="Shares lie between 0 and 1, and no count is negative."),
            dg.AssetCheckSpec(NOT_ALL_NULL, asset=key, description="No feature is null for every transaction."),
        ],
        metadata={"dagster/column_schema": column_schema_of(family.columns)},
    )
    def features(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult]:
        days = wanted_days(context)
        with workspace.progress.step(f"work out {family.name}"):
            report = bring_family_up_to_date(workspace, domain, family, days, run_id=context.run_id, progress=context.log.info)
            replaced = publish_hot_days(workspace, domain, published) if published is not None else None
        found = distributions(workspace, domain, family, days)
        _note_rows(context, key, report)
        yield dg.MaterializeResult(
            metadata=_metadata(report, found, days) | ({"days_published": len(replaced)} if replaced is not None else {}),
            check_results=list(_check_results(key, report, found)),
        )

    return features


def _note_rows(context: dg.AssetExecutionContext, key: dg.AssetKey, report: ObservationReport | FamilyReport) -> None:
    """The number of rows on the newest days that came out different from before."""
    # Dagster takes as long for each day as there are days in the run, so that a backfill of years would wait for it.
    for day in report.changed[-NOTED_DAYS:]:
        if rows := report.rows_by_day.get(day):
            context.add_asset_metadata({"dagster/partition_row_count": rows}, key, partition_key=day.isoformat())


def _metadata(report: FamilyReport, found: Sequence[Distribution], days: DayRange) -> dict[str, Any]:
    metadata = _progress(report.worked_out, report.changed, report.rows_by_day)
    # What is said here is kept once for each day of the run; of many days the check keeps it, once.
    return metadata | (_distributions(found) if days.first == days.last else {})


def _distributions(found: Sequence[Distribution]) -> dict[str, Any]:
    rows = [(d.column.name, f"{d.null_percent:.1f}", *map(_figure, (d.least, d.median, d.mean, d.most))) for d in found]
    return {"distributions": dg.MetadataValue.md(markdown_table(("feature", "null %", "min", "median", "mean", "max"), rows))}


def _progress(worked_out: Sequence[date], changed: Sequence[date], rows_by_day: Mapping[date, int]) -> dict[str, Any]:
    shown = ", ".join(day.isoformat() for day in changed[:SHOWN_DAYS])
    more = len(changed) - SHOWN_DAYS
    return {
        "dagster/row_count": sum(rows_by_day.values()),
        "days_worked_out": len(worked_out),
        "days_changed": len(changed),
        "changed": (shown + (f" and {more} more" if more > 0 else "")) or "none",
    }


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _check_results(key: dg.AssetKey, report: FamilyReport, found: Sequence[Distribution]) -> Iterator[dg.AssetCheckResult]:
    asking, rows = sum(report.rows_asking_by_day.values()), sum(report.rows_by_day.values())
    # Some families keep those of the asking rows that they are about; none can have more.
    whole = rows == asking if report.family.features else rows <= asking
    yield _result(key, ROWS_KEPT, whole, f"{asking:,} rows asked, {rows:,} rows of features")
    outside = [d.column.name for d in found if not _in_range(d)]
    words = f"out of range: {', '.join(outside)}" if outside else "all in range"
    yield _result(key, IN_RANGE, not outside, words, _distributions(found))
    empty = [d.column.name for d in found if d.null_percent == 100 and not d.column.required]
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=NOT_ALL_NULL,
        passed=not empty,
        # A source that is not there leaves its features null, which is no fault of the night.
        severity=dg.AssetCheckSeverity.WARN,
        description=f"null for every row: {', '.join(empty)}" if empty else "no feature is null for every row",
        metadata={d.column.name: d.null_percent for d in found},
    )


def _result(
    key: dg.AssetKey, name: str, passed: bool, words: str, metadata: Mapping[str, Any] | None = None
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(asset_key=key, check_name=name, passed=passed, description=words, metadata=metadata)


def _in_range(distribution: Distribution) -> bool:
    if distribution.least is None or distribution.most is None:
        return True
    if distribution.column.unit == "0 to 1":
        return distribution.least >= 0 and distribution.most <= 1
    return distribution.column.type is not ColumnType.INTEGER or distribution.least >= 0
