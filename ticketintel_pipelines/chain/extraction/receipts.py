"""The receipts of a block and their root, which its header carries: receipts that give the root are all there are.

A receipt is encoded as EIP-2718 and EIP-658 say (before Byzantium with the state root in the place of the status), and the
root is that of the trie from each receipt's place in the block to its encoding.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ticketintel_pipelines.chain.extraction.trie import Item, list_root, rlp_encode

_LEGACY = 0
_ROOT_CHARACTERS = 66


def receipts_root(receipts: Sequence[Mapping[str, Any]]) -> str:
    """The root of a block's receipts, in their order, as JSON-RPC gives them; lower-case `0x` text.

    Raises:
        ValueError: a receipt lacks a member, or one cannot be read.
    """
    try:
        encoded = [_encoded(receipt) for receipt in receipts]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a receipt cannot be read: {type(error).__name__} {error}") from error
    return "0x" + list_root(encoded).hex()


def logs_of(receipts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All logs of a block in their order, as eth_getLogs gives them."""
    return [log for receipt in receipts for log in receipt["logs"]]


def _encoded(receipt: Mapping[str, Any]) -> bytes:
    # Some nodes give an empty root with a status, or a status that they worked out themselves with a root.
    root = receipt.get("root") or ""
    outcome = _bytes(root) if len(root) == _ROOT_CHARACTERS else _integer(receipt["status"])
    logs: list[Item] = [
        [_bytes(log["address"]), [_bytes(topic) for topic in log["topics"]], _bytes(log["data"])] for log in receipt["logs"]
    ]
    payload = rlp_encode([outcome, _integer(receipt["cumulativeGasUsed"]), _bytes(receipt["logsBloom"]), logs])
    kind = _integer(receipt.get("type") or "0x0")
    return payload if kind == _LEGACY else bytes([kind]) + payload


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _integer(text: str) -> int:
    return int(text, 16)
