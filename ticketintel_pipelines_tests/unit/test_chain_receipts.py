"""Receipt roots: against real blocks and against the libraries `rlp` and `trie`."""

import copy
from typing import Any

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from ticketintel_pipelines.chain.extraction.receipts import logs_of, receipts_root
from ticketintel_pipelines.chain.extraction.trie import list_root, rlp_encode
from ticketintel_pipelines_tests.chain_double import DoubleChain
from ticketintel_pipelines_tests.unit.mainnet_blocks import mainnet_blocks

RLP_ITEMS = st.recursive(
    st.one_of(st.binary(max_size=80), st.integers(0, 2**80)), lambda items: st.lists(items, max_size=6), max_leaves=20
)


@pytest.fixture(scope="module")
def chain() -> DoubleChain:
    chain = DoubleChain(5)
    chain.mine(40)
    return chain


@pytest.mark.parametrize("name", ["blocks_17173049_17173050", "blocks_1755634_1755635"])
def test_roots_of_mainnet_blocks(name: str) -> None:
    """Legacy and EIP-1559 receipts of 2023, receipts with state roots of 2016, and a block without any."""
    for block in mainnet_blocks(name):
        assert receipts_root(block.receipts) == block.header.receipts_root


@given(RLP_ITEMS)
def test_rlp_is_that_of_the_library(item: Any) -> None:
    assert rlp_encode(item) == rlp.encode(item)


@given(st.binary(min_size=1, max_size=40), st.sampled_from([0, 1, 2, 15, 16, 17, 127, 128, 129, 255, 256, 300]))
def test_root_of_a_list_is_that_of_the_library(value: bytes, length: int) -> None:
    # Values of fewer than 32 bytes stand in their parents; the lengths are those at which the keys grow.
    values = [value + bytes([place % 7]) * (place % 5) for place in range(length)]
    tree = HexaryTrie(db={})
    for place, content in enumerate(values):
        tree[rlp.encode(place)] = content
    assert list_root(values) == tree.root_hash


def test_the_double_and_the_package_agree(chain: DoubleChain) -> None:
    assert {transaction.kind for block in chain.blocks for transaction in block.transactions} == {0, 1, 2, 3}
    for block in chain.blocks:
        assert receipts_root(block.receipts) == block.header["receiptsRoot"]
        assert logs_of(block.receipts) == block.logs


def test_any_change_shows_in_the_root(chain: DoubleChain) -> None:
    block = max(chain.blocks, key=lambda block: len(block.logs))
    without_log = copy.deepcopy(block.receipts)
    next(receipt for receipt in without_log if receipt["logs"])["logs"].pop()
    for other in (without_log, block.receipts[1:], block.receipts[::-1], [*block.receipts, block.receipts[0]]):
        assert receipts_root(other) != block.header["receiptsRoot"]


@pytest.mark.parametrize(
    ("root", "status"),
    [("0x" + "7a" * 32, None), ("0x" + "7a" * 32, "0x1"), (None, "0x1"), ("0x", "0x1"), ("", "0x1")],
)
def test_a_state_root_goes_before_a_status(chain: DoubleChain, root: str | None, status: str | None) -> None:
    receipt = {**chain.blocks[1].receipts[0], "type": None}
    plain = {name: value for name, value in receipt.items() if name != "status"}
    expected = {**plain, "root": root} if root and len(root) == 66 else {**plain, "status": status}
    assert receipts_root([{**plain, "root": root, "status": status}]) == receipts_root([expected])


@pytest.mark.parametrize(
    ("member", "value"),
    [("logs", None), ("logsBloom", "0xzz"), ("cumulativeGasUsed", None), ("status", None), ("type", "0x1ff"), ("logs", [{}])],
)
def test_a_receipt_that_cannot_be_read_is_told(chain: DoubleChain, member: str, value: object) -> None:
    with pytest.raises(ValueError):
        receipts_root([{**chain.blocks[1].receipts[0], member: value}])


def test_a_missing_member_is_named() -> None:
    with pytest.raises(ValueError, match="status"):
        receipts_root([{"cumulativeGasUsed": "0x1", "logsBloom": "0x", "logs": []}])
