"""Pulling the plug: a run killed inside any of its steps, and run again, leaves the rows of an undisturbed run."""

import hashlib
import io
import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.nights import run_etl, stale_ranges, work_out
from ticketintel_pipelines.progress import Console, Silence
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.simulator import simulate
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import take_in

# Children start from a server that has the heavy modules loaded: a kill costs a second, not ten.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["great_expectations.expectations", "ticketintel_pipelines.nights"])

VIEWS = ("event_analytics", "kpi_hourly", "user_features", "user_segments")
# The tables of a stage go through the same code: some of them stand for all.
RAW = [table.name for table in TICKETING.raw_tables if table.name != "sales"]
STEPS = [
    *(f"extract {name}" for name in RAW[::4]),
    "decode logs",
    *(f"validate {table.name}" for table in TICKETING.validated_tables[::2]),
    "validate fraud_reviews",
    "observe transactions",
    "observe labels",
    "work out wallets",
    "work out features",
    *(f"refresh {name}" for name in VIEWS[::2]),
]
LONGEST_DELAY_SECONDS = {"extract": 0.005, "decode": 0.2, "validate": 0.5, "observe": 0.1, "work": 0.3, "refresh": 0.05}


class KillInside:
    """Progress that kills its own process a moment after a step has begun, or at its end where that comes first."""

    def __init__(self, step: str, delay_seconds: float) -> None:
        self.victim = step
        self.delay_seconds = delay_seconds

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if name != self.victim:
            yield
            return
        threading.Timer(self.delay_seconds, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        yield
        os.kill(os.getpid(), signal.SIGKILL)


def _run_until_killed(settings: Settings, days: DayRange, step: str, delay_seconds: float) -> None:
    workspace = Workspace(DOMAINS, lambda: settings)
    run_etl(workspace, TICKETING, days, KillInside(step, delay_seconds))


def _import_until_killed(settings: Settings, folder: Path, delay_seconds: float) -> None:
    workspace = Workspace(DOMAINS, lambda: settings)
    _ = workspace.server
    threading.Timer(delay_seconds, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    take_in(workspace, folder)
    os.kill(os.getpid(), signal.SIGKILL)


def _killed(target: Callable[..., None], *arguments: object) -> bool:
    process = _processes.Process(target=target, args=arguments)
    process.start()
    process.join(timeout=120)
    if process.is_alive():
        process.kill()
        pytest.fail("the process neither ended nor was killed within two minutes")
    return process.exitcode == -signal.SIGKILL


def contents(workspace: Workspace) -> dict[str, str]:
    """A digest of the rows of every table and view, and of the accounts; times of work left out."""
    queries = {
        "ops.raw_fragments": "SELECT (table_name, day, path, rows) FROM ops.raw_fragments",
        "ops.quarantine": "SELECT (table_name, day, rule, reason, source_file, source_row, mended, content) "
        "FROM ops.quarantine",
        "ops.published_days": "SELECT (table_name, day, rows_in, published, quarantined, duplicates, superseded, "
        "content_hash) FROM ops.published_days",
    }
    names = [table.name for table in TICKETING.published_tables] + list(VIEWS)
    queries |= {name: f"SELECT t FROM ticketing.{name} t" for name in names}
    digests = {}
    with workspace.catalog() as catalog:
        for name, query in queries.items():
            rows = sorted(row[0] for row in catalog.connection.execute(f"SELECT q::text FROM ({query}) AS q").fetchall())
            digests[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return digests


@pytest.fixture(scope="module")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kill") / "raw"
    simulate(folder, days=2, daily_events=2_000, seed=23)
    return folder


def deployment(make_settings: Callable[..., Settings]) -> Workspace:
    # Small pieces, so that a kill can fall between two pieces of one table.
    settings = make_settings(TICKETINTEL_CHUNK_ROWS="1500")
    return Workspace(DOMAINS, lambda: settings)


@pytest.fixture(scope="module")
def undisturbed(make_settings, small_world: Path) -> dict[str, str]:
    workspace = deployment(make_settings)
    take_in(workspace, small_world)
    (days,) = stale_ranges(workspace, TICKETING)
    assert run_etl(workspace, TICKETING, days, Silence()).succeeded
    return contents(workspace)


def test_killed_inside_every_kind_of_step_and_run_again_leaves_the_same_rows(make_settings, small_world, undisturbed) -> None:
    workspace = deployment(make_settings)
    dice = random.Random(4)
    for delay_seconds in (0.05, 0.2, 0.4):
        assert _killed(_import_until_killed, workspace.settings, small_world, delay_seconds)
    take_in(workspace, small_world)
    (days,) = stale_ranges(workspace, TICKETING)
    for step in STEPS:
        delay_seconds = dice.uniform(0, LONGEST_DELAY_SECONDS[step.split()[0]])
        assert _killed(_run_until_killed, workspace.settings, days, step, delay_seconds), f"{step} was never reached"
    work_out(workspace, TICKETING, None, Console(stream=io.StringIO()))
    assert contents(workspace) == undisturbed
    assert not list(workspace.lake(TICKETING).scratch.glob("*/part*")), "a killed run's files are swept away"
