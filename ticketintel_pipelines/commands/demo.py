"""`ticketintel demo`: everything once, for somebody who looks at the pipeline for the first time."""

import argparse
import os
import shlex
import time
from pathlib import Path

from ticketintel_pipelines.commands.command import Commands, add_command, open_workspace
from ticketintel_pipelines.commands.intake import take_in
from ticketintel_pipelines.commands.models import is_trained
from ticketintel_pipelines.commands.simulate import remove
from ticketintel_pipelines.commands.up import WEB_ADDRESS, WEB_PORT
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.settings import HOME

DEMO_DAYS = 30
DEMO_DAILY_EVENTS = 10_000
DEMO_SEED = 7


def declare_demo(commands: Commands) -> None:
    demo = add_command(
        commands,
        "demo",
        _demo,
        "import a simulated month, or a folder, run everything and sum up",
        "ticketintel demo --data data/cryptopunks",
    )
    demo.add_argument("--data", type=Path, help="folder of raw files to use instead of a simulated month")


def _demo(options: argparse.Namespace) -> int:
    """Everything once, in a home of its own when a folder is named."""
    from ticketintel_pipelines.nights import train, work_out
    from ticketintel_pipelines.summary import status

    started = time.monotonic()
    if options.data is not None:
        if not options.data.is_dir():
            raise BadInputError(f"{options.data} is not a folder; DATA takes a folder of raw files")
        home = Path(f"{os.environ.get(HOME.name) or HOME.default}-{options.data.resolve().name}")
        os.environ[HOME.name] = str(home)
    console = Console()
    workspace, domain = open_workspace(console)
    console.say(f"home: {workspace.settings.home}")
    with console.step("start Postgres"):
        console.say(f"database: {workspace.server.name}")
    folder = options.data or _demo_world(workspace.settings.home, console)
    take_in(workspace, domain, folder, console)
    work_out(workspace, domain, None, console)
    if not is_trained(workspace, domain):
        train(workspace, domain, console)

    console.say("\n" + status(workspace, domain, views=True))
    console.say(f"\ndone in {time.monotonic() - started:.0f} s. Next:")
    if options.data is not None:
        console.say(f"  export {HOME.name}={shlex.quote(str(workspace.settings.home))}")
    console.say(f"  make up                       the Dagster UI on http://{WEB_ADDRESS}:{WEB_PORT}")
    console.say("  .venv/bin/ticketintel psql    the warehouse as the analyst")
    return 0


def _demo_world(home: Path, console: Console) -> Path:
    """The simulated month, made once."""
    from ticketintel_pipelines.ticketing.simulator import simulate

    world = home / "worlds" / f"{DEMO_DAYS}-days-{DEMO_DAILY_EVENTS}-a-day-seed-{DEMO_SEED}"
    if not world.exists():
        unfinished = world.with_suffix(".unfinished")
        with console.step(f"simulate {DEMO_DAYS} days of {DEMO_DAILY_EVENTS:,} events"):
            remove(unfinished)
            simulate(unfinished, days=DEMO_DAYS, daily_events=DEMO_DAILY_EVENTS, seed=DEMO_SEED)
        unfinished.rename(world)
    return world
