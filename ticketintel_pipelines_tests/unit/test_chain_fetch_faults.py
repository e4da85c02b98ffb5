"""Fetching from a node that misbehaves: the logs are exactly those of the chain, or the error says what is wrong."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from ticketintel_pipelines.chain.events import TICKET_SOLD, TRANSFER
from ticketintel_pipelines.chain.extraction.fetch import BlockRange, fetch_ranges
from ticketintel_pipelines.chain.extraction.filter import LogFilter
from ticketintel_pipelines.chain.extraction.header_chain import BrokenChainError
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines.chain.rpc.errors import PermanentRpcError
from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines.ticketing.simulator.chain import MARKET_CONTRACT
from ticketintel_pipelines_tests.chain_double import TICKET_CONTRACT, DoubleChain, Fault, Faults, Limits, Log, NodeDouble
from ticketintel_pipelines_tests.chain_double.faults import PASSING
from ticketintel_pipelines_tests.chain_double.server import RETRY_AFTER_SECONDS

BLOCKS = 60
ADDRESSES = (MARKET_CONTRACT, TICKET_CONTRACT)
TOPICS = (TRANSFER.topic, TICKET_SOLD.topic)
WANTED = LogFilter(ADDRESSES, TOPICS)
FOUND_BY_SAMPLES_ONLY = (Fault.CUT_LOGS, Fault.CUT_TAIL)
"""A block that still gives some of its logs looks whole; only its receipts tell."""
BEGUN_ANEW = (
    *(Fault.LATE, Fault.NULL_BLOCK, Fault.LAGGING, Fault.STALE_BRANCH, Fault.DOUBLED_LOGS),
    *(Fault.CUT_RECEIPTS, Fault.ODD_RECEIPTS, Fault.NO_RECEIPTS),
)
"""Each of these costs a turn of the whole piece, of which there are few."""


@pytest.fixture
def chain() -> DoubleChain:
    chain = DoubleChain(7)
    chain.mine(BLOCKS)
    return chain


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the client would have slept."""
    return []


@pytest.fixture
def connect(waits: list[float]) -> Iterator[Callable[..., ChainClient]]:
    with ExitStack() as stack:

        def client(*nodes: NodeDouble, timeout_seconds: float = 5.0) -> ChainClient:
            urls = [stack.enter_context(node).url for node in nodes]
            return stack.enter_context(ChainClient(urls, timeout_seconds=timeout_seconds, sleep=waits.append))

        yield client


def fetched(client: ChainClient, chain: DoubleChain, **settings: Any) -> list[BlockRange]:
    parent_hash = chain.blocks[0].hash
    settings = {"largest_logs": 40, **settings}
    return list(fetch_ranges(client, WANTED, 1, chain.head.number, parent_hash=parent_hash, **settings))


def assert_true(pieces: Sequence[BlockRange], chain: DoubleChain, last: int | None = None) -> None:
    """The pieces are the chain's blocks 1..last, each once, with their headers and all their wanted logs."""
    last = chain.head.number if last is None else last
    assert [header.hash for piece in pieces for header in piece.headers] == [block.hash for block in chain.blocks[1 : last + 1]]
    assert [(piece.first, piece.last) for piece in pieces] == [
        (piece.headers[0].number, piece.headers[-1].number) for piece in pieces
    ]
    assert [row for piece in pieces for row in piece.logs.to_pylist()] == chain.rows(1, last, ADDRESSES, TOPICS)


def test_an_honest_node_is_asked_no_more_than_needed(chain: DoubleChain, connect: Callable[..., ChainClient]) -> None:
    node = NodeDouble(chain)
    pieces = fetched(connect(node), chain, sample_rate=0.0)
    assert_true(pieces, chain)
    assert node.asked["eth_getBlockByNumber"] == BLOCKS
    # Some blocks hold another event of ours and our event of another: the filter says yes, and they are asked again.
    deceptive = sum(piece.by_receipts for piece in pieces)
    assert 0 < node.asked["eth_getBlockReceipts"] == deceptive < BLOCKS / 3
    assert node.asked["eth_getLogs"] == len(pieces) + deceptive
    assert sum(piece.recovered for piece in pieces) == 0


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_passing_faults_leave_no_trace(
    chain: DoubleChain, connect: Callable[..., ChainClient], fault: Fault, seed: int
) -> None:
    stale = chain.copy(seed)
    stale.reorganise(25)
    faults = Faults({fault: 0.05 if fault in BEGUN_ANEW else 0.4}, seed=seed, most_per_question=2)
    faults.script(fault)
    node = NodeDouble(chain, faults, other=stale, late_seconds=0.15)
    sample_rate = 1.0 if fault in FOUND_BY_SAMPLES_ONLY else 0.1
    assert_true(fetched(connect(node, timeout_seconds=0.1), chain, sample_rate=sample_rate), chain)
    assert faults.met[fault] > 0


@pytest.mark.parametrize("fault", [Fault.EMPTY_LOGS, Fault.CUT_BLOCKS, *FOUND_BY_SAMPLES_ONLY], ids=lambda fault: fault.name)
def test_a_node_that_always_cuts_is_found_out(chain: DoubleChain, connect: Callable[..., ChainClient], fault: Fault) -> None:
    node = NodeDouble(chain, Faults({fault: 1.0}))
    pieces = fetched(connect(node), chain, sample_rate=1.0 if fault in FOUND_BY_SAMPLES_ONLY else 0.0)
    assert_true(pieces, chain)
    assert sum(piece.recovered for piece in pieces) > 0


@pytest.mark.parametrize("seed", range(12))
def test_everything_at_once_ends_in_the_truth_or_in_a_sentence(
    chain: DoubleChain, connect: Callable[..., ChainClient], seed: int
) -> None:
    stale = chain.copy(seed)
    stale.reorganise(30)
    rates = dict.fromkeys(PASSING, 0.02)
    nodes = [NodeDouble(chain, Faults(rates, seed=2 * seed + n), other=stale, late_seconds=0.15) for n in range(2)]
    try:
        pieces = fetched(connect(*nodes, timeout_seconds=0.1), chain, sample_rate=1.0)
    except UnavailableError as error:
        assert "no endpoint of the chain gave what was asked" in str(error)
    else:
        assert_true(pieces, chain)
    assert sum(sum(node.faults.met.values()) for node in nodes) > 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.NOT_FOUND_PAGE, "nothing at this address"),
        (Fault.NOT_JSON, "not JSON-RPC"),
        (Fault.WRONG_QUESTION, "contract addresses"),
    ],
)
def test_permanent_errors_are_told_at_once(
    chain: DoubleChain, connect: Callable[..., ChainClient], waits: list[float], fault: Fault, says: str
) -> None:
    node = NodeDouble(chain, Faults({fault: 1.0}))
    with pytest.raises(PermanentRpcError, match=says):
        fetched(connect(node), chain)
    assert waits == []


def test_a_node_that_refuses_is_passed_over_where_another_one_answers(
    chain: DoubleChain, connect: Callable[..., ChainClient]
) -> None:
    """A key that has expired is one endpoint's own."""
    refusing = NodeDouble(chain, Faults({Fault.NOT_FOUND_PAGE: 1.0}))
    assert_true(fetched(connect(refusing, NodeDouble(chain)), chain), chain)


def test_a_node_without_logs_is_a_permanent_error(chain: DoubleChain, connect: Callable[..., ChainClient]) -> None:
    with pytest.raises(PermanentRpcError, match="does not offer the method eth_getLogs"):
        fetched(connect(NodeDouble(chain, limits=Limits(lacks=frozenset({"eth_getLogs"})))), chain)


@pytest.mark.parametrize("lacking", ["eth_getBlockReceipts", "eth_getTransactionReceipt"])
def test_receipts_are_had_one_way_or_the_other(chain: DoubleChain, connect: Callable[..., ChainClient], lacking: str) -> None:
    node = NodeDouble(chain, Faults({Fault.CUT_BLOCKS: 1.0}), limits=Limits(lacks=frozenset({lacking})))
    assert_true(fetched(connect(node), chain), chain)


@pytest.mark.parametrize(
    "limits",
    [Limits(most_logs=15), Limits(most_blocks=3), Limits(largest_batch=1), Limits(largest_batch=4), Limits(10, 4, 3)],
    ids=["logs", "blocks", "no batches", "batches", "all"],
)
def test_limits_are_learnt(chain: DoubleChain, connect: Callable[..., ChainClient], limits: Limits) -> None:
    node = NodeDouble(chain, limits=limits)
    client = connect(node)
    assert_true(fetched(client, chain), chain)
    met = node.exchanges
    assert_true(fetched(client, chain), chain)
    # Limits that were met once are not run into over and over.
    assert node.exchanges - met < 1.5 * met


def test_a_block_with_more_logs_than_one_answer_may_have(chain: DoubleChain, connect: Callable[..., ChainClient]) -> None:
    log = Log(TICKET_CONTRACT, (TRANSFER.topic, *["0x" + "00" * 32] * 3))
    chain.mine_logs([[log] * 50, [log], [log] * 50])
    node = NodeDouble(chain, limits=Limits(most_logs=20, refuses_single_blocks=True))
    assert_true(fetched(connect(node), chain), chain)


def test_a_rate_limit_is_waited_for(chain: DoubleChain, connect: Callable[..., ChainClient], waits: list[float]) -> None:
    node = NodeDouble(chain)
    node.faults.script(Fault.RATE_LIMITED)
    assert_true(fetched(connect(node), chain), chain)
    assert len(waits) == 1
    assert waits[0] >= RETRY_AFTER_SECONDS


def test_a_node_that_dies_leaves_what_was_whole(connect: Callable[..., ChainClient]) -> None:
    # So long that the first pieces are whole before the requests run out, in whatever order these are answered.
    long = DoubleChain(7)
    long.mine(6 * BLOCKS)
    client = connect(NodeDouble(long, dies_after=40))
    pieces: list[BlockRange] = []
    with pytest.raises(UnavailableError, match="TICKETINTEL_CHAIN_RPC_URL"):
        pieces.extend(fetch_ranges(client, WANTED, 1, 6 * BLOCKS, parent_hash=long.blocks[0].hash, largest_logs=10))
    assert pieces
    assert_true(pieces, long, pieces[-1].last)


def test_another_node_takes_over(chain: DoubleChain, connect: Callable[..., ChainClient]) -> None:
    first, second = NodeDouble(chain, dies_after=12), NodeDouble(chain)
    assert_true(fetched(connect(first, second), chain, largest_logs=10), chain)
    assert second.asked["eth_getLogs"] > 0


def test_a_node_that_is_far_behind_is_left_for_one_that_is_not(chain: DoubleChain, connect: Callable[..., ChainClient]) -> None:
    behind = DoubleChain(7)
    behind.mine(BLOCKS // 2)
    client = connect(NodeDouble(behind, boast=BLOCKS), NodeDouble(chain))
    assert_true(fetched(client, chain), chain)
    assert client.header_at(BLOCKS) is not None


def test_a_node_that_boasts_is_not_believed(chain: DoubleChain, connect: Callable[..., ChainClient]) -> None:
    client = connect(NodeDouble(chain, boast=100))
    assert client.head().number == BLOCKS
    assert client.finalized().number == BLOCKS - 32
    assert client.finalized(3).number == BLOCKS - 3
    assert client.finalized(BLOCKS + 1).number == 0
    assert client.header_at(BLOCKS + 1) is None
    with pytest.raises(UnavailableError, match=f"block {BLOCKS + 1}"):
        list(fetch_ranges(client, WANTED, BLOCKS - 5, BLOCKS + 5, parent_hash=None))


def test_a_chain_without_finality_asks_for_confirmations(connect: Callable[..., ChainClient]) -> None:
    client = connect(NodeDouble(DoubleChain(finality_depth=None)))
    with pytest.raises(PermanentRpcError, match="number of confirmations"):
        client.finalized()


def test_receipts_of_another_branch_with_the_same_transactions_are_not_taken(
    chain: DoubleChain, connect: Callable[..., ChainClient]
) -> None:
    log = Log(TICKET_CONTRACT, (TRANSFER.topic, *["0x" + "00" * 32] * 3))
    chain.mine_logs([[log]])
    stale = chain.copy(1)
    stale.reorganise(1, 1, kept=1.0, logs_per_block=0)
    assert stale.head.hash != chain.head.hash
    assert stale.head.header["receiptsRoot"] == chain.head.header["receiptsRoot"]
    node = NodeDouble(chain, other=stale)
    node.faults.script(Fault.EMPTY_LOGS, Fault.EMPTY_LOGS)
    node.faults.script(Fault.STALE_BRANCH, Fault.STALE_BRANCH, method="eth_getBlockReceipts")
    client = connect(node)
    (piece,) = fetch_ranges(client, WANTED, BLOCKS + 1, BLOCKS + 1, parent_hash=chain.blocks[BLOCKS].hash)
    assert node.faults.met[Fault.STALE_BRANCH] > 0
    assert piece.logs.to_pylist() == chain.rows(BLOCKS + 1, BLOCKS + 1)


@pytest.mark.parametrize("depth", [1, 7, BLOCKS - 1])
def test_a_reorganisation_on_the_way_is_found(chain: DoubleChain, connect: Callable[..., ChainClient], depth: int) -> None:
    client = connect(NodeDouble(chain))
    old = chain.copy(0)
    pieces: list[BlockRange] = []
    try:
        for piece in fetch_ranges(client, WANTED, 1, BLOCKS, parent_hash=chain.blocks[0].hash, largest_logs=10):
            if not pieces:
                chain.reorganise(depth)
            pieces.append(piece)
    except BrokenChainError as error:
        assert error.number == pieces[-1].last + 1
        assert_true(pieces, old, pieces[-1].last)
    else:
        # The new branch begins behind what was fetched before it came, or came when all had been fetched.
        is_old = pieces[-1].headers[-1].hash == old.blocks[BLOCKS].hash
        assert_true(pieces, old if is_old else chain, BLOCKS)


def test_a_stored_parent_that_the_node_does_not_know_is_a_reorganisation(
    chain: DoubleChain, connect: Callable[..., ChainClient]
) -> None:
    old = chain.copy(0)
    chain.reorganise(20)
    client = connect(NodeDouble(chain))
    with pytest.raises(BrokenChainError) as raised:
        list(fetch_ranges(client, WANTED, 51, 60, parent_hash=old.blocks[50].hash))
    assert raised.value.number == 51


def test_nothing_is_asked_once_nobody_wants_more(chain: DoubleChain, connect: Callable[..., ChainClient]) -> None:
    chain.mine(3 * BLOCKS)
    node = NodeDouble(chain)
    ranges = fetch_ranges(connect(node), WANTED, 1, 4 * BLOCKS, parent_hash=None, largest_logs=5)
    next(ranges)
    ranges.close()  # type: ignore[attr-defined]
    asked = Counter(node.asked)
    assert asked["eth_getBlockByNumber"] < 3 * BLOCKS
    assert node.asked == asked
