"""`ticketintel archive`: months past their time as files, read back, asked and brought back."""

import argparse
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, add_command
from ticketintel_pipelines.commands.retaining import add_act, add_day, add_yes, bounds_of, needs_more, on_room, today
from ticketintel_pipelines.errors import EXIT_RUN_FAILED, BadInputError
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from ticketintel_pipelines.contract import Table
    from ticketintel_pipelines.retention.room import Room

RESTORED_DAYS = 30


def declare_archive(commands: Commands) -> None:
    archive = add_command(
        commands,
        "archive",
        needs_more("archive"),
        "keep months that are past their time in Postgres as files",
        "ticketintel archive plan",
    ).add_subparsers(metavar="what")
    add_day(add_act(archive, "plan", on_room(_show), "show what would be archived"))
    add_yes(add_act(archive, "run", on_room(_carry_out), "archive what is due; without --yes only show it"))
    add_act(archive, "verify", on_room(_verify), "read the whole archive again and say what is not as it was put there")
    asked = add_act(archive, "query", on_room(_query), "answer a SELECT over the archive, Postgres, or both together, as CSV")
    asked.add_argument("sql", help="tables: archive.NAME, hot.NAME, or NAME for both")
    back = add_act(archive, "restore", on_room(_restore), "bring archived months back into Postgres")
    back.add_argument("table")
    back.add_argument("--from", dest="first", type=date.fromisoformat, required=True, metavar="DAY")
    back.add_argument("--to", dest="last", type=date.fromisoformat, required=True, metavar="DAY")
    back.add_argument(
        "--days", type=int, default=RESTORED_DAYS, help=f"how long they stay before they are due again [{RESTORED_DAYS}]"
    )
    add_act(archive, "rebuild-index", on_room(_rebuild), "enter into the index the months whose manifests it lacks")


def _show(room: "Room", options: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.plan import ARCHIVING, plan

    day = options.day or today()
    made = plan(room, day, ARCHIVING)
    for act in made.acts:
        console.say(act.words)
    console.say(
        f"{len(made.due):,} acts are due on {day}, {len(made.stopped):,} are stopped, policy {made.policy_version}"
        if made.acts
        else f"nothing is due on {day}, policy {made.policy_version}"
    )
    return 0


def _carry_out(room: "Room", options: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.carrying import carry_out
    from ticketintel_pipelines.retention.plan import ARCHIVING, plan

    report = carry_out(room, plan(room, today(), ARCHIVING), bounds=bounds_of(options), dry_run=not options.yes)
    for outcome in report.outcomes:
        console.say(outcome.line)
    if not report.outcomes:
        console.say("nothing is due")
    elif report.dry_run:
        console.say("nothing was changed; do it with --yes")
    return EXIT_RUN_FAILED if report.refused else 0


def _verify(room: "Room", _: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.verify import verify

    found = verify(room)
    for fault in found.faults:
        console.say(f"fault: {fault}")
    console.say(
        f"{found.months:,} months with {found.rows:,} rows in {found.bytes:,} bytes were read again, "
        f"{len(found.faults):,} faults"
    )
    return EXIT_RUN_FAILED if found.faults else 0


def _query(room: "Room", options: argparse.Namespace, _: Console) -> int:
    import pyarrow.csv

    from ticketintel_pipelines.retention.query import query

    rows = query(room, options.sql)
    sys.stdout.flush()
    pyarrow.csv.write_csv(rows, sys.stdout.buffer)
    return 0


def _restore(room: "Room", options: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.lake.layout import DayRange
    from ticketintel_pipelines.retention.restore import restore

    if options.last < options.first:
        raise BadInputError(f"--to {options.last} lies before --from {options.first}")
    if options.days < 1:
        raise BadInputError(f"--days takes a number from 1 on, not {options.days}")
    until = today() + timedelta(days=options.days)
    for month in restore(room, _table(room, options.table), DayRange(options.first, options.last), until):
        kept = f"; {month.kept:,} stayed as they were, since a newer row has their key" if month.kept else ""
        console.say(f"{options.table} {month.month:%Y-%m}: {month.rows:,} rows are in Postgres again until {until}{kept}")
    return 0


def _rebuild(room: "Room", _: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.index import rebuild
    from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS

    # Alone: a manifest that a run has just written is entered by that run, or taken away.
    with room.alone(DEFAULT_BOUNDS) as connection:
        console.say(f"{rebuild(connection, room):,} months were entered")
    return 0


def _table(room: "Room", name: str) -> "Table":
    published = {table.name: table for table in room.domain.published_tables}
    if name not in published:
        raise BadInputError(f"{room.domain.name} has no table {name}; it has {', '.join(published)}")
    return published[name]
