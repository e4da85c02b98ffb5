"""Reorganisations of a real chain: what the client sees of them, and that the lake follows."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ticketintel_pipelines.chain.contracts import ChainSettings
from ticketintel_pipelines.chain.extraction.fetch import fetch_ranges
from ticketintel_pipelines.chain.extraction.filter import LogFilter
from ticketintel_pipelines.chain.extraction.header_chain import BrokenChainError, fork_point
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.sources import CHAIN_TABLES
from ticketintel_pipelines_tests.chain_stage import extract, landed
from ticketintel_pipelines_tests.contracts.business import Business

DEPTHS = (1, 7, 70)
"""The last is beyond what the node itself calls final, 64 blocks below its head."""
CONFIRMATIONS = 3
BLOCKS = 80
ETHER = 10**18


@pytest.fixture
def long_business(business: Business) -> Business:
    """Eighty blocks, half of them with a sale, and gifts of tickets that were sold before."""
    wallets = business.wallets
    for number in range(BLOCKS // 2):
        buyer, taker = wallets[number % len(wallets)], wallets[(number + 1) % len(wallets)]
        business.mine(business.sell([number], buyer, ETHER))
        business.mine(business.gift(number, buyer, taker)) if number % 5 == 0 else business.node.mine()
    return business


def reorganise(business: Business, depth: int) -> int:
    """Another branch, with other sales in its first and its last block; its lowest block."""
    last = depth - 1
    other = [
        (business.sell([1_000], business.wallets[5], 2 * ETHER), 0),
        (business.gift(1_000, business.wallets[5], business.wallets[6]), last),
    ]
    business.node.reorganise(depth, other)
    return business.node.height() - depth + 1


def hash_of(client: ChainClient) -> Callable[[int], str | None]:
    def current(number: int) -> str | None:
        header = client.header_at(number)
        return None if header is None else header.hash

    return current


def true_logs(business: Business, last: int) -> list[dict[str, Any]]:
    """The rows of the lake that plain eth_getLogs gives."""
    span = {"fromBlock": "0x0", "toBlock": hex(last), "address": [business.ticket, business.market]}
    rows = []
    for log in business.node.rpc("eth_getLogs", span):
        topics = [*log["topics"], None, None, None, None][:4]
        rows.append(
            {
                "block_number": int(log["blockNumber"], 16),
                "block_hash": log["blockHash"],
                "block_timestamp": datetime.fromtimestamp(int(log["blockTimestamp"], 16), UTC),
                "transaction_hash": log["transactionHash"],
                "transaction_index": int(log["transactionIndex"], 16),
                "log_index": int(log["logIndex"], 16),
                "address": log["address"],
                **{f"topic{place}": topic for place, topic in enumerate(topics)},
                "data": log["data"],
            }
        )
    return rows


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_client_finds_the_fork_and_takes_the_new_branch(long_business: Business, depth: int) -> None:
    business = long_business
    wanted = LogFilter((business.ticket, business.market), CHAIN_TABLES.topics)
    with ChainClient([business.node.url]) as client:
        stored = {header.number: header.hash for header in client.headers(0, client.head().number)}
        fork = reorganise(business, depth)
        last = business.node.mine()
        with pytest.raises(BrokenChainError) as broken:
            list(fetch_ranges(client, wanted, last, last, parent_hash=stored[last - 1]))
        assert broken.value.number == last
        assert fork_point(stored.get, hash_of(client), 0, max(stored)) == fork
        pieces = list(fetch_ranges(client, wanted, fork, last, parent_hash=stored[fork - 1], sample_rate=1.0))
    rows = [row for piece in pieces for row in piece.logs.to_pylist()]
    assert rows == [row for row in true_logs(business, last) if row["block_number"] >= fork]
    assert {row["block_number"] for row in rows} == {fork, last - 1}


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_lake_follows_the_chain_through_a_reorganisation(workspace: Workspace, long_business: Business, depth: int) -> None:
    business = long_business
    settings = ChainSettings(31337, business.contracts, CONFIRMATIONS, 1.0)
    extract(workspace, settings, business.node.url)
    before = landed(workspace, "logs")
    assert before == true_logs(business, business.node.height() - CONFIRMATIONS)
    fork = reorganise(business, depth)
    business.node.mine(CONFIRMATIONS)
    report = extract(workspace, settings, business.node.url)
    last = business.node.height() - CONFIRMATIONS
    assert landed(workspace, "logs") == true_logs(business, last)
    blocks = landed(workspace, "blocks")
    assert [row["block_number"] for row in blocks] == list(range(business.first_block, last + 1))
    assert [row["block_hash"] for row in blocks] == [business.node.block_hash(row["block_number"]) for row in blocks]
    # What was not final yet was not landed, and nothing has to be taken back.
    assert report.orphaned_from == ([] if depth <= CONFIRMATIONS else [fork])
    assert report.gaps == []
