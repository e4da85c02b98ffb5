"""Headers as a chain: each names the hash of the one before it, which is how a reorganisation shows."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """What the pipeline reads of a block header. Hashes are lower-case `0x` text, `timestamp` is seconds since 1970."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    logs_bloom: bytes
    """256 bytes."""
    receipts_root: str


class BrokenChainError(Exception):
    """Block `number` does not follow the block before it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"block {number} does not follow the block before it")
        self.number = number


def check_links(headers: Sequence[Header], parent_hash: str | None) -> None:
    """Hold that the headers follow one another, the first of them the block with `parent_hash` (None: nothing is known).

    Raises:
        BrokenChainError: at the first header that does not.
    """
    expected = parent_hash
    for place, header in enumerate(headers):
        if header.number != headers[0].number + place or expected not in (None, header.parent_hash):
            raise BrokenChainError(header.number)
        expected = header.hash


def fork_point(stored: Callable[[int], str | None], current: Callable[[int], str | None], first: int, last: int) -> int:
    """The lowest height in first..last at which the stored hash is not the node's; last + 1 where all agree.

    A hash stands for all that came before it, so what two chains share is their beginning: the question is halved each
    time, and the depth of the reorganisation hardly counts.
    """
    heights = range(first, last + 1)
    return first + bisect_left(heights, True, key=lambda height: stored(height) != current(height))
