"""The commands of `ticketintel` about retention: `archive`, `purge` and `hold`. Nothing is changed without `--yes`."""

import argparse
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from ticketintel_pipelines.errors import EXIT_RUN_FAILED, BadInputError
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from ticketintel_pipelines.contract import Domain, Table
    from ticketintel_pipelines.retention.lake import LakeOutcome
    from ticketintel_pipelines.retention.outcome import Outcome
    from ticketintel_pipelines.retention.plan import Kind
    from ticketintel_pipelines.retention.room import Bounds, Room
    from ticketintel_pipelines.stages.retention_lake import Kept
    from ticketintel_pipelines.stages.workspace import Workspace

Open = Callable[[Console], "tuple[Workspace, Domain]"]
Commands = Callable[[str, Callable[[argparse.Namespace], int | None], str, str], argparse.ArgumentParser]
Act = Callable[["Room", argparse.Namespace, Console], int]
RESTORED_DAYS = 30
COLUMNS = "{:<24} {:>13} {:>13} {:>13} {:>13} {:>13} {:>9}"


def add_retention_commands(command: Commands, open_workspace: Open, features: "Callable[[], Mapping[str, Kept]]") -> None:
    """Add the parsers of `archive`, `purge` and `hold`; `features` says how long those of the lake are kept."""

    def run(act: Act) -> Callable[[argparse.Namespace], int]:
        def with_room(options: argparse.Namespace) -> int:
            from ticketintel_pipelines.stages.retention import retention_room

            console = Console()
            return act(retention_room(*open_workspace(console)), options, console)

        return with_room

    def purging(options: argparse.Namespace) -> int:
        console = Console()
        return _purge(*open_workspace(console), features(), options, console)

    def sub(
        of: "argparse._SubParsersAction[argparse.ArgumentParser]",
        name: str,
        act: Callable[[argparse.Namespace], int],
        words: str,
    ) -> argparse.ArgumentParser:
        parser = of.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        parser.set_defaults(run=act)
        return parser

    archive = command(
        "archive", _needs_more, "keep months that are past their time in Postgres as files", "ticketintel archive plan"
    ).add_subparsers(metavar="what")
    _day_option(sub(archive, "plan", run(_archive(_show)), "show what would be archived"))
    _yes_option(sub(archive, "run", run(_archive(_carry_out)), "archive what is due; without --yes only show it"))
    sub(archive, "verify", run(_verify), "read the whole archive again and say what is not as it was put there")
    asked = sub(archive, "query", run(_query), "answer a SELECT over the archive, Postgres, or both together, as CSV")
    asked.add_argument("sql", help="tables: archive.NAME, hot.NAME, or NAME for both")
    back = sub(archive, "restore", run(_restore), "bring archived months back into Postgres")
    back.add_argument("table")
    back.add_argument("--from", dest="first", type=date.fromisoformat, required=True, metavar="DAY")
    back.add_argument("--to", dest="last", type=date.fromisoformat, required=True, metavar="DAY")
    back.add_argument(
        "--days", type=int, default=RESTORED_DAYS, help=f"how long they stay before they are due again [{RESTORED_DAYS}]"
    )
    sub(archive, "rebuild-index", run(_rebuild), "enter into the index the months whose manifests it lacks")

    purge = command(
        "purge", _needs_more, "take out of Postgres and the archive what is past its time", "ticketintel purge plan"
    ).add_subparsers(metavar="what")
    _day_option(sub(purge, "plan", purging, "show what would be archived, dropped and deleted"))
    _yes_option(sub(purge, "run", purging, "archive, drop and delete what is due; without --yes only show it"))
    sub(purge, "accounts", run(_accounts), "hold the rows that were published against those that are there and those that went")

    hold = command(
        "hold",
        _needs_more,
        "keep rows from archive, purge and erasure",
        "ticketintel hold add --table orders --reason 'case 7'",
    ).add_subparsers(metavar="what")
    add = sub(hold, "add", run(_add_hold), "put a hold in force; what is not named is held as a whole")
    add.add_argument("--table")
    add.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY")
    add.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY")
    subject = add.add_mutually_exclusive_group()
    subject.add_argument("--wallet", dest="subject", help="only rows with this wallet")
    subject.add_argument("--user", dest="subject", help="only rows with this user")
    add.add_argument("--until", type=date.fromisoformat, metavar="DAY", help="last day of the hold; without it, until released")
    add.add_argument("--reason", required=True)
    sub(hold, "list", run(_list_holds), "show the holds in force")
    sub(hold, "release", run(_release_hold), "end a hold").add_argument("hold", type=int)


def _day_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--day", type=date.fromisoformat, help="what would be due on that day [today]")


def _yes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do it; without it nothing is changed")
    parser.add_argument("--most-rows", type=int, help="begin nothing more once so many rows were dealt with")
    parser.add_argument("--most-minutes", type=float, help="begin nothing more after so many minutes")


def _needs_more(_: argparse.Namespace) -> int:
    raise BadInputError("say what: 'ticketintel archive --help' and the like list it")


def _today() -> date:
    return datetime.now(UTC).date()


def _archive(act: "Callable[[Room, tuple[Kind, ...], argparse.Namespace, Console], int]") -> Act:
    def with_kinds(room: "Room", options: argparse.Namespace, console: Console) -> int:
        from ticketintel_pipelines.retention.plan import ARCHIVING

        return act(room, ARCHIVING, options, console)

    return with_kinds


def _purge(
    workspace: "Workspace",
    domain: "Domain",
    features: "Mapping[str, Kept]",
    options: argparse.Namespace,
    console: Console,
) -> int:
    """Of `plan`, which has a day, and of `run`, which has --yes."""
    from ticketintel_pipelines.stages.retention import retention_room
    from ticketintel_pipelines.stages.retention_purge import purge

    is_plan, day = "day" in options, getattr(options, "day", None) or _today()
    dry_run, room = is_plan or not options.yes, retention_room(workspace, domain)
    done = purge(workspace, domain, room, features, day, bounds=_bounds(options), dry_run=dry_run)
    outcomes: list[Outcome | LakeOutcome] = [*done.tables.outcomes, *done.lake.outcomes]
    lines = [outcome.act.words if is_plan else outcome.line for outcome in outcomes]
    lines += [trace.line for trace in done.traces if trace.due.pieces or trace.due.held]
    for line in lines:
        console.say(line)
    if is_plan:
        stopped = sum(outcome.act.stopped is not None for outcome in outcomes)
        console.say(f"{len(lines) - stopped:,} acts are due on {day}, {stopped:,} are stopped, policy {room.policy.version}")
    elif not lines:
        console.say("nothing is due")
    elif dry_run:
        console.say("nothing was changed; do it with --yes")
    return EXIT_RUN_FAILED if done.tables.refused else 0


def _bounds(options: argparse.Namespace) -> "Bounds":
    from ticketintel_pipelines.retention.room import Bounds

    given = {name: getattr(options, name, None) for name in ("most_rows", "most_minutes")}
    return Bounds(**{name: value for name, value in given.items() if value is not None})


def _show(room: "Room", kinds: "tuple[Kind, ...]", options: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.plan import plan

    day = options.day or _today()
    made = plan(room, day, kinds)
    for act in made.acts:
        console.say(act.words)
    console.say(
        f"{len(made.due):,} acts are due on {day}, {len(made.stopped):,} are stopped, policy {made.policy_version}"
        if made.acts
        else f"nothing is due on {day}, policy {made.policy_version}"
    )
    return 0


def _carry_out(room: "Room", kinds: "tuple[Kind, ...]", options: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.carrying import carry_out
    from ticketintel_pipelines.retention.plan import plan

    report = carry_out(room, plan(room, _today(), kinds), bounds=_bounds(options), dry_run=not options.yes)
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
    until = _today() + timedelta(days=options.days)
    for month in restore(room, _table(room, options.table), DayRange(options.first, options.last), until):
        kept = f"; {month.kept:,} stayed as they were, since a newer row has their key" if month.kept else ""
        console.say(f"{options.table} {month.month:%Y-%m}: {month.rows:,} rows are in Postgres again until {until}{kept}")
    return 0


def _rebuild(room: "Room", _: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.index import rebuild

    with room.session() as connection:
        console.say(f"{rebuild(connection, room):,} months were entered")
    return 0


def _accounts(room: "Room", _: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.reconcile import reconcile

    accounts = reconcile(room)
    console.say(COLUMNS.format("table", "published", "in Postgres", "in archive", "deleted", "erased", "missing"))
    for one in accounts:
        figures = (one.published, one.hot, one.archived, one.deleted, one.erased, one.missing)
        console.say(COLUMNS.format(one.table, *(f"{figure:,}" for figure in figures)))
    return EXIT_RUN_FAILED if any(one.missing for one in accounts) else 0


def _add_hold(room: "Room", options: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.holds import Hold, place

    hold = Hold(0, options.table, options.first, options.last, options.subject, options.reason, options.until)
    with room.session() as connection:
        console.say(f"hold {place(connection, room, hold)} is in force")
    return 0


def _list_holds(room: "Room", _: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.holds import holds_in_force

    with room.session() as connection:
        holds = holds_in_force(connection, room, _today())
    for hold in holds:
        days = f"{hold.first_day or 'the beginning'} to {hold.last_day or 'whenever'}"
        subject = f", rows of {hold.subject}" if hold.subject else ""
        end = f", until {hold.until}" if hold.until else ""
        console.say(f"{hold.hold_id}: {hold.table or 'all tables'}, {days}{subject}{end}: {hold.reason}")
    if not holds:
        console.say("no hold is in force")
    return 0


def _release_hold(room: "Room", options: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.holds import release

    with room.session() as connection:
        release(connection, room, options.hold)
    console.say(f"hold {options.hold} is released")
    return 0


def _table(room: "Room", name: str) -> "Table":
    published = {table.name: table for table in room.domain.published_tables}
    if name not in published:
        raise BadInputError(f"{room.domain.name} has no table {name}; it has {', '.join(published)}")
    return published[name]
