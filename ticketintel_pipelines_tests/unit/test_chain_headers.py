"""A chain of headers: what does not follow is found, and so is the height at which two chains part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.chain.extraction.header_chain import BrokenChainError, Header, check_links, fork_point
from ticketintel_pipelines_tests.chain_double import DoubleChain

EMPTY_BLOOM = bytes(256)


def headers_of(chain: DoubleChain, first: int = 0) -> list[Header]:
    return [
        Header(block.number, block.hash, block.parent_hash, block.timestamp, EMPTY_BLOOM, "0x")
        for block in chain.blocks[first:]
    ]


@pytest.fixture(scope="module")
def chain() -> DoubleChain:
    chain = DoubleChain(1)
    chain.mine(12)
    return chain


def test_consecutive_headers_hold_with_and_without_a_known_parent(chain: DoubleChain) -> None:
    check_links(headers_of(chain, 3), chain.blocks[2].hash)
    check_links(headers_of(chain, 3), None)
    check_links([], None)


def test_the_first_header_must_follow_the_stored_one(chain: DoubleChain) -> None:
    with pytest.raises(BrokenChainError) as raised:
        check_links(headers_of(chain, 3), chain.blocks[1].hash)
    assert raised.value.number == 3


def test_headers_of_two_branches_are_found_where_they_meet(chain: DoubleChain) -> None:
    branch = chain.copy(2)
    branch.reorganise(5)
    with pytest.raises(BrokenChainError) as raised:
        check_links([*headers_of(chain)[:10], *headers_of(branch)[10:]], None)
    assert raised.value.number == 10


@pytest.mark.parametrize("missing", [1, 6, 11])
def test_a_gap_is_no_chain(chain: DoubleChain, missing: int) -> None:
    headers = [header for header in headers_of(chain) if header.number != missing]
    with pytest.raises(BrokenChainError) as raised:
        check_links(headers, None)
    assert raised.value.number == missing + 1


@given(first=st.integers(0, 1_000), length=st.integers(0, 100_000), agreed=st.integers(0, 100_000))
def test_the_fork_is_found_at_any_depth_with_few_questions(first: int, length: int, agreed: int) -> None:
    asked = []

    def current(height: int) -> str:
        asked.append(height)
        return "same" if height < first + agreed else "other"

    assert fork_point(lambda height: "same", current, first, first + length - 1) == first + min(agreed, length)
    assert len(asked) <= length.bit_length()
    assert all(first <= height < first + length for height in asked)


def test_a_height_that_the_node_no_longer_has_is_beyond_the_fork() -> None:
    assert fork_point(lambda height: "hash", lambda height: "hash" if height <= 7 else None, 0, 20) == 8
