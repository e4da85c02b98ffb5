"""What tests of the chain's extraction share: taking increments from a node, and what then lies in the lake."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import pyarrow.parquet as pq

from ticketintel_pipelines.chain.contracts import ChainSettings, Contract
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines.chain.rpc.session import Backoff
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.chain import ChainReport, IncrementSize, extract_chain
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.simulator.chain import MARKET_CONTRACT
from ticketintel_pipelines.ticketing.sources import CHAIN_TABLES
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import BLOCKS, LOGS
from ticketintel_pipelines_tests.chain_double import TICKET_CONTRACT, DoubleChain

CONTRACTS = (Contract("tickets", TICKET_CONTRACT, 1), Contract("market", MARKET_CONTRACT, 1))
ADDRESSES = tuple(contract.address for contract in CONTRACTS)
EVER = DayRange(date(2017, 1, 1), date(2100, 1, 1))
SMALL = IncrementSize(blocks=15, logs=60)


def settings_of(
    chain: DoubleChain,
    contracts: Iterable[Contract] = CONTRACTS,
    *,
    confirmations: int | None = None,
    checked_share: float = 0.0,
) -> ChainSettings:
    return ChainSettings(chain.chain_id, tuple(contracts), confirmations, checked_share)


def extract(
    workspace: Workspace,
    settings: ChainSettings,
    *urls: str,
    size: IncrementSize = SMALL,
    progress: Callable[[str], None] = lambda message: None,
    timeout_seconds: float = 2.0,
    patience_seconds: float = 20.0,
) -> ChainReport:
    """One increment; waits between attempts are short."""
    with ChainClient(
        urls,
        timeout_seconds=timeout_seconds,
        patience_seconds=patience_seconds,
        backoff=Backoff(first_seconds=0.001, longest_seconds=0.01),
        sleep=lambda seconds: None,
    ) as client:
        return extract_chain(workspace, TICKETING, CHAIN_TABLES, settings, client, progress, size)


def landed(workspace: Workspace, table: str) -> list[dict[str, Any]]:
    """The rows of a raw table that the catalogue knows of, in the order of the chain, without where they came from."""
    declared = {BLOCKS.name: BLOCKS, LOGS.name: LOGS}[table]
    with workspace.catalog() as catalog:
        paths = [path for day in catalog.raw_days(TICKETING.name, table, EVER) for path in day.paths]
    rows = [row for path in paths for row in pq.read_table(path, columns=list(declared.column_names)).to_pylist()]
    return sorted(rows, key=lambda row: (row["block_number"], row.get("log_index", 0)))


def true_logs(chain: DoubleChain, last: int, first: int = 1, addresses: Iterable[str] = ADDRESSES) -> list[dict[str, Any]]:
    return chain.rows(first, last, tuple(addresses), CHAIN_TABLES.topics)


def true_hashes(chain: DoubleChain, last: int, first: int = 1) -> list[str]:
    return [block.hash for block in chain.blocks[first : last + 1]]


def assert_complete(workspace: Workspace, chain: DoubleChain, last: int) -> None:
    """Every block from the first to `last` is landed once, with all its logs and no others."""
    assert [row["block_hash"] for row in landed(workspace, "blocks")] == true_hashes(chain, last)
    assert landed(workspace, "logs") == true_logs(chain, last)
