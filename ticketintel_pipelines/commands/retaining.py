"""What `archive`, `purge` and `hold` have in common. Nothing is changed without `--yes`."""

import argparse
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, Run, described, open_workspace
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from ticketintel_pipelines.retention.room import Bounds, Room

Act = Callable[["Room", argparse.Namespace, Console], int]


def add_act(acts: Commands, name: str, run: Run, words: str) -> argparse.ArgumentParser:
    """Add what a command does under a name of its own; returns its parser."""
    parser = acts.add_parser(name, help=words, description=described(words))
    parser.set_defaults(run=run)
    return parser


def add_day(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--day", type=date.fromisoformat, help="what would be due on that day [today]")


def add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do it; without it nothing is changed")
    parser.add_argument("--most-rows", type=int, help="begin nothing more once so many rows were dealt with")
    parser.add_argument("--most-minutes", type=float, help="begin nothing more after so many minutes")


def needs_more(command: str) -> Run:
    """What a command without an act answers."""

    def run(_: argparse.Namespace) -> int:
        raise BadInputError(f"say what {command} is to do; 'ticketintel {command} --help' lists it")

    return run


def on_room(act: Act) -> Run:
    """The act with the room of the deployment that the environment names."""

    def run(options: argparse.Namespace) -> int:
        from ticketintel_pipelines.stages.retention import retention_room

        console = Console()
        return act(retention_room(*open_workspace(console)), options, console)

    return run


def wallet_as_stored(wallet: str) -> str:
    """A wallet as tables hold it.

    Raises:
        BadInputError: it is none.
    """
    wallet = wallet.lower()
    if len(wallet) != 42 or not wallet.startswith("0x") or set(wallet[2:]) - set("0123456789abcdef"):
        raise BadInputError("--wallet is not 0x and 40 hexadecimal digits")
    return wallet


def today() -> date:
    return datetime.now(UTC).date()


def bounds_of(options: argparse.Namespace) -> "Bounds":
    from ticketintel_pipelines.retention.room import Bounds

    given = {name: getattr(options, name, None) for name in ("most_rows", "most_minutes")}
    return Bounds(**{name: value for name, value in given.items() if value is not None})
