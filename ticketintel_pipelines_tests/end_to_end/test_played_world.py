"""A simulated world played onto a real node and extracted from there: the rows are those of the file path."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.cli import main
from ticketintel_pipelines.nights import take_increments, work_out
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.settings import CHAIN_FILE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.simulator.clock import GENESIS_BLOCK
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import take_in
from ticketintel_pipelines_tests.node import running_node

START = date(2026, 1, 1)
RIGHT_BEFORE = int(datetime(START.year, START.month, START.day, tzinfo=UTC).timestamp()) - 12
TABLES = ("blocks", "transfers", "transactions", "tickets", "orders")
VIEWS = ("kpi_hourly", "event_analytics", "user_features", "user_segments")
CHAIN_FILES = ("blocks", "logs")


def rows(workspace: Workspace, name: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(workspace.server.dsn) as connection:
        return sorted(connection.execute(f"SELECT * FROM ticketing.{name}").fetchall(), key=repr)


@pytest.mark.slow
def test_what_is_extracted_from_a_node_is_what_the_files_hold(make_settings, tmp_path: Path) -> None:
    world = tmp_path / "world"
    console = Console(verbose=False)
    with running_node(
        "--number", str(GENESIS_BLOCK - 1), "--timestamp", str(RIGHT_BEFORE), "--hardfork", "cancun", "--prune-history"
    ) as node:
        command = f"simulate --days 1 --daily-events 2500 --seed 4 --start {START} --play {node.url} --out {world}"
        assert main(command.split()) == 0
        by_file, settings = make_settings(), make_settings(TICKETINTEL_CHAIN_RPC_URL=node.url)
        shutil.copy(world / CHAIN_FILE, settings.chain_settings)
        filed, live = Workspace(DOMAINS, lambda: by_file), Workspace(DOMAINS, lambda: settings)
        take_in(filed, world)
        for name in CHAIN_FILES:
            shutil.rmtree(world / name)
        take_in(live, world)
        take_increments(live, TICKETING, console)
    for workspace in (filed, live):
        work_out(workspace, TICKETING, None, console)
    for name in (*TABLES, *VIEWS):
        assert rows(live, name) == rows(filed, name), name
    assert len(rows(live, "blocks")) == 7_200
    assert len(rows(live, "transactions")) > 100
