"""Factory of the assets that judge and publish a table, with one asset check per declared rule."""

from collections.abc import Iterator, Sequence

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.contract import Domain, Severity, Table
from ticketintel_pipelines.dagster_kit.metadata import column_schema, markdown_table, table_preview
from ticketintel_pipelines.dagster_kit.partitions import wanted_days
from ticketintel_pipelines.errors import TicketIntelError
from ticketintel_pipelines.quality.expectations import Audit, audit
from ticketintel_pipelines.quality.verdict import RuleResult
from ticketintel_pipelines.stages.validate import Source, TableReport, validate_table
from ticketintel_pipelines.stages.workspace import Workspace

SECOND_OPINION = "second_opinion"
"""Metadata of a check on which SQL and Great Expectations differ."""


def validated_asset(
    domain: Domain, table: Table, source: Source, upstream: Sequence[dg.AssetKey], partitions: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """One table of Postgres: rows judged by the declared rules, published by day, the others in quarantine."""
    key = asset_key(domain, "validate", table.name)
    checks = [
        dg.AssetCheckSpec(
            name=rule.name,
            asset=key,
            description=f"{rule.severity.value}: a row fails when {rule.reason}.",
            metadata={"severity": rule.severity.value},
        )
        for rule in table.rules
    ]

    @dg.asset(
        key=key,
        deps=list(upstream),
        description=f"{table.description} One row is {table.grain}. Published as {domain.name}.{table.name}.",
        group_name=domain.name,
        owners=OWNERS["validate"],
        tags=stage_tags("validate"),
        kinds={"duckdb", "postgres"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks,
        metadata={
            "dagster/column_schema": column_schema(table),
            "dagster/table_name": f"{domain.name}.{table.name}",
            "retention_class": table.retention.value,
        },
    )
    def validated(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        report = TableReport(table, wanted_days(context))
        try:
            with workspace.progress.step(f"validate {table.name}"):
                validate_table(
                    workspace,
                    domain,
                    table,
                    report.days,
                    source,
                    run_id=context.run_id,
                    audit=audit,
                    progress=context.log.info,
                    report=report,
                )
        except TicketIntelError as error:
            # The checks are what tells which rule refused the rows, so they are shown for a refused table too.
            yield from _check_results(key, report)
            raise dg.Failure(str(error), allow_retries=False) from error
        with workspace.catalog() as catalog:
            preview = table_preview(catalog.connection, domain, table, report.days)
            rows = catalog.total_rows(domain.name, table.name)
        for day, published in report.published_by_day.items():
            context.add_asset_metadata({"dagster/partition_row_count": published}, key, partition_key=day.isoformat())
        metadata = _metadata(report, preview)
        metadata["dagster/row_count"] = dg.MetadataValue.int(rows)
        yield dg.MaterializeResult(metadata=metadata, check_results=list(_check_results(key, report)))

    return validated


def _metadata(report: TableReport, preview: str) -> dict[str, dg.MetadataValue]:
    broken = [result for result in report.results if result.failing]
    return {
        "rows_in": dg.MetadataValue.int(report.rows_in),
        "published": dg.MetadataValue.int(report.published),
        "quarantined": dg.MetadataValue.int(report.quarantined),
        "exact_duplicates": dg.MetadataValue.int(report.duplicates),
        "superseded": dg.MetadataValue.int(report.superseded),
        "days_changed": dg.MetadataValue.int(report.changed_days),
        "rows_written": dg.MetadataValue.int(report.rows_written),
        "broken_rules": dg.MetadataValue.md(
            markdown_table(
                ("rule", "severity", "rows", "percent", "because"),
                [(r.rule.name, r.rule.severity.value, r.failing, f"{r.percent:.3f}", r.rule.reason) for r in broken],
            )
            if broken
            else "none"
        ),
        "preview": dg.MetadataValue.md(preview),
    }


def _check_results(key: dg.AssetKey, report: TableReport) -> Iterator[dg.AssetCheckResult]:
    audits = {found.rule.name: found for found in report.audits}
    for result in report.results:
        yield _check_result(key, result, audits.get(result.rule.name))


def _check_result(key: dg.AssetKey, result: RuleResult, second: Audit | None) -> dg.AssetCheckResult:
    """The outcome of one rule: what SQL found, beside what Great Expectations found of the same rows."""
    agreed = second is None or (second.error is None and second.failing == result.failing)
    metadata: dict[str, dg.MetadataValue] = {
        "rows": dg.MetadataValue.int(result.rows),
        "failing": dg.MetadataValue.int(result.failing),
        "percent": dg.MetadataValue.float(result.percent),
        "samples": dg.MetadataValue.text(", ".join(result.sample_keys) or "none"),
    }
    if second is not None:
        metadata["expectation"] = dg.MetadataValue.text(second.expectation)
    if result.not_judged:
        metadata["not_judged"] = dg.MetadataValue.text(result.not_judged)
    if not agreed and second is not None:
        found = second.error or f"{second.failing:,} failing rows"
        metadata[SECOND_OPINION] = dg.MetadataValue.text(f"Great Expectations disagrees: {found}")
    critical = result.rule.severity is Severity.CRITICAL or not agreed
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=result.rule.name,
        passed=result.failing == 0 and agreed,
        severity=dg.AssetCheckSeverity.ERROR if critical else dg.AssetCheckSeverity.WARN,
        description=_sentence(result),
        metadata=metadata,
    )


def _sentence(result: RuleResult) -> str:
    if result.not_judged:
        return f"not judged: {result.not_judged}"
    if not result.failing:
        return f"all {result.rows:,} rows hold"
    return f"{result.failing:,} of {result.rows:,} rows: {result.rule.reason}"
