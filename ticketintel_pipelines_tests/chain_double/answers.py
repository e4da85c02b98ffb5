"""What an honest node answers: JSON-RPC methods over a fixed view of the chain, and the limits that providers set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ticketintel_pipelines_tests.chain_double.chain import Block, DoubleChain

INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
LIMIT_EXCEEDED = -32005


class RpcFailure(Exception):
    """An answer that is a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Limits:
    """What a provider allows: logs and blocks in one eth_getLogs, questions in one batch, and the methods it lacks.

    A single block may have more logs, unless `refuses_single_blocks`.
    """

    most_logs: int | None = None
    most_blocks: int | None = None
    largest_batch: int | None = None
    lacks: frozenset[str] = frozenset()
    refuses_single_blocks: bool = False


NO_LIMITS = Limits()


@dataclass(frozen=True)
class View:
    """The blocks as one node has them at one moment; `boast` is by how much it overstates its height."""

    chain: DoubleChain
    blocks: tuple[Block, ...]
    limits: Limits = NO_LIMITS
    boast: int = 0

    def answer(self, method: str, params: Sequence[Any]) -> Any:
        """The result of a question.

        Raises:
            RpcFailure: the answer is an error.
        """
        methods: Mapping[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(self.chain.chain_id),
            "eth_blockNumber": lambda: hex(self.blocks[-1].number + self.boast),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getLogs": self._logs,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getTransactionReceipt": self._receipt,
        }
        if method not in methods or method in self.limits.lacks:
            raise RpcFailure(METHOD_NOT_FOUND, f"the method {method} does not exist/is not available")
        return methods[method](*params)

    def _block_by_number(self, number: str, whole_transactions: bool) -> dict[str, Any] | None:
        block = self._at(number)
        return block.header if block else None

    def _block_by_hash(self, block_hash: str, whole_transactions: bool) -> dict[str, Any] | None:
        block = self.chain.known.get(block_hash)
        return block.header if block else None

    def _block_receipts(self, block: str) -> list[dict[str, Any]] | None:
        found = self.chain.known.get(block) if len(block) == 66 else self._at(block)
        return found.receipts if found else None

    def _receipt(self, transaction_hash: str) -> dict[str, Any] | None:
        for block in self.blocks:
            for receipt in block.receipts:
                if receipt["transactionHash"] == transaction_hash:
                    return receipt
        return None

    def _logs(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        if "blockHash" in wanted:
            block = self.chain.known.get(wanted["blockHash"])
            if block is None:
                raise RpcFailure(-32000, "unknown block")
            blocks: Sequence[Block] = (block,)
        else:
            first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
            if last < first:
                raise RpcFailure(INVALID_PARAMS, "invalid block range params")
            if self.limits.most_blocks and last - first + 1 > self.limits.most_blocks:
                raise RpcFailure(-32000, f"eth_getLogs is limited to a {self.limits.most_blocks} blocks range")
            # Beyond the head: nothing, without an error, as many nodes have it.
            blocks = self.blocks[first : last + 1]
        logs = [log for block in blocks for log in block.logs if _matches(log, wanted)]
        is_spared = len(blocks) == 1 and not self.limits.refuses_single_blocks
        if self.limits.most_logs and len(logs) > self.limits.most_logs and not is_spared:
            raise RpcFailure(LIMIT_EXCEEDED, f"query returned more than {self.limits.most_logs} results")
        return logs

    def _at(self, number: str) -> Block | None:
        if number == "latest":
            return self.blocks[-1]
        if number == "finalized":
            if self.chain.finality_depth is None:
                raise RpcFailure(INVALID_PARAMS, "invalid block tag: finalized")
            return self.blocks[max(0, len(self.blocks) - 1 - self.chain.finality_depth)]
        height = int(number, 16)
        return self.blocks[height] if height < len(self.blocks) else None


def _matches(log: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    addresses = wanted.get("address") or []
    if log["address"] not in ([addresses] if isinstance(addresses, str) else addresses or [log["address"]]):
        return False
    for place, topics in enumerate(wanted.get("topics") or []):
        if not topics:
            continue
        if place >= len(log["topics"]) or log["topics"][place] not in ([topics] if isinstance(topics, str) else topics):
            return False
    return True
