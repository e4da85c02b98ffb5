"""The double is a ground truth only if it is true itself: chains that hold together, and faults that are what they say."""

import json
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from itertools import pairwise
from typing import Any

import pytest

from ticketintel_pipelines.chain.events import TICKET_SOLD, TRANSFER
from ticketintel_pipelines_tests.chain_double import TICKET_CONTRACT, DoubleChain, Fault, Faults, Limits, Log, NodeDouble
from ticketintel_pipelines_tests.chain_double.chain import Block


@pytest.fixture
def chain() -> DoubleChain:
    chain = DoubleChain(3, finality_depth=5)
    chain.mine(30)
    return chain


def ask(node: NodeDouble, method: str, *params: Any) -> Any:
    return post(node, {"jsonrpc": "2.0", "id": 7, "method": method, "params": params})


def post(node: NodeDouble, content: Any) -> Any:
    request = urllib.request.Request(node.url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.loads(response.read())


def assert_holds_together(blocks: tuple[Block, ...]) -> None:
    assert [block.number for block in blocks] == list(range(len(blocks)))
    for parent, block in pairwise(blocks):
        assert block.parent_hash == parent.hash
        assert block.timestamp > parent.timestamp
    hashes = [transaction.hash for block in blocks for transaction in block.transactions]
    assert len(hashes) == len(set(hashes))


def test_the_same_seed_makes_the_same_chain(chain: DoubleChain) -> None:
    twin, other = DoubleChain(3), DoubleChain(4)
    twin.mine(30)
    other.mine(30)
    assert [block.hash for block in twin.blocks] == [block.hash for block in chain.blocks]
    assert not {block.hash for block in other.blocks[1:]} & {block.hash for block in chain.blocks}
    twin.reorganise(4)
    chain.reorganise(4)
    assert twin.head.hash == chain.head.hash


def test_a_reorganisation_replaces_the_end_and_takes_some_transactions_over(chain: DoubleChain) -> None:
    before = chain.blocks
    fork = chain.reorganise(7, kept=0.7)
    assert fork == len(before) - 7
    assert len(chain.blocks) == len(before) + 1
    assert chain.blocks[:fork] == before[:fork]
    assert not {block.hash for block in chain.blocks[fork:]} & {block.hash for block in before}
    assert_holds_together(chain.blocks)
    orphaned = {transaction.hash for block in before[fork:] for transaction in block.transactions}
    assert orphaned & {transaction.hash for block in chain.blocks[fork:] for transaction in block.transactions}


def test_tickets_are_moved_by_those_who_hold_them(chain: DoubleChain) -> None:
    for depth in (3, 9, 20):
        chain.reorganise(depth)
        chain.mine(5)
    holders: dict[str, str] = {}
    moves = chain.rows(0, chain.head.number, {TICKET_CONTRACT}, {TRANSFER.topic})
    assert len(moves) > 30
    for move in moves:
        assert holders.get(move["topic3"], "0x" + "00" * 32) == move["topic1"]
        holders[move["topic3"]] = move["topic2"]


def test_what_is_not_ours_lies_between(chain: DoubleChain) -> None:
    rows = chain.rows(0, chain.head.number)
    ours = chain.rows(0, chain.head.number, {TICKET_CONTRACT}, {TRANSFER.topic})
    assert 0 < len(ours) < len(rows)
    assert any(row["topic0"] == TRANSFER.topic and row["address"] != TICKET_CONTRACT for row in rows)
    assert any(row["address"] == TICKET_CONTRACT and row["topic0"] != TRANSFER.topic for row in rows)
    assert any(row["topic0"] == TICKET_SOLD.topic for row in rows)
    assert any(not block.logs for block in chain.blocks[1:])


def test_scripted_logs_are_mined_as_they_are(chain: DoubleChain) -> None:
    first, second = Log(TICKET_CONTRACT, (TRANSFER.topic,), "0x01"), Log("0x" + "ab" * 20, ())
    chain.mine_logs([[first, second], [], [first]])
    rows = chain.rows(31, 33)
    assert [(row["block_number"], row["transaction_index"], row["log_index"], row["data"]) for row in rows] == [
        (31, 0, 0, "0x01"),
        (31, 1, 1, "0x"),
        (33, 0, 0, "0x01"),
    ]


def test_an_honest_node_tells_the_chain(chain: DoubleChain) -> None:
    with NodeDouble(chain) as node:
        assert ask(node, "eth_blockNumber")["result"] == hex(30)
        assert ask(node, "eth_getBlockByNumber", "latest", False)["result"]["hash"] == chain.head.hash
        assert ask(node, "eth_getBlockByNumber", "finalized", False)["result"]["number"] == hex(25)
        assert ask(node, "eth_getBlockByNumber", "0x1f", False)["result"] is None
        question = {"fromBlock": "0x5", "toBlock": "0x63", "address": [TICKET_CONTRACT], "topics": [[TRANSFER.topic]]}
        logs = ask(node, "eth_getLogs", question)["result"]
        told = [(log["blockHash"], int(log["logIndex"], 16)) for log in logs]
        truth = chain.rows(5, 30, {TICKET_CONTRACT}, {TRANSFER.topic})
        assert told == [(row["block_hash"], row["log_index"]) for row in truth]
        assert ask(node, "eth_getLogs", {"fromBlock": "0x1f", "toBlock": "0x63"})["result"] == []
        orphan = chain.head
        chain.reorganise(1)
        assert ask(node, "eth_getBlockByHash", orphan.hash, False)["result"]["hash"] == orphan.hash
        assert ask(node, "eth_getBlockByNumber", orphan.header["number"], False)["result"]["hash"] != orphan.hash
        assert ask(node, "eth_foo")["error"]["code"] == -32601


def test_limits_are_told_as_providers_tell_them(chain: DoubleChain) -> None:
    with NodeDouble(chain, limits=Limits(most_logs=20, most_blocks=20, largest_batch=2), boast=4) as node:
        assert ask(node, "eth_blockNumber")["result"] == hex(34)
        assert "limited to a 20 blocks" in ask(node, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x14"})["error"]["message"]
        assert "more than 20 results" in ask(node, "eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x14"})["error"]["message"]
        question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
        assert len(post(node, [question] * 2)) == 2
        assert "batch too large" in post(node, [question] * 3)["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.NO_ANSWER, (OSError, HTTPException)),
        (Fault.BROKEN_BODY, (OSError, HTTPException)),
        (Fault.SERVER_ERROR, urllib.error.HTTPError),
        (Fault.RATE_LIMITED, urllib.error.HTTPError),
        (Fault.NOT_FOUND_PAGE, urllib.error.HTTPError),
    ],
)
def test_scripted_faults_of_transport_are_met_once(chain: DoubleChain, fault: Fault, raised: Any) -> None:
    with NodeDouble(chain) as node:
        node.faults.script(fault)
        with pytest.raises(raised):
            ask(node, "eth_blockNumber")
        assert ask(node, "eth_blockNumber")["result"] == hex(30)


def test_scripted_faults_wait_for_a_question_they_fit(chain: DoubleChain) -> None:
    whole = {"fromBlock": "0x0", "toBlock": "0x1e"}
    with NodeDouble(chain) as node:
        node.faults.script(Fault.NULL_BLOCK, Fault.EMPTY_LOGS, Fault.CUT_TAIL, Fault.CUT_BLOCKS, Fault.HALF_BATCH)
        assert ask(node, "eth_blockNumber")["result"] == hex(30)
        assert ask(node, "eth_getLogs", whole)["result"] == []
        everything = len(chain.rows(0, 30))
        assert len(ask(node, "eth_getLogs", whole)["result"]) == everything * 2 // 3
        assert 0 < len(ask(node, "eth_getLogs", whole)["result"]) < everything
        assert len(ask(node, "eth_getLogs", whole)["result"]) == everything
        assert ask(node, "eth_getBlockByNumber", "0x1", False)["result"] is None
        questions = [{"jsonrpc": "2.0", "id": n, "method": "eth_chainId", "params": []} for n in range(4)]
        assert [answer["id"] for answer in post(node, questions)] == [0, 1]


def test_chance_depends_on_the_question_and_ends() -> None:
    rates = {Fault.INTERNAL_ERROR: 0.3, Fault.CUT_TAIL: 0.4}

    def draws(seed: int) -> list[Fault | None]:
        faults = Faults(rates, seed=seed)
        return [faults.draw("eth_getLogs", f"question {number % 10}", False) for number in range(200)]

    assert draws(1) == draws(1) != draws(2)
    assert 80 < sum(fault is Fault.CUT_TAIL or fault is Fault.INTERNAL_ERROR for fault in draws(1)) < 190
    patient = Faults({Fault.INTERNAL_ERROR: 1.0}, most_per_question=2)
    assert [patient.draw("eth_chainId", "q", False) for _ in range(4)] == [Fault.INTERNAL_ERROR] * 2 + [None] * 2


def test_a_stale_answer_comes_from_the_other_branch(chain: DoubleChain) -> None:
    stale = chain.copy(9)
    stale.reorganise(6)
    with NodeDouble(chain, other=stale) as node:
        node.faults.script(Fault.STALE_BRANCH, Fault.LAGGING)
        assert ask(node, "eth_getBlockByNumber", "latest", False)["result"]["hash"] == stale.head.hash
        assert ask(node, "eth_getBlockByNumber", "latest", False)["result"]["number"] == hex(27)


def test_a_node_dies_and_comes_to_an_end_quickly(chain: DoubleChain) -> None:
    started = time.monotonic()
    with NodeDouble(chain, dies_after=2) as node:
        ask(node, "eth_chainId")
        ask(node, "eth_chainId")
        with pytest.raises((OSError, HTTPException)):
            ask(node, "eth_chainId")
    with pytest.raises(OSError):
        ask(node, "eth_chainId")
    assert time.monotonic() - started < 2
