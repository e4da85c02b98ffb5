"""`ticketintel up`: the Dagster UI and its schedules, until Ctrl-C."""

import argparse
import os
import sys

from ticketintel_pipelines.commands.command import Commands, add_command, open_workspace
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.settings import HOME

WEB_ADDRESS = "127.0.0.1"
WEB_PORT = 3000
STOP_SECONDS = 30


def declare_up(commands: Commands) -> None:
    up = add_command(
        commands, "up", _up, "serve the Dagster UI and run its schedules until Ctrl-C", "ticketintel up --port 3000"
    )
    up.add_argument("--port", type=int, default=WEB_PORT)


def _up(options: argparse.Namespace) -> int:
    import signal
    import subprocess

    from ticketintel_pipelines.nights import REPOSITORY, prepare_dagster_home

    console = Console()
    _refuse_taken_port(options.port)
    workspace, _ = open_workspace(console)
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
    import socket

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((WEB_ADDRESS, port))
        except (OSError, OverflowError) as error:
            raise BadInputError(f"--port {port} cannot be used ({error}); name a free one from 1024 to 65535") from error
