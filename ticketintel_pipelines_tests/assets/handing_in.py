"""What tests of successive deliveries share: raw files handed in as text, worked out at once, and looked at in Postgres."""

import io
from pathlib import Path

from ticketintel_pipelines.nights import stale_ranges, work_out
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import take_in

CONTRACT = "0x" + "cc" * 20
ZERO = "0x" + "00" * 20
SALES = "timestamp,block_number,tx_hash,contract_address,token_id,from_address,to_address,price_wei\n"


def address(name: str) -> str:
    return "0x" + name * 40


def sale(day: str, block: int, token: int, seller: str, buyer: str, transaction: str | None = None) -> str:
    hash_ = "0x" + (transaction or f"{block:064x}")
    return f"2026-{day}T12:00:00Z,{block},{hash_},{CONTRACT},{token},{seller},{buyer},1000\n"


def write(folder: Path, **tables: str) -> Path:
    """A folder of CSV files, one a table."""
    folder.mkdir()
    for table, text in tables.items():
        (folder / f"{table}.csv").write_text(text)
    return folder


def hand_in(workspace: Workspace, folder: Path, **tables: str) -> None:
    """Import some tables from CSV texts and work out every day that this makes stale."""
    take_in(workspace, write(folder, **tables))
    work_out(workspace, TICKETING, None, Console(stream=io.StringIO()))
    assert stale_ranges(workspace, TICKETING) == []


def rows(workspace: Workspace, query: str) -> list[tuple]:
    with workspace.catalog() as catalog:
        return catalog.connection.execute(query).fetchall()
