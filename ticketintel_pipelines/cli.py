"""`ticketintel`: the pipeline from a terminal. Parses, calls, prints; exit codes are those of `errors.py`."""

import argparse
import errno
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ticketintel_pipelines.erase_command import add_erase_command
from ticketintel_pipelines.errors import EXIT_BAD_INPUT, BadInputError, TicketIntelError, UnavailableError
from ticketintel_pipelines.model_commands import is_trained, keep_truth, list_models, rescore, roll_back_model, train_models
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.redaction import redact_tracebacks, redacted
from ticketintel_pipelines.retention_commands import add_retention_commands
from ticketintel_pipelines.settings import HOME, VARIABLES, read_settings
from ticketintel_pipelines.watch_list_command import add_watch_lists

if TYPE_CHECKING:
    # Imported where they are used: `ticketintel --help` answers without waiting for Dagster.
    from sqlalchemy import URL

    from ticketintel_pipelines.contract import Domain
    from ticketintel_pipelines.stages.retention_lake import Kept
    from ticketintel_pipelines.stages.workspace import Workspace

DEMO_DAYS = 30
DEMO_DAILY_EVENTS = 10_000
DEMO_SEED = 7
WEB_ADDRESS = "127.0.0.1"
WEB_PORT = 3000
STOP_SECONDS = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    redact_tracebacks()
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except TicketIntelError as error:
        print(f"ticketintel: {redacted(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            print(f"ticketintel: {error.filename or 'the system'}: {error.strerror}; name another place", file=sys.stderr)
            return EXIT_BAD_INPUT
        full = UnavailableError(f"the disk is full ({error.filename or 'while writing'}); free some space and run again")
        print(f"ticketintel: {full}", file=sys.stderr)
        return full.exit_code
    except KeyboardInterrupt:
        print("ticketintel: stopped; run the same command again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ticketintel",
        description="Nightly batch pipeline of an NFT ticketing platform.",
        epilog="environment:\n" + "\n".join(f"  {v.name}: {v.description} [{v.default or 'unset'}]" for v in VARIABLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(
        name: str, run: Callable[[argparse.Namespace], int | None], words: str, example: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=words,
            description=words[0].upper() + words[1:] + ".",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=run)
        return sub

    demo = command(
        "demo",
        _demo,
        "import a simulated month, or a folder, run everything and sum up",
        "ticketintel demo --data data/cryptopunks",
    )
    demo.add_argument("--data", type=Path, help="folder of raw files to use instead of a simulated month")

    up = command("up", _up, "serve the Dagster UI and run its schedules until Ctrl-C", "ticketintel up --port 3000")
    up.add_argument("--port", type=int, default=WEB_PORT)

    simulate = command(
        "simulate",
        _simulate,
        "write a simulated world as raw files",
        "ticketintel simulate --domain ticketing --days 30 --daily-events 50000 --seed 1 --out world",
    )
    _domain_option(simulate)
    simulate.add_argument("--days", type=int, default=30)
    simulate.add_argument("--daily-events", type=int, default=50_000, help="raw records a day, blocks not counted")
    simulate.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes")
    simulate.add_argument("--start", type=date.fromisoformat, default=date(2026, 1, 1), help="first day")
    simulate.add_argument("--out", type=Path, help="a new or empty folder; with --play it may be left out")
    simulate.add_argument("--play", metavar="RPC_URL", help="play its chain onto a development node, such as anvil, as well")

    take = command("import", _import, "take in a folder of raw files", "ticketintel import --domain ticketing world")
    _domain_option(take)
    take.add_argument("folder", type=Path)

    watch = command(
        "watch-list",
        _watch_list,
        "take in lists of addresses to beware of, which count from now on",
        "ticketintel watch-list phishing.csv exploits.parquet --list forta",
    )
    _domain_option(watch)
    watch.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="CSV, Parquet or JSON lines with a column of addresses"
    )
    watch.add_argument("--list", metavar="NAME", help="the list's name; else the one a row gives, or the file's")
    watch.add_argument("--listed-at", type=datetime.fromisoformat, metavar="DATE", help="when the addresses became known [now]")

    extract = command(
        "extract",
        _extract,
        "take what is new from the chain and the platform's database",
        "TICKETINTEL_CHAIN_RPC_URL=http://127.0.0.1:8545 ticketintel extract",
    )
    _domain_option(extract)

    train = command("train", _train, "train the models on what is known by now; the better one scores", "ticketintel train")
    _domain_option(train)
    models = command("models", _models, "list the versions of each model, which one scores, and why", "ticketintel models")
    _domain_option(models)
    rollback = command("rollback", _rollback, "let the model's previous version score again", "ticketintel rollback fraud")
    _domain_option(rollback)
    rollback.add_argument("model")
    again = command(
        "rescore",
        _rescore,
        "work a day's scores out again and compare them bit for bit",
        "ticketintel rescore fraud --day 2026-01-25",
    )
    _domain_option(again)
    again.add_argument("model")
    again.add_argument("--day", type=date.fromisoformat, required=True)

    withdraw = command(
        "withdraw",
        _withdraw,
        "forget a file that was taken in; the next run works its days out without it",
        "ticketintel withdraw blocks/2026-01-05.parquet",
    )
    _domain_option(withdraw)
    withdraw.add_argument("file", help="the file's name as quarantine and status show it")

    run = command(
        "run",
        _run,
        "take what is new from the live sources, work out and publish the days that have new input",
        "ticketintel run --from 2026-01-01 --to 2026-01-31",
    )
    _domain_option(run)
    run.add_argument("--from", dest="first", metavar="DAY", help="first day to work out, whether it has new input or not")
    run.add_argument("--to", dest="last", metavar="DAY", help="last day")
    run.add_argument("--replay", action="store_true", help="also the days with rows in quarantine")
    run.add_argument("--verbose", action="store_true", help="a line for every step")

    status = command("status", _status, "show what is published and what is in quarantine", "ticketintel status --views")
    _domain_option(status)
    status.add_argument("--views", action="store_true", help="also the first lines of each view")

    add_retention_commands(command, _workspace, _features_kept)
    add_erase_command(command, _workspace)

    psql = command(
        "psql",
        _psql,
        "open the warehouse with psql, as the analyst",
        "ticketintel psql -- -Atc 'select count(*) from ticketing.event_analytics'",
    )
    psql.add_argument("--as", dest="role", choices=("analyst", "owner"), default="analyst")
    psql.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- ARGUMENT", help="passed on to psql")
    return parser


def _domain_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--domain", default="ticketing", choices=("ticketing",))


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
    workspace, domain = _workspace(console)
    console.say(f"home: {workspace.settings.home}")
    with console.step("start Postgres"):
        console.say(f"database: {workspace.server.name}")
    folder = options.data or _demo_world(workspace.settings.home, console)
    _take_in(workspace, domain, folder, console)
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
            _remove(unfinished)
            simulate(unfinished, days=DEMO_DAYS, daily_events=DEMO_DAILY_EVENTS, seed=DEMO_SEED)
        unfinished.rename(world)
    return world


def _remove(folder: Path) -> None:
    import shutil

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
            _remove(out)
            raise
    return 0


def _folder_for_play(url: str | None) -> Path:
    """Where a world goes that is made to be played: its last one there is replaced."""
    if url is None:
        raise BadInputError("simulate needs --out, a new folder for the raw files, or --play, a node to play them onto")
    folder = read_settings().home / "worlds" / "played"
    _remove(folder)
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


def _import(options: argparse.Namespace) -> int:
    console = Console()
    workspace, domain = _workspace(console)
    _take_in(workspace, domain, options.folder, console)
    console.say("publish with: ticketintel run")
    return 0


def _watch_list(options: argparse.Namespace) -> int:
    console = Console()
    return add_watch_lists(*_workspace(console), options.files, options.list, options.listed_at, console)


def _extract(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.nights import take_increments

    console = Console()
    workspace, domain = _workspace(console)
    take_increments(workspace, domain, console)
    console.say("publish with: ticketintel run")
    return 0


def _withdraw(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.ticketing.inputs import RAW_INPUTS

    console = Console()
    workspace, domain = _workspace(console)
    with workspace.catalog() as catalog:
        fragments = catalog.withdraw(domain.name, options.file, RAW_INPUTS)
    for fragment in fragments:
        fragment.unlink(missing_ok=True)
    console.say(f"{options.file} is withdrawn; publish its days without it with: ticketintel run")
    return 0


def _run(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.nights import requested_days, take_increments, work_out
    from ticketintel_pipelines.summary import status

    console = Console(verbose=options.verbose)
    workspace, domain = _workspace(console)
    days = requested_days(options.first, options.last, workspace.settings.first_day)
    if days is None and (workspace.settings.chain_rpc_urls or workspace.settings.platform_database_url):
        take_increments(workspace, domain, console)
    work_out(workspace, domain, days, console, replay=options.replay)
    console.say("\n" + status(workspace, domain, views=False))
    return 0


def _train(options: argparse.Namespace) -> int:
    console = Console()
    return train_models(*_workspace(console), console)


def _models(options: argparse.Namespace) -> int:
    console = Console()
    return list_models(*_workspace(console), console)


def _rollback(options: argparse.Namespace) -> int:
    console = Console()
    return roll_back_model(*_workspace(console), options.model, console)


def _rescore(options: argparse.Namespace) -> int:
    console = Console()
    return rescore(*_workspace(console), options.model, options.day, console)


def _status(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.summary import status

    console = Console()
    workspace, domain = _workspace(console)
    console.say(status(workspace, domain, views=options.views))
    return 0


def _up(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.nights import REPOSITORY, prepare_dagster_home

    console = Console()
    _refuse_taken_port(options.port)
    workspace, _ = _workspace(console)
    environment = {
        **os.environ,
        HOME.name: str(workspace.settings.home),
        "DAGSTER_HOME": str(prepare_dagster_home(workspace)),
    }
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(REPOSITORY / "workspace.yaml")]
    command += ["--host", WEB_ADDRESS, "--port", str(options.port)]
    console.say(f"Dagster UI on http://{WEB_ADDRESS}:{options.port}, database {workspace.server.name}; Ctrl-C stops it all")
    # A script's background job starts with interrupts ignored, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A process group of its own: one interrupt from here reaches Dagster and everything it started, once.
    process = subprocess.Popen(command, cwd=workspace.settings.home, env=environment, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        console.say("stopped")
        return 0


def _refuse_taken_port(port: int) -> None:
    """Dagster says that it serves even where somebody else does."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((WEB_ADDRESS, port))
        except (OSError, OverflowError) as error:
            raise BadInputError(f"--port {port} cannot be used ({error}); name a free one from 1024 to 65535") from error


def _psql(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.warehouse.roles import ANALYST

    workspace, _ = _workspace(Console())
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


def _features_kept() -> "Mapping[str, Kept]":
    from ticketintel_pipelines.ticketing.retention import FEATURES_KEPT

    return FEATURES_KEPT


def _workspace(console: Console) -> "tuple[Workspace, Domain]":
    from ticketintel_pipelines.catalog import DOMAINS
    from ticketintel_pipelines.stages.workspace import Workspace

    settings = read_settings()
    os.environ[HOME.name] = str(settings.home)
    return Workspace(DOMAINS, lambda: settings, console), DOMAINS[0]


def _take_in(workspace: "Workspace", domain: "Domain", folder: Path, console: Console) -> None:
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
    keep_truth(workspace, domain, folder, console)


if __name__ == "__main__":
    sys.exit(main())
