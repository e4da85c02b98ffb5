"""What comes in and what is forgotten: `ticketintel import`, `extract` and `withdraw`."""

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, add_command, add_domain, open_workspace
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.redaction import redacted

if TYPE_CHECKING:
    from ticketintel_pipelines.contract import Domain
    from ticketintel_pipelines.stages.workspace import Workspace


def declare_import(commands: Commands) -> None:
    take = add_command(
        commands, "import", _import, "take in a folder of raw files", "ticketintel import --domain ticketing world"
    )
    add_domain(take)
    take.add_argument("folder", type=Path)


def declare_extract(commands: Commands) -> None:
    extract = add_command(
        commands,
        "extract",
        _extract,
        "take what is new from the chain and the platform's database",
        "TICKETINTEL_CHAIN_RPC_URL=http://127.0.0.1:8545 ticketintel extract",
    )
    add_domain(extract)


def declare_withdraw(commands: Commands) -> None:
    withdraw = add_command(
        commands,
        "withdraw",
        _withdraw,
        "forget a file that was taken in; the next run works its days out without it",
        "ticketintel withdraw blocks/2026-01-05.parquet",
    )
    add_domain(withdraw)
    withdraw.add_argument("file", help="the file's name as quarantine and status show it")


def take_in(workspace: "Workspace", domain: "Domain", folder: Path, console: Console) -> None:
    """Import a folder of raw files, and say what came of it.

    Raises:
        BadInputError: a file does not fit the contract. Nothing was taken in.
    """
    from ticketintel_pipelines.intake.importer import import_folder

    with (
        console.step(f"import {folder}"),
        workspace.engine() as engine,
        workspace.catalog() as catalog,
        workspace.clients() as clients,
    ):
        lake, first_day = workspace.lake(domain), workspace.settings.first_day
        report = import_folder(engine, domain, folder, lake, catalog, first_day, clients)
    known = f"; {len(report.known):,} files had been taken in before" if report.known else ""
    repeated = f"; {len(report.repeated):,} files repeat another of the folder byte for byte" if report.repeated else ""
    console.say(f"imported {report.rows:,} rows of {len(report.landed):,} files{known}{repeated}")
    ignored = {(file.table, name) for file in report.landed for name in file.ignored_columns}
    for table in sorted({table for table, _ in ignored}):
        names = ", ".join(sorted(name for owner, name in ignored if owner == table))
        console.say(f"  not part of the contract of {table} and left out: {names}")
    for warning in report.warnings:
        console.say(f"  warning: {redacted(warning)}")
    _keep_truth(workspace, domain, folder, console)


def _import(options: argparse.Namespace) -> int:
    console = Console()
    workspace, domain = open_workspace(console)
    take_in(workspace, domain, options.folder, console)
    console.say("publish with: ticketintel run")
    return 0


def _extract(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.nights import take_increments

    console = Console()
    workspace, domain = open_workspace(console)
    take_increments(workspace, domain, console)
    console.say("publish with: ticketintel run")
    return 0


def _withdraw(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS

    console = Console()
    workspace, domain = open_workspace(console)
    with workspace.catalog() as catalog:
        fragments = catalog.withdraw(domain.name, options.file, RAW_INPUTS)
    for fragment in fragments:
        fragment.unlink(missing_ok=True)
    console.say(f"{options.file} is withdrawn; publish its days without it with: ticketintel run")
    return 0


def _keep_truth(workspace: "Workspace", domain: "Domain", folder: Path, console: Console) -> None:
    """Keep the truth of a simulated world for the reports, which then state ceilings; nothing that scores reads it."""
    truth = folder / "truth"
    if not truth.is_dir():
        return
    kept = workspace.truth(domain)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(truth, kept)
    console.say("simulated world: its truth is kept for the reports on models")
