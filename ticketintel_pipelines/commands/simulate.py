"""`ticketintel simulate`: a simulated world as raw files, and on a development node where one is named."""

import argparse
import shlex
import shutil
from datetime import date
from pathlib import Path

from ticketintel_pipelines.commands.command import Commands, add_command, add_domain
from ticketintel_pipelines.errors import BadInputError, TicketIntelError
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.settings import read_settings


def declare_simulate(commands: Commands) -> None:
    simulate = add_command(
        commands,
        "simulate",
        _simulate,
        "write a simulated world as raw files",
        "ticketintel simulate --domain ticketing --days 30 --daily-events 50000 --seed 1 --out world",
    )
    add_domain(simulate)
    simulate.add_argument("--days", type=int, default=30)
    simulate.add_argument("--daily-events", type=int, default=50_000, help="raw records a day, blocks not counted")
    simulate.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes")
    simulate.add_argument("--start", type=date.fromisoformat, default=date(2026, 1, 1), help="first day")
    simulate.add_argument("--out", type=Path, help="a new or empty folder; with --play it may be left out")
    simulate.add_argument("--play", metavar="RPC_URL", help="play its chain onto a development node, such as anvil, as well")


def remove(folder: Path) -> None:
    """Remove a folder of simulated files, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def _simulate(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.ticketing.simulator import simulate

    for name, value in (("--days", options.days), ("--daily-events", options.daily_events)):
        if value < 1:
            raise BadInputError(f"{name} takes a number from 1 on, not {value}")
    if options.seed < 0:
        raise BadInputError(f"--seed takes a number from 0 on, not {options.seed}")
    out = options.out or _folder_for_play(options.play)
    if out.exists() and any(out.iterdir()):
        raise BadInputError(f"{out} is not empty; name a new folder")
    console = Console()
    with console.step("simulate"):
        try:
            summary = simulate(
                out, days=options.days, daily_events=options.daily_events, seed=options.seed, start=options.start
            )
        except ValueError as error:
            raise BadInputError(f"{error}; choose other figures") from error
    for table, rows in summary.rows.items():
        console.say(f"  {table:<16} {rows:>12,}")
    console.say(f"{sum(summary.rows.values()):,} rows in {out}; take them in with: ticketintel import {out}")
    if options.play:
        try:
            _play(out, options.play, console)
        except TicketIntelError:
            # The same command works once the node is right: its folder is to be as it was.
            remove(out)
            raise
    return 0


def _folder_for_play(url: str | None) -> Path:
    """Where a world goes that is made to be played: its last one there is replaced."""
    if url is None:
        raise BadInputError("simulate needs --out, a new folder for the raw files, or --play, a node to play them onto")
    folder = read_settings().home / "worlds" / "played"
    remove(folder)
    return folder


def _play(world: Path, url: str, console: Console) -> None:
    """Play a world onto a node, and leave beside its files what it takes to extract it from there."""
    from ticketintel_pipelines.settings import CHAIN_FILE, CHAIN_RPC_URL, CHAIN_SETTINGS
    from ticketintel_pipelines.ticketing.simulator.played_files import carry_hashes, chain_settings
    from ticketintel_pipelines.ticketing.simulator.playing import play

    with console.step(f"play {world} onto the node"):
        played = play(world, url, console.say)
        carry_hashes(world, played)
    settings = world / CHAIN_FILE
    settings.write_text(chain_settings(played))
    console.say(f"{played.logs:,} logs in the blocks {played.first_block:,} to {played.last_block:,}; extract them with:")
    console.say(f"  export {CHAIN_RPC_URL.name}={shlex.quote(url)} {CHAIN_SETTINGS.name}={shlex.quote(str(settings))}")
    console.say("  ticketintel run")
