"""What the UI shows of retention: the acts of a run, the report on what is held, and the results of its checks."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from ticketintel_pipelines.dagster_kit.metadata import markdown_table

if TYPE_CHECKING:
    # Loading the definitions needs none of what acts.
    from ticketintel_pipelines.retention.acts import AnyAct
    from ticketintel_pipelines.retention.lake_plan import LakeAct
    from ticketintel_pipelines.retention.outcome import Outcome, Report
    from ticketintel_pipelines.retention.plan import Act
    from ticketintel_pipelines.retention.traces import TraceOutcome
    from ticketintel_pipelines.stages.retention_report import RetentionReport

CHECKS = {
    "nothing_overdue": "No row is kept longer than its class says, a week for the purge apart, unless a legal hold is on it.",
    "books_reconcile": "Of every table: rows ever published = in Postgres + in the archive alone + deleted + erased.",
    "ledger_unbroken": "No row of the ledger was changed or taken out since it was written.",
    "erasure_requests_in_time": "No request of a person to be erased is open within a week of its deadline, or past it.",
    "archive_verified": "Every file and manifest of the archive, read again, is what index and ledger say.",
}
MOST_SHOWN = 50
"""Acts and faults listed in the UI; the figures beside count all."""


def materialized(
    report: "Report[Act]", lake: "Report[LakeAct] | None" = None, traces: "Sequence[TraceOutcome]" = ()
) -> dg.MaterializeResult:
    """What became of the plans of one run; in a dry run, what would."""
    outcomes, files = report.outcomes, lake.outcomes if lake else ()
    acted: list[Outcome[AnyAct]] = [*outcomes, *files]
    done: list[Outcome[AnyAct] | TraceOutcome] = [*acted, *traces]
    results = Counter(one.result.value for one in done)
    days = [day for one in acted for day in (one.act.first_day, one.act.last_day) if day is not None]
    metadata: dict[str, Any] = {
        "dry_run": report.dry_run,
        "summary": ", ".join(f"{count:,} {result}" for result, count in sorted(results.items())) or "nothing is due",
        "rows": sum(one.rows for one in acted),
        "bytes": sum(one.bytes for one in done),
        "policy_version": report.plan.policy_version,
        "acts": dg.MetadataValue.md(_acts_table(outcomes)),
    }
    if days:
        metadata |= {"oldest_day": min(days).isoformat(), "newest_day": max(days).isoformat()}
    if lake is not None:
        metadata["lake"] = dg.MetadataValue.md(
            markdown_table(
                ("table", "month", "result", "rows", "bytes", "why"),
                [
                    (
                        one.act.shelf.words,
                        f"{one.act.month:%Y-%m}",
                        one.result.value,
                        f"{one.rows:,}",
                        f"{one.bytes:,}",
                        _why(one),
                    )
                    for one in files[:MOST_SHOWN]
                ],
            )
        )
    if traces:
        rows = [(one.name, one.result.value, f"{one.pieces:,}", f"{one.bytes:,}", f"{one.due.held:,}") for one in traces]
        metadata["traces"] = dg.MetadataValue.md(markdown_table(("trace", "result", "pieces", "bytes", "held"), rows))
    return dg.MaterializeResult(metadata=metadata)


def _acts_table(outcomes: "Sequence[Outcome[Act]]") -> str:
    rows = [
        (
            one.act.kind.value,
            one.act.table,
            f"{one.act.month:%Y-%m}",
            one.result.value,
            f"{one.rows:,}",
            f"{one.bytes:,}",
            one.act.first_day,
            one.act.last_day,
            _why(one),
        )
        for one in outcomes[:MOST_SHOWN]
    ]
    header = ("act", "table", "month", "result", "rows", "bytes", "oldest day", "newest day", "why")
    return markdown_table(header, rows)


def _why(outcome: "Outcome[AnyAct]") -> str:
    """Holds by their numbers, as in the ledger: a reason may name a person, and would stay in the event log."""
    holds = outcome.act.holds
    return f"legal hold {', '.join(map(str, holds))}" if holds else outcome.words


def report_metadata(found: "RetentionReport") -> dict[str, Any]:
    classes = [
        (
            one.retention.value,
            one.periods.words,
            one.tables,
            f"{one.hot_rows:,}",
            f"{one.archived_rows:,}",
            one.oldest_hot,
            one.oldest_archived,
            one.next_due,
            len(one.overdue),
            ", ".join(map(str, one.holds)),
        )
        for one in found.classes
    ]
    accounts = [
        (
            one.table,
            *(f"{figure:,}" for figure in (one.published, one.hot, one.archived, one.deleted, one.erased, one.missing)),
            one.oldest,
        )
        for one in found.accounts
    ]
    holds = [(hold.hold_id, hold.table or "all", hold.first_day, hold.last_day, hold.until) for hold in found.holds]
    held = (
        "class",
        "kept",
        "tables",
        "in Postgres",
        "in archive",
        "oldest there",
        "oldest archived",
        "next due",
        "overdue",
        "holds",
    )
    booked = ("table", "published", "in Postgres", "in archive", "deleted", "erased", "missing", "oldest there")
    return {
        "classes": dg.MetadataValue.md(markdown_table(held, classes)),
        "accounts": dg.MetadataValue.md(markdown_table(booked, accounts)),
        # Without subject and reason, which may name a person.
        "holds": dg.MetadataValue.md(markdown_table(("hold", "table", "first day", "last day", "until"), holds)),
        "overdue": len(found.overdue),
        "waiting_for_a_hold_or_restoration": len(found.waiting),
        "archived_months": found.verified.months,
        "archived_bytes": found.verified.bytes,
    }


def check_results(found: "RetentionReport") -> list[dg.AssetCheckResult]:
    objections: dict[str, list[str]] = {
        # The reason of a hold is not shown: these acts have none.
        "nothing_overdue": [act.words for act in found.overdue],
        "books_reconcile": [f"{one.table}: {one.missing:,} rows are unaccounted for" for one in found.unbalanced],
        "ledger_unbroken": [f"row {number} was changed, or one before it taken out" for number in found.broken_ledger_rows],
        "erasure_requests_in_time": [
            f"the request of {one.requested_at:%Y-%m-%d} has to be done by {one.due_at:%Y-%m-%d}"
            f"{', which is past' if one.is_overdue(found.today) else ''}"
            for one in found.requests
        ],
        "archive_verified": list(found.verified.faults),
    }
    return [
        dg.AssetCheckResult(
            check_name=name,
            passed=not objections[name],
            metadata={
                "objections": dg.MetadataValue.md("\n".join(f"- {words}" for words in objections[name][:MOST_SHOWN])),
                "count": len(objections[name]),
            },
        )
        for name in CHECKS
    ]
