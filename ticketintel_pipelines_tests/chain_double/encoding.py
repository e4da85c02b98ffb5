"""Blooms and receipt roots by other means than the package's: `rlp`, `trie` and a bloom filter as one integer."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import rlp
from eth_hash.auto import keccak
from trie import HexaryTrie

BLOOM_BYTES = 256
EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


def bloom_of(items: Iterable[str]) -> int:
    """The bloom filter of addresses and topics (`0x` text)."""
    bloom = 0
    for item in items:
        bloom |= _bloom_of_item(item)
    return bloom


@lru_cache(maxsize=10_000)
def _bloom_of_item(item: str) -> int:
    digest = keccak(bytes.fromhex(item[2:]))
    return sum({1 << (int.from_bytes(digest[start : start + 2]) & 2047) for start in (0, 2, 4)})


def bloom_text(bloom: int) -> str:
    return "0x" + bloom.to_bytes(BLOOM_BYTES).hex()


def root_of(receipts: Sequence[dict[str, Any]]) -> str:
    """The root of receipts of the time since Byzantium, as JSON-RPC gives them."""
    if not receipts:
        return EMPTY_ROOT
    tree = HexaryTrie(db={})
    for place, receipt in enumerate(receipts):
        logs = [(_raw(log["address"]), [_raw(topic) for topic in log["topics"]], _raw(log["data"])) for log in receipt["logs"]]
        members = (int(receipt["status"], 16), int(receipt["cumulativeGasUsed"], 16), _raw(receipt["logsBloom"]), logs)
        kind = int(receipt["type"], 16)
        tree[rlp.encode(place)] = (bytes([kind]) if kind else b"") + rlp.encode(members)
    return "0x" + bytes(tree.root_hash).hex()


def _raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])
