"""`ticketintel up` in a real browser: the ticketing lineage and a green run, on this machine only, gone after an interrupt."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ticketintel_pipelines.nights import run_etl, stale_ranges
from ticketintel_pipelines.progress import Silence
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import environment_of, take_in

START_SECONDS = 90
PATIENCE_SECONDS = 60
BROWSER = shutil.which("chromium")
QUIET = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --window-size=1900,1200 --virtual-time-budget=20000
""".split()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def served(make_settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen]]:
    """A deployment with one finished run, served by `ticketintel up`."""
    if BROWSER is None:
        pytest.skip("no browser: Debian's package chromium is not installed")
    settings = make_settings()
    workspace = Workspace([TICKETING], lambda: settings)
    folder = tmp_path_factory.mktemp("ui")
    (folder / "users.csv").write_text("user_id,created_at,email,is_verified\nu1,2026-01-01T10:00:00Z,a@b.example,true\n")
    take_in(workspace, folder)
    (days,) = stale_ranges(workspace, TICKETING)
    assert run_etl(workspace, TICKETING, days, Silence()).succeeded
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "ticketintel_pipelines.cli", "up", "--port", str(port)],
        env=environment_of(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield _answering(f"http://127.0.0.1:{port}", process), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def _answering(address: str, process: subprocess.Popen) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "ticketintel up ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                return address
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"the UI did not answer within {START_SECONDS} seconds")


def page_with(address: str, profile: Path, texts: tuple[str, ...]) -> str:
    """What a browser shows at an address, looked at again until it shows these texts: the page fills in as answers arrive."""
    assert BROWSER is not None
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", "--dump-dom", address]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        missing = [text for text in texts if text not in shown]
        if not missing:
            return shown
        if time.monotonic() > deadline:
            words = re.sub(r"\s+", " ", re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", shown, flags=re.S))
            raise AssertionError(f"{address} does not show {', '.join(missing)} but: {words[-2000:]}")


def test_the_lineage_shows_the_ticketing_graph(served, tmp_path: Path) -> None:
    address, _ = served
    # Of all assets at once the browser works for a minute; the way to one view is shown at once.
    nodes = ("market_sales", "transactions", "check_ins", "transfers", "event_analytics")
    view = "assets/ticketing/view/event_analytics?view=lineage&lineageScope=upstream&lineageDepth=3"
    page_with(f"{address}/{view}", tmp_path, nodes)


def test_the_run_is_shown_as_a_success(served, tmp_path: Path) -> None:
    address, _ = served
    page_with(f"{address}/runs", tmp_path, ("ticketing_etl", "Success"))


def test_it_listens_on_this_machine_only_and_an_interrupt_ends_all_of_it(served) -> None:
    _, process = served
    parent = psutil.Process(process.pid)
    family = [parent, *parent.children(recursive=True)]
    listening = {
        connection.laddr.ip
        for member in family
        for connection in member.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::1"}
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive
