"""`ticketintel erase`: shows where a person's data lies; with `--yes` it goes."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, add_command, open_workspace
from ticketintel_pipelines.commands.retaining import today, wallet_as_stored
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from ticketintel_pipelines.contract import Domain
    from ticketintel_pipelines.retention.erasure import Plan, Receipt, Subject
    from ticketintel_pipelines.retention.erasure_search import Ground
    from ticketintel_pipelines.stages.workspace import Workspace

ROW = "{:<20} {:<36} {:>10}  {}"


def declare_erase(commands: Commands) -> None:
    erase = add_command(
        commands,
        "erase",
        _erase,
        "erase a person's data that is not on the chain; without --yes only show where it lies",
        "ticketintel erase --user u20260104-000000 --yes",
    )
    who = erase.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", metavar="ID", help="account of the person")
    who.add_argument("--wallet", metavar="0x…", help="wallet of the person: all accounts that it is tied to")
    what = erase.add_mutually_exclusive_group()
    what.add_argument("--yes", action="store_true", help="do it")
    what.add_argument("--note", action="store_true", help="only write the request down: it is due in 30 days")


def ground_of(workspace: "Workspace", domain: "Domain") -> "Ground":
    """Everything of a deployment that an erasure works on."""
    from ticketintel_pipelines.intake.keys import address_key
    from ticketintel_pipelines.retention.erasure_search import Ground
    from ticketintel_pipelines.stages.retention import retention_room
    from ticketintel_pipelines.ticketing.features.families import FAMILIES
    from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS

    settings = workspace.settings
    return Ground(
        room=retention_room(workspace, domain),
        lake=workspace.lake(domain),
        home=settings.home,
        states=settings.home / "features" / domain.name,
        feature_tables={one.name: one.columns for one in (*OBSERVATIONS, *FAMILIES)},
        dagster_dsn=workspace.server.dagster.set(drivername="postgresql").render_as_string(hide_password=False),
        key=address_key(settings),
    )


def refresh_views(workspace: "Workspace", domain: "Domain") -> list[str]:
    """Make all views anew, whatever they were made from before; their names."""
    from ticketintel_pipelines.stages.view import bring_up_to_date, views_of

    with workspace.catalog() as catalog, catalog.connection.transaction():
        catalog.connection.execute("UPDATE ops.view_refreshes SET based_on = '' WHERE domain = %s", (domain.name,))
    views = views_of(domain)
    for view in views:
        bring_up_to_date(workspace, domain, view)
    return [view.name for view in views]


def _erase(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.retention.erasure import erase, note_request, plan_erasure

    console = Console()
    workspace, domain = open_workspace(console)
    subject = _subject(options.user, options.wallet)
    ground = ground_of(workspace, domain)
    if options.note:
        request = note_request(ground, subject)
        console.say(f"the request is noted; it is due on {request.due_at:%Y-%m-%d}; carry it out with: --yes")
        return 0
    if not options.yes:
        _show_plan(plan_erasure(ground, subject, today()), subject, console)
        return 0
    _show_receipt(erase(ground, subject, today(), lambda: refresh_views(workspace, domain)), console)
    return 0


def _subject(user: str | None, wallet: str | None) -> "Subject":
    from ticketintel_pipelines.contract import PERSON, WALLET
    from ticketintel_pipelines.retention.erasure import Subject

    if wallet is None:
        if not user:
            raise BadInputError("--user names no account")
        return Subject(PERSON, user)
    return Subject(WALLET, wallet_as_stored(wallet))


def _show_plan(plan: "Plan", subject: "Subject", console: Console) -> None:
    if plan.request is not None:
        done = f"was carried out on {plan.request.done_at:%Y-%m-%d}" if plan.request.done_at else "is open"
        console.say(f"the request of {plan.request.requested_at:%Y-%m-%d} {done}, due on {plan.request.due_at:%Y-%m-%d}")
    if plan.person is None or not plan.found:
        console.say(f"nothing is held of {subject.words}")
        return
    console.say(f"{len(plan.person.accounts)} account(s), found in {len(plan.found)} places:")
    console.say(ROW.format("where", "table", "rows", "days"))
    for place, found in plan.found:
        days = f"{found.first_day} to {found.last_day}" if found.first_day else ""
        console.say(ROW.format(place.kind, place.name, f"{found.rows:,}", days))
    for hold in plan.holds:
        console.say(f"held, nothing can be erased: {hold.words}")
    _show_left(plan.left, console)
    console.say("what is on the chain stays; the wallet is no longer tied to the person. Nothing was changed; do it with --yes")


def _show_receipt(receipt: "Receipt", console: Console) -> None:
    if not receipt.is_new:
        console.say(f"nothing to do: erased already; the receipt is {receipt.file}")
        return
    places = receipt.content["places"]
    assert isinstance(places, list)
    console.say(f"erased: {receipt.content['rows']:,} rows in {len(places)} places; the receipt is {receipt.file}")
    left = receipt.content["left"]
    assert isinstance(left, list)
    _show_left(left, console)
    console.say("work out what follows from it with: ticketintel run")


def _show_left(left: Sequence[str], console: Console) -> None:
    for name in left:
        console.say(f"left: {name} belongs to a model's version and names the person; train anew, then remove the version")
