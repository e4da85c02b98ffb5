"""`ticketintel run`, which works days out and publishes them, and `status`, which shows what came of it."""

import argparse

from ticketintel_pipelines.commands.command import Commands, add_command, add_domain, open_workspace
from ticketintel_pipelines.progress import Console


def declare_run(commands: Commands) -> None:
    run = add_command(
        commands,
        "run",
        _run,
        "take what is new from the live sources, work out and publish the days that have new input",
        "ticketintel run --from 2026-01-01 --to 2026-01-31",
    )
    add_domain(run)
    run.add_argument("--from", dest="first", metavar="DAY", help="first day to work out, whether it has new input or not")
    run.add_argument("--to", dest="last", metavar="DAY", help="last day")
    run.add_argument("--replay", action="store_true", help="also the days with rows in quarantine")
    run.add_argument("--verbose", action="store_true", help="a line for every step")


def declare_status(commands: Commands) -> None:
    status = add_command(
        commands, "status", _status, "show what is published and what is in quarantine", "ticketintel status --views"
    )
    add_domain(status)
    status.add_argument("--views", action="store_true", help="also the first lines of each view")


def _run(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.nights import requested_days, take_increments, work_out
    from ticketintel_pipelines.summary import status

    console = Console(verbose=options.verbose)
    workspace, domain = open_workspace(console)
    days = requested_days(options.first, options.last, workspace.settings.first_day)
    if days is None and (workspace.settings.chain_rpc_urls or workspace.settings.platform_database_url):
        take_increments(workspace, domain, console)
    work_out(workspace, domain, days, console, replay=options.replay)
    console.say("\n" + status(workspace, domain, views=False))
    return 0


def _status(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.summary import status

    console = Console()
    workspace, domain = open_workspace(console)
    console.say(status(workspace, domain, views=options.views))
    return 0
