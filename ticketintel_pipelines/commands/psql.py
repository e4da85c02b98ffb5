"""`ticketintel psql`: the warehouse at a prompt, or for one statement."""

import argparse
import os
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, add_command, open_workspace
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from sqlalchemy import URL


def declare_psql(commands: Commands) -> None:
    psql = add_command(
        commands,
        "psql",
        _psql,
        "open the warehouse with psql, as the analyst",
        "ticketintel psql -- -Atc 'select count(*) from ticketing.event_analytics'",
    )
    psql.add_argument("--as", dest="role", choices=("analyst", "owner"), default="analyst")
    psql.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- ARGUMENT", help="passed on to psql")


def _psql(options: argparse.Namespace) -> int:
    import subprocess

    from ticketintel_pipelines.warehouse.roles import ANALYST

    workspace, _ = open_workspace(Console())
    server = workspace.server
    environment = dict(os.environ)
    url = server.warehouse
    if options.role == "analyst":
        if server.embedded:
            url = url.set(username=ANALYST)
        else:
            environment["PGOPTIONS"] = f"-c role={ANALYST} -c statement_timeout=30s"
    passed = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    if url.password is not None:
        # On a command line it would be seen by everybody on the machine.
        environment["PGPASSWORD"] = str(url.password)
    command = [str(server.programs / "psql"), _without_password(url), *passed]
    return subprocess.run(command, env=environment, check=False).returncode


def _without_password(url: "URL") -> str:
    return url._replace(password=None).render_as_string(hide_password=False)
