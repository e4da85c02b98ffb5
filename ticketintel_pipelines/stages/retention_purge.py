"""A whole purge of a deployment: what is past its time leaves Postgres and the archive, then the lake, then the traces go."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.retention.carrying import carry_out
from ticketintel_pipelines.retention.lake_plan import LakeAct
from ticketintel_pipelines.retention.outcome import Report
from ticketintel_pipelines.retention.plan import PURGING, Act, Kind, plan
from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS, Bounds, Room
from ticketintel_pipelines.retention.traces import TraceOutcome, retain_traces
from ticketintel_pipelines.stages.retention_lake import Kept, purge_lake_of
from ticketintel_pipelines.stages.retention_traces import traces_of
from ticketintel_pipelines.stages.workspace import Workspace


@dataclass(frozen=True)
class Purged:
    """What became of the three parts, or in a dry run what would."""

    tables: Report[Act]
    lake: Report[LakeAct]
    traces: tuple[TraceOutcome, ...]


def purge(
    workspace: Workspace,
    domain: Domain,
    room: Room,
    features: Mapping[str, Kept],
    today: date,
    *,
    bounds: Bounds = DEFAULT_BOUNDS,
    dry_run: bool = True,
) -> Purged:
    """Plan each part and carry it out, all within the same bounds; in a dry run, which is the default, only plan.

    `features` says how long the observations and families of the lake are kept.

    Raises:
        BusyError: another run has the domain.
    """
    started, gone = time.monotonic(), 0

    def left() -> Bounds:
        minutes = bounds.most_minutes - (time.monotonic() - started) / 60
        return replace(bounds, most_rows=max(0, bounds.most_rows - gone), most_minutes=max(0.0, minutes))

    tables = carry_out(room, plan(room, today, PURGING), bounds=bounds, dry_run=dry_run)
    # What was archived was dropped as well, or is still there.
    gone += sum(outcome.rows for outcome in tables.outcomes if outcome.act.kind is not Kind.ARCHIVE)
    # After Postgres: what left it may leave the lake, too.
    lake = purge_lake_of(workspace, domain, room, features, today, bounds=left(), dry_run=dry_run)
    gone += lake.rows
    traces = retain_traces(room, today, traces_of(workspace), bounds=left(), dry_run=dry_run)
    return Purged(tables, lake, tuple(traces))
