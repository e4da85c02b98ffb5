"""`ticketintel hold`: legal holds, which keep rows from archive, purge and erasure."""

import argparse
from datetime import date
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, add_command
from ticketintel_pipelines.commands.retaining import add_act, needs_more, on_room, today, wallet_as_stored
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from ticketintel_pipelines.retention.room import Room


def declare_hold(commands: Commands) -> None:
    hold = add_command(
        commands,
        "hold",
        needs_more("hold"),
        "keep rows from archive, purge and erasure",
        "ticketintel hold add --table orders --reason 'case 7'",
    ).add_subparsers(metavar="what")
    add = add_act(hold, "add", on_room(_add_hold), "put a hold in force; what is not named is held as a whole")
    add.add_argument("--table")
    add.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY")
    add.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY")
    subject = add.add_mutually_exclusive_group()
    subject.add_argument("--wallet", help="only rows with this wallet")
    subject.add_argument("--user", help="only rows with this user")
    add.add_argument("--until", type=date.fromisoformat, metavar="DAY", help="last day of the hold; without it, until released")
    add.add_argument("--reason", required=True)
    add_act(hold, "list", on_room(_list_holds), "show the holds in force")
    add_act(hold, "release", on_room(_release_hold), "end a hold").add_argument("hold", type=int)


def _add_hold(room: "Room", options: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.holds import Hold, place

    if options.until is not None and options.until < today():
        raise BadInputError(f"--until {options.until} is past: the hold would not be in force")
    subject = options.user if options.wallet is None else wallet_as_stored(options.wallet)
    hold = Hold(0, options.table, options.first, options.last, subject, options.reason, options.until)
    with room.session() as connection:
        console.say(f"hold {place(connection, room, hold)} is in force")
    return 0


def _list_holds(room: "Room", _: argparse.Namespace, console: Console) -> int:
    from ticketintel_pipelines.retention.holds import holds_in_force

    with room.session() as connection:
        holds = holds_in_force(connection, room, today())
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
