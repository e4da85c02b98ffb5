"""`ticketintel purge`: what is past its time leaves Postgres, the archive, the lake and the pipeline's own traces."""

import argparse
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, add_command, open_workspace
from ticketintel_pipelines.commands.retaining import add_act, add_day, add_yes, bounds_of, needs_more, on_room, today
from ticketintel_pipelines.errors import EXIT_RUN_FAILED
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from ticketintel_pipelines.retention.acts import AnyAct
    from ticketintel_pipelines.retention.outcome import Outcome
    from ticketintel_pipelines.retention.room import Room

COLUMNS = "{:<24} {:>13} {:>13} {:>13} {:>13} {:>13} {:>9}"


def declare_purge(commands: Commands) -> None:
    purge = add_command(
        commands,
        "purge",
        needs_more("purge"),
        "take out of Postgres and the archive what is past its time",
        "ticketintel purge plan",
    ).add_subparsers(metavar="what")
    add_day(add_act(purge, "plan", _purge, "show what would be archived, dropped and deleted"))
    add_yes(add_act(purge, "run", _purge, "archive, drop and delete what is due; without --yes only show it"))
    add_act(
        purge,
        "accounts",
        on_room(_accounts),
        "hold the rows that were published against those that are there and those that went",
    )


def _purge(options: argparse.Namespace) -> int:
    """Of `plan`, which has a day, and of `run`, which has --yes."""
    from ticketintel_pipelines.stages.retention import retention_room
    from ticketintel_pipelines.stages.retention_purge import purge
    from ticketintel_pipelines.ticketing.retention import FEATURES_KEPT

    console = Console()
    workspace, domain = open_workspace(console)
    is_plan, day = "day" in options, getattr(options, "day", None) or today()
    dry_run, room = is_plan or not options.yes, retention_room(workspace, domain)
    done = purge(workspace, domain, room, FEATURES_KEPT, day, bounds=bounds_of(options), dry_run=dry_run)
    outcomes: list[Outcome[AnyAct]] = [*done.tables.outcomes, *done.lake.outcomes]
    lines = [outcome.act.words if is_plan else outcome.line for outcome in outcomes]
    traces = [trace for trace in done.traces if trace.due.pieces or trace.due.held]
    lines += [trace.line for trace in traces]
    for line in lines:
        console.say(line)
    if is_plan:
        stopped = sum(outcome.act.stopped is not None for outcome in outcomes)
        stopped += sum(not trace.due.pieces for trace in traces)
        console.say(f"{len(lines) - stopped:,} acts are due on {day}, {stopped:,} are stopped, policy {room.policy.version}")
    elif not lines:
        console.say("nothing is due")
    elif dry_run:
        console.say("nothing was changed; do it with --yes")
    return EXIT_RUN_FAILED if done.tables.refused else 0


def _accounts(room: "Room", _: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.reconcile import reconcile

    accounts = reconcile(room)
    console.say(COLUMNS.format("table", "published", "in Postgres", "in archive", "deleted", "erased", "missing"))
    for one in accounts:
        figures = (one.published, one.hot, one.archived, one.deleted, one.erased, one.missing)
        console.say(COLUMNS.format(one.table, *(f"{figure:,}" for figure in figures)))
    return EXIT_RUN_FAILED if any(one.missing for one in accounts) else 0
