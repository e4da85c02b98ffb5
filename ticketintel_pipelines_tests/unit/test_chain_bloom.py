"""Bloom filters: against those of real blocks, and never a block denied that holds a log."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.chain.events import TRANSFER
from ticketintel_pipelines.chain.extraction.bloom import blocks_that_may_hold, may_hold
from ticketintel_pipelines.chain.extraction.header_chain import Header
from ticketintel_pipelines_tests.chain_double.encoding import bloom_of
from ticketintel_pipelines_tests.unit.mainnet_blocks import mainnet_blocks

ADDRESSES = st.integers(0, 2**160 - 1).map(lambda value: f"0x{value:040x}")
TOPICS = st.integers(0, 2**256 - 1).map(lambda value: f"0x{value:064x}")
LOGS = st.lists(st.tuples(ADDRESSES, st.lists(TOPICS, max_size=4)), max_size=5)
EMPTY = Header(0, "0x", "0x", 0, bytes(256), "0x")
ABSENT_ADDRESS = "0x" + "5e" * 20


def header_with(number: int, items: list[str]) -> Header:
    return replace(EMPTY, number=number, logs_bloom=bloom_of(items).to_bytes(256))


@given(logs=LOGS, other=st.one_of(ADDRESSES, TOPICS))
def test_may_hold_is_whether_the_bits_of_the_item_are_set(logs: list[tuple[str, list[str]]], other: str) -> None:
    items = [item for address, topics in logs for item in (address, *topics)]
    bloom = bloom_of(items)
    assert all(may_hold(bloom.to_bytes(256), bytes.fromhex(item[2:])) for item in items)
    assert may_hold(bloom.to_bytes(256), bytes.fromhex(other[2:])) == (bloom | bloom_of([other]) == bloom)


@given(st.lists(LOGS, max_size=6), st.sets(ADDRESSES, max_size=3), st.sets(TOPICS, max_size=3), st.data())
def test_every_block_with_a_wanted_log_is_named(
    blocks: list[list[tuple[str, list[str]]]], addresses: set[str], topics: set[str], data: st.DataObject
) -> None:
    for logs in blocks:
        for address, own_topics in logs:
            # Some that are there, or hardly anything would ever match.
            addresses |= data.draw(st.sampled_from([{address}, set()]))
            topics |= data.draw(st.sampled_from([set(own_topics[:1]), set()]))
    headers = [
        header_with(100 + place, [item for address, own in logs for item in (address, *own)])
        for place, logs in enumerate(blocks)
    ]
    holding = {
        header.number
        for header, logs in zip(headers, blocks, strict=True)
        for address, own in logs
        if (not addresses or address in addresses) and (not topics or (own and own[0] in topics))
    }
    named = blocks_that_may_hold(headers, sorted(addresses), sorted(topics))
    assert holding <= set(named)
    assert named == sorted(named)


def test_address_and_topic_must_both_be_possible() -> None:
    address, topic = "0x" + "a1" * 20, "0x" + "b2" * 32
    headers = [header_with(1, [address]), header_with(2, [topic]), header_with(3, [address, topic]), header_with(4, [])]
    assert blocks_that_may_hold(headers, [address], [topic]) == [3]
    assert blocks_that_may_hold(headers, [address, ABSENT_ADDRESS], []) == [1, 3]
    assert blocks_that_may_hold(headers, [], [topic]) == [2, 3]
    assert blocks_that_may_hold(headers, [], []) == [1, 2, 3]
    assert blocks_that_may_hold([], [address], [topic]) == []


@pytest.mark.parametrize("name", ["blocks_17173049_17173050", "blocks_1755634_1755635"])
def test_the_filters_of_mainnet_blocks(name: str) -> None:
    for block in mainnet_blocks(name):
        logs = [log for receipt in block.receipts for log in receipt["logs"]]
        bloom = block.header.logs_bloom
        assert bloom_of(item for log in logs for item in (log["address"], *log["topics"])).to_bytes(256) == bloom
        assert all(may_hold(bloom, bytes.fromhex(log["address"][2:])) for log in logs)
        assert not may_hold(bloom, bytes.fromhex(ABSENT_ADDRESS[2:]))
        expected = [block.header.number] if logs else []
        assert blocks_that_may_hold([block.header], [], [TRANSFER.topic]) == expected
