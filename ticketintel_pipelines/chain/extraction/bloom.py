"""The bloom filter of a block header: which blocks cannot hold a log, and which may.

Each address and topic of a block's logs sets three of 2048 bits, taken from its Keccak-256 hash (Ethereum's yellow paper,
section 4.3.1). A filter has false hits, never false misses.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ticketintel_pipelines.chain.extraction.header_chain import Header
from ticketintel_pipelines.chain.keccak import keccak256

BLOOM_BITS = 2048
_BITS_OF_ITEM = 3


def may_hold(bloom: bytes, item: bytes) -> bool:
    """Whether a block with this filter may hold a log of this address or topic."""
    return bool(_unpacked([bloom])[0, list(_bits(item))].all())


def blocks_that_may_hold(headers: Sequence[Header], addresses: Sequence[str], topics: Sequence[str]) -> list[int]:
    """Numbers of the blocks that may hold a log of any of the addresses with any of the topics, both as `0x` text.

    No addresses, or no topics, means any; with neither, those blocks that have any log.
    """
    if not headers:
        return []
    bits = _unpacked([header.logs_bloom for header in headers])
    hits = np.asarray(bits.any(axis=1))
    for wanted in (addresses, topics):
        if wanted:
            places = np.array([_bits(bytes.fromhex(item.removeprefix("0x"))) for item in wanted])
            hits &= _holds_any(bits, places)
    return [header.number for header, hit in zip(headers, hits, strict=True) if hit]


def _holds_any(bits: np.ndarray, places: np.ndarray) -> np.ndarray:
    found = np.zeros(len(bits), dtype=bool)
    for three in places:
        found |= bits[:, three].all(axis=1)
    return found


def _unpacked(blooms: Sequence[bytes]) -> np.ndarray:
    """Filters as (n, 2048) booleans, the lowest bit first."""
    packed = np.frombuffer(b"".join(blooms), dtype=np.uint8).reshape(len(blooms), BLOOM_BITS // 8)
    return np.unpackbits(packed, axis=1)[:, ::-1].astype(bool)


@lru_cache(maxsize=100_000)
def _bits(item: bytes) -> tuple[int, ...]:
    digest = keccak256(item)
    pairs = (digest[2 * place : 2 * place + 2] for place in range(_BITS_OF_ITEM))
    return tuple(int.from_bytes(pair) % BLOOM_BITS for pair in pairs)
