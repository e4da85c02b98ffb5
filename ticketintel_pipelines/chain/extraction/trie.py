"""RLP and the Merkle-Patricia trie, as far as the root of a list needs them (yellow paper, appendices B, C and D).

The trie is built once from the whole list, from its leaves up; nothing is kept that would allow to change it.
"""

from collections.abc import Sequence
from typing import TypeAlias

from ticketintel_pipelines.chain.keccak import keccak256

Item: TypeAlias = "bytes | int | Sequence[Item]"
"""What RLP encodes: bytes, a number (big-endian without leading zeros) or a list of these."""

_Node: TypeAlias = list[bytes]
"""The members of a node, each encoded already: a path and a child or value, or sixteen children and a value."""

_HASH_BYTES = 32
_EMPTY = b"\x80"
_LONGEST_SHORT = 55
_TEXT, _LIST = 0x80, 0xC0
_LEAF_FLAG, _ODD_FLAG = 0x20, 0x10


def rlp_encode(item: Item) -> bytes:
    """The recursive-length-prefix encoding; raises ValueError for a negative number."""
    if isinstance(item, int):
        if item < 0:
            raise ValueError(f"{item} is negative; RLP has no such numbers")
        item = item.to_bytes((item.bit_length() + 7) // 8)
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _TEXT:
            return item
        return _head(_TEXT, len(item)) + item
    return _list_of([rlp_encode(member) for member in item])


def list_root(values: Sequence[bytes]) -> bytes:
    """The root of the trie that holds each value under the RLP encoding of its place."""
    if not values:
        return keccak256(_EMPTY)
    # In the order of the paths, the items below a node stand side by side.
    items = sorted((_nibbles(rlp_encode(place)), value) for place, value in enumerate(values))
    return keccak256(_list_of(_node(items, 0)))


def _node(items: Sequence[tuple[bytes, bytes]], depth: int) -> _Node:
    """The node of the items, which agree in the first `depth` nibbles of their paths."""
    first, last = items[0][0], items[-1][0]
    if len(items) == 1:
        return [rlp_encode(_packed(first[depth:], _LEAF_FLAG)), rlp_encode(items[0][1])]
    shared = depth
    while shared < len(first) and first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return [rlp_encode(_packed(first[depth:shared], 0)), _reference(_node(items, shared))]
    # No encoding of a number is the beginning of another's, so no value stands at a branch itself.
    node = [_EMPTY] * 17
    start = 0
    for end in range(1, len(items) + 1):
        nibble = items[start][0][depth]
        if end == len(items) or items[end][0][depth] != nibble:
            node[nibble] = _reference(_node(items[start:end], depth + 1))
            start = end
    return node


def _reference(node: _Node) -> bytes:
    """A node as its parent names it: by its hash, or as it is where that is shorter."""
    encoded = _list_of(node)
    return encoded if len(encoded) < _HASH_BYTES else rlp_encode(keccak256(encoded))


def _packed(nibbles: bytes, flag: int) -> bytes:
    """Part of a path as bytes; the flags in front say whether its length is odd and whether it ends at a leaf."""
    if len(nibbles) % 2:
        flag |= _ODD_FLAG | nibbles[0]
        nibbles = nibbles[1:]
    return bytes([flag, *(high << 4 | low for high, low in zip(nibbles[::2], nibbles[1::2], strict=True))])


def _nibbles(data: bytes) -> bytes:
    return bytes(nibble for byte in data for nibble in (byte >> 4, byte & 15))


def _list_of(encoded: Sequence[bytes]) -> bytes:
    payload = b"".join(encoded)
    return _head(_LIST, len(payload)) + payload


def _head(kind: int, length: int) -> bytes:
    if length <= _LONGEST_SHORT:
        return bytes([kind + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([kind + _LONGEST_SHORT + len(digits)]) + digits
