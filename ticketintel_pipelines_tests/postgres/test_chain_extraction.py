"""Taking blocks and logs from a node: complete, once, and following the chain when it is reorganised."""

from dataclasses import replace

import psycopg
import pytest

from ticketintel_pipelines.chain.contracts import Contract
from ticketintel_pipelines.errors import BadInputError, UnavailableError
from ticketintel_pipelines.stages.chain import IncrementSize
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.simulator.chain import MARKET_CONTRACT
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.chain_state import ChainState
from ticketintel_pipelines_tests.chain_double import TICKET_CONTRACT, DoubleChain, Fault, Faults, NodeDouble
from ticketintel_pipelines_tests.chain_stage import (
    CONTRACTS,
    assert_complete,
    extract,
    landed,
    settings_of,
    true_hashes,
    true_logs,
)


@pytest.fixture
def chain() -> DoubleChain:
    chain = DoubleChain(3, finality_depth=5)
    chain.mine(60)
    return chain


def stale_days(workspace: Workspace) -> list[str]:
    with psycopg.connect(workspace.server.dsn) as connection:
        rows = connection.execute("SELECT DISTINCT table_name FROM ops.stale_days ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def test_final_blocks_are_landed_once_and_the_next_increment_takes_what_is_new(
    workspace: Workspace, chain: DoubleChain
) -> None:
    settings = settings_of(chain)
    with NodeDouble(chain) as node:
        first = extract(workspace, settings, node.url)
        again = extract(workspace, settings, node.url)
        assert_complete(workspace, chain, 55)
        chain.mine(20)
        later = extract(workspace, settings, node.url)
    assert_complete(workspace, chain, 75)
    assert (first.reached, first.blocks, first.blocks_behind, first.gaps) == (55, 55, 0, [])
    assert (again.blocks, again.logs, again.increments) == (0, 0, 0)
    assert (later.reached, later.blocks) == (75, 20)
    assert first.increments > 1


def test_the_settings_may_count_confirmations_themselves(workspace: Workspace, chain: DoubleChain) -> None:
    with NodeDouble(chain) as node:
        assert extract(workspace, settings_of(chain, confirmations=12), node.url).reached == 48
    assert_complete(workspace, chain, 48)


@pytest.mark.parametrize("depth", [1, 7, 40])
def test_a_reorganisation_beyond_what_was_final_is_found_and_its_rows_replaced(
    workspace: Workspace, chain: DoubleChain, depth: int
) -> None:
    settings = settings_of(chain, confirmations=0)
    with NodeDouble(chain) as node:
        extract(workspace, settings, node.url)
        orphaned = {row["block_hash"] for row in landed(workspace, "blocks")[-depth:]}
        fork = chain.reorganise(depth)
        report = extract(workspace, settings, node.url)
    assert report.orphaned_from == [fork]
    assert report.gaps == []
    assert_complete(workspace, chain, chain.head.number)
    assert not orphaned & {row["block_hash"] for row in landed(workspace, "blocks")}
    assert {"blocks", "transfers", "transactions"} <= set(stale_days(workspace))


def test_blocks_that_are_not_final_are_not_landed_so_a_shallow_reorganisation_changes_nothing(
    workspace: Workspace, chain: DoubleChain
) -> None:
    with NodeDouble(chain) as node:
        extract(workspace, settings_of(chain), node.url)
        chain.reorganise(4)
        report = extract(workspace, settings_of(chain), node.url)
    assert report.orphaned_from == []
    assert_complete(workspace, chain, chain.finalized().number)


def test_what_was_landed_stays_until_its_replacement_is_whole(workspace: Workspace, chain: DoubleChain) -> None:
    settings = settings_of(chain, confirmations=0)
    with NodeDouble(chain) as node:
        extract(workspace, settings, node.url)
        before = landed(workspace, "logs")
        chain.reorganise(20)
        node.dies_after = node.exchanges + 12
        with pytest.raises(UnavailableError):
            extract(workspace, settings, node.url, patience_seconds=1.0)
        assert landed(workspace, "logs") == before
    with NodeDouble(chain) as node:
        extract(workspace, settings, node.url)
    assert_complete(workspace, chain, chain.head.number)


def test_a_shorter_branch_takes_the_rows_of_the_longer_one_away(workspace: Workspace, chain: DoubleChain) -> None:
    settings = settings_of(chain, confirmations=0)
    with NodeDouble(chain) as node:
        extract(workspace, settings, node.url)
        chain.reorganise(10, 4)
        extract(workspace, settings, node.url)
    assert_complete(workspace, chain, chain.head.number)


def test_a_contract_that_is_added_later_gets_its_own_past(workspace: Workspace, chain: DoubleChain) -> None:
    tickets, market = CONTRACTS
    with NodeDouble(chain) as node:
        extract(workspace, settings_of(chain, [replace(tickets, start_block=20)]), node.url)
        report = extract(
            workspace, settings_of(chain, [replace(tickets, start_block=20), replace(market, start_block=5)]), node.url
        )
    expected = true_logs(chain, 55, 5, [MARKET_CONTRACT]) + true_logs(chain, 55, 20, [TICKET_CONTRACT])
    assert landed(workspace, "logs") == sorted(expected, key=lambda row: (row["block_number"], row["log_index"]))
    assert [row["block_hash"] for row in landed(workspace, "blocks")] == true_hashes(chain, 55, 5)
    assert report.gaps == []


def test_a_gap_is_found_and_filled(workspace: Workspace, chain: DoubleChain) -> None:
    with NodeDouble(chain) as node:
        extract(workspace, settings_of(chain), node.url)
        with workspace.catalog() as catalog:
            state = ChainState(catalog.connection, TICKETING.name, chain.chain_id)
            middle = state.increments()[1]
            catalog.withdraw(TICKETING.name, middle.source_file, {})
        report = extract(workspace, settings_of(chain), node.url)
    assert report.blocks == middle.covered.last - middle.covered.first + 1
    assert report.gaps == []
    assert_complete(workspace, chain, 55)


def test_logs_that_the_node_kept_back_are_found_by_bloom_and_receipts(workspace: Workspace, chain: DoubleChain) -> None:
    with NodeDouble(chain, Faults({Fault.CUT_BLOCKS: 0.5})) as node:
        report = extract(workspace, settings_of(chain), node.url)
    assert report.logs_recovered > 0
    assert_complete(workspace, chain, 55)


def test_a_node_that_lost_its_way_does_not_take_rows_back(workspace: Workspace, chain: DoubleChain) -> None:
    """A node that has fallen behind is on the same branch: what it does not have yet is no reorganisation."""
    settings = settings_of(chain, confirmations=0)
    behind = chain.copy(9)
    chain.mine(15)
    with NodeDouble(chain) as node:
        extract(workspace, settings, node.url)
    with NodeDouble(behind) as node:
        report = extract(workspace, settings, node.url)
    assert report.orphaned_from == []
    assert_complete(workspace, chain, chain.head.number)


class StaleOnce(Faults):
    """A second node behind the address, on another branch, answers for the blocks until it is asked anew what is final."""

    def __init__(self) -> None:
        super().__init__()
        self.times_asked_what_is_final = 0

    def draw(self, method: str, question: str, is_batch: bool) -> Fault | None:
        asks_what_is_final = '"finalized"' in question
        self.times_asked_what_is_final += asks_what_is_final
        return Fault.STALE_BRANCH if self.times_asked_what_is_final == 1 and not asks_what_is_final else None


def test_a_final_block_of_one_branch_is_not_landed_with_the_blocks_of_another(workspace: Workspace, chain: DoubleChain) -> None:
    other = chain.copy(9)
    other.reorganise(20, 20)
    messages: list[str] = []
    with NodeDouble(chain, StaleOnce(), other=other) as node:
        extract(workspace, settings_of(chain), node.url, progress=messages.append)
    assert_complete(workspace, chain, 55)
    assert any("does not follow" in message for message in messages)


def test_another_chain_than_the_settings_say_is_refused(workspace: Workspace, chain: DoubleChain) -> None:
    with NodeDouble(chain) as node:
        with pytest.raises(BadInputError, match="serve chain 31337, the settings file of the chain says 1"):
            extract(workspace, replace(settings_of(chain), chain_id=1), node.url)
        extract(workspace, settings_of(chain), node.url)
    other = DoubleChain(1, chain_id=7)
    other.mine(50)
    with NodeDouble(other) as node, pytest.raises(BadInputError, match="one home holds one chain"):
        extract(workspace, settings_of(other), node.url)


def test_an_increment_holds_no_more_blocks_than_it_may(workspace: Workspace, chain: DoubleChain) -> None:
    with NodeDouble(chain) as node:
        report = extract(workspace, settings_of(chain), node.url, size=IncrementSize(blocks=10, logs=10_000))
    assert report.increments >= 4


def test_a_contract_without_blocks_yet_waits(workspace: Workspace, chain: DoubleChain) -> None:
    with NodeDouble(chain) as node:
        report = extract(workspace, settings_of(chain, [Contract("tickets", TICKET_CONTRACT, 1_000)]), node.url)
    assert (report.blocks, report.gaps) == (0, [])
