"""What the commands have in common: the form of their parsers, and the deployment that they work on."""

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.settings import HOME, read_settings

if TYPE_CHECKING:
    from ticketintel_pipelines.contract import Domain
    from ticketintel_pipelines.stages.workspace import Workspace

Run = Callable[[argparse.Namespace], int]
"""What a command does with its options; returns its exit code."""
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(commands: Commands, name: str, run: Run, words: str, example: str) -> argparse.ArgumentParser:
    """Add a command, whose help is `words` and ends with an example; returns its parser."""
    parser = commands.add_parser(
        name,
        help=words,
        description=described(words),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def described(words: str) -> str:
    """The words of a list as a sentence."""
    return words[0].upper() + words[1:] + "."


def add_domain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--domain", default="ticketing", choices=("ticketing",))


def open_workspace(console: Console) -> "tuple[Workspace, Domain]":
    """The deployment that the environment names, and its domain."""
    from ticketintel_pipelines.catalog import DOMAINS
    from ticketintel_pipelines.stages.workspace import Workspace

    settings = read_settings()
    os.environ[HOME.name] = str(settings.home)
    return Workspace(DOMAINS, lambda: settings, console), DOMAINS[0]
