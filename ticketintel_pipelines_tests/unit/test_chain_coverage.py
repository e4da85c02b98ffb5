"""Which blocks are still to be taken: each block of each contract once, whatever was taken before."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.chain.contracts import Contract
from ticketintel_pipelines.chain.extraction.coverage import Covered, merged, missing, repeated

LAST = 30
NAMES = ("a", "b", "c")
PARTS = st.lists(
    st.tuples(st.integers(0, LAST), st.integers(0, 12), st.frozensets(st.sampled_from(NAMES), min_size=1)).map(
        lambda drawn: Covered(drawn[0], min(LAST, drawn[0] + drawn[1]), drawn[2])
    ),
    max_size=8,
)
STARTS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, LAST + 5), min_size=1)


def cells(parts: list[Covered]) -> Counter[tuple[str, int]]:
    return Counter((name, block) for part in parts for name in part.addresses for block in range(part.first, part.last + 1))


@given(PARTS, STARTS)
def test_what_was_taken_and_what_is_missing_make_every_block_of_every_contract(
    covered: list[Covered], starts: dict[str, int]
) -> None:
    contracts = [Contract(name, name, start) for name, start in starts.items()]
    parts = missing(contracts, covered, LAST)
    wanted = {(name, block) for name, start in starts.items() for block in range(start, LAST + 1)}
    assert set(cells(parts)) == wanted - set(cells(covered))
    assert all(count == 1 for count in cells(parts).values())
    assert [part.first for part in parts] == sorted(part.first for part in parts)


@given(PARTS)
def test_merging_changes_no_block(covered: list[Covered]) -> None:
    assert set(cells(merged(covered))) == set(cells(covered))


@given(PARTS)
def test_what_was_taken_twice_is_told(covered: list[Covered]) -> None:
    twice = {cell for cell, count in cells(covered).items() if count > 1}
    assert set(cells(repeated(covered))) == twice


def test_contracts_that_lack_the_same_blocks_are_asked_for_together() -> None:
    contracts = [Contract("one", "a", 1), Contract("two", "b", 1), Contract("late", "c", 5)]
    assert missing(contracts, [Covered(1, 9, frozenset("ab"))], 12) == [
        Covered(5, 9, frozenset("c")),
        Covered(10, 12, frozenset("abc")),
    ]
