"""The chain: blocks of transactions with logs, mined and reorganised by the test, and the rows that are true of it."""

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from eth_hash.auto import keccak

from ticketintel_pipelines_tests.chain_double.encoding import bloom_of, bloom_text, root_of
from ticketintel_pipelines_tests.chain_double.trade import Log, Trade

BLOCK_SECONDS = 12
GAS = 21_000
NO_HASH = "0x" + "00" * 32


@dataclass(frozen=True)
class Transaction:
    """`kind` is its EIP-2718 type. Its hash stays the same when another block takes it in after a reorganisation."""

    hash: str
    logs: tuple[Log, ...]
    kind: int = 2
    succeeded: bool = True


@dataclass(frozen=True)
class Block:
    """`branch` makes blocks of equal content differ in hash after a reorganisation."""

    number: int
    parent_hash: str
    timestamp: int
    transactions: tuple[Transaction, ...]
    branch: str

    @cached_property
    def hash(self) -> str:
        content = (self.number, self.parent_hash, self.timestamp, self.branch, [(t.hash, t.logs) for t in self.transactions])
        return _hash(repr(content))

    @cached_property
    def receipts(self) -> list[dict[str, Any]]:
        """As eth_getBlockReceipts gives them."""
        receipts, first_log = [], 0
        for place, transaction in enumerate(self.transactions):
            where = {
                "blockNumber": hex(self.number),
                "transactionHash": transaction.hash,
                "transactionIndex": hex(place),
                "blockHash": self.hash,
            }
            logs = [
                {
                    "address": log.address,
                    "topics": list(log.topics),
                    "data": log.data,
                    **where,
                    "blockTimestamp": hex(self.timestamp),
                    "logIndex": hex(index),
                    "removed": False,
                }
                for index, log in enumerate(transaction.logs, first_log)
            ]
            first_log += len(logs)
            receipts.append(
                {
                    **where,
                    "type": hex(transaction.kind),
                    "status": hex(transaction.succeeded),
                    "cumulativeGasUsed": hex((place + 1) * GAS),
                    "gasUsed": hex(GAS),
                    "logs": logs,
                    "logsBloom": bloom_text(_bloom(transaction.logs)),
                }
            )
        return receipts

    @cached_property
    def logs(self) -> list[dict[str, Any]]:
        """As eth_getLogs gives them."""
        return [log for receipt in self.receipts for log in receipt["logs"]]

    @cached_property
    def header(self) -> dict[str, Any]:
        """As eth_getBlockByNumber gives it, with the hashes of the transactions only."""
        return {
            "number": hex(self.number),
            "hash": self.hash,
            "parentHash": self.parent_hash,
            "timestamp": hex(self.timestamp),
            "logsBloom": bloom_text(_bloom(log for transaction in self.transactions for log in transaction.logs)),
            "receiptsRoot": root_of(self.receipts),
            "gasUsed": hex(GAS * len(self.transactions)),
            "transactions": [transaction.hash for transaction in self.transactions],
        }

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """All its logs as rows of the raw table `logs`."""
        when = datetime.fromtimestamp(self.timestamp, UTC)
        rows: list[dict[str, Any]] = []
        for place, transaction in enumerate(self.transactions):
            for log in transaction.logs:
                topics = dict(zip(("topic0", "topic1", "topic2", "topic3"), (*log.topics, *[None] * 4), strict=False))
                rows.append(
                    {
                        "block_number": self.number,
                        "block_hash": self.hash,
                        "block_timestamp": when,
                        "transaction_hash": transaction.hash,
                        "transaction_index": place,
                        "log_index": len(rows),
                        "address": log.address,
                        **topics,
                        "data": log.data,
                    }
                )
        return rows


class DoubleChain:
    """A chain that begins with an empty block 0; the same calls with the same seed make the same chain.

    `blocks` is replaced as a whole, so a node that reads it meanwhile sees the chain before or after, never between.
    `finality_depth` is how many blocks the newest final one lies below the head; None for a chain without finality.
    """

    def __init__(
        self, seed: int = 0, *, chain_id: int = 31_337, finality_depth: int | None = 32, start: int = 1_767_225_600
    ) -> None:
        self.chain_id = chain_id
        self.finality_depth = finality_depth
        self._seed = seed
        self._random = random.Random(seed)
        self._trade = Trade(self._random)
        self._serial = 0
        self._reorganisations = 0
        genesis = Block(0, NO_HASH, start, (), "")
        self.blocks: tuple[Block, ...] = (genesis,)
        self.known = {genesis.hash: genesis}
        """All blocks that there ever were, by hash; a node tells of orphaned ones too when asked by hash."""

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    def finalized(self) -> Block:
        """The newest final block."""
        if self.finality_depth is None:
            raise ValueError("this chain has no finality")
        return self.blocks[max(0, len(self.blocks) - 1 - self.finality_depth)]

    def mine(self, blocks: int = 1, logs_per_block: int = 4) -> None:
        """Add blocks with up to twice `logs_per_block` logs, ours and others', or a few more; some have none."""
        self.blocks = self._extended(self.blocks, [self._transactions(logs_per_block) for _ in range(blocks)])

    def mine_logs(self, blocks: Iterable[Sequence[Log]]) -> None:
        """Add blocks with these logs, each log of a transaction of its own."""
        self.blocks = self._extended(self.blocks, [[self._transaction((log,)) for log in logs] for logs in blocks])
        self._trade.replay(self._logs(self.blocks))

    def reorganise(self, depth: int, length: int | None = None, *, kept: float = 0.5, logs_per_block: int = 4) -> int:
        """Replace the last `depth` blocks by `length` others (one more than `depth`); returns the lowest new height.

        About the share `kept` of the orphaned transactions comes again in the new blocks, under the same hash.
        """
        if not 0 < depth < len(self.blocks):
            raise ValueError(f"of {len(self.blocks)} blocks the last {depth} cannot be replaced")
        trunk, orphans = self.blocks[:-depth], self.blocks[-depth:]
        self._reorganisations += 1
        self._trade.replay(self._logs(trunk))
        length = depth + 1 if length is None else length
        returning: list[list[Transaction]] = [[] for _ in range(length)]
        place = 0
        for transaction in (transaction for orphan in orphans for transaction in orphan.transactions):
            if length and self._random.random() < kept:
                returning[place].append(transaction)
                place = min(length - 1, place + self._random.randrange(2))
        contents = []
        for transactions in returning:
            again = [transaction for transaction in transactions if self._trade.accepts(transaction.logs)]
            contents.append([*again, *self._transactions(logs_per_block)])
        self.blocks = self._extended(trunk, contents)
        return len(trunk)

    def copy(self, seed: int) -> "DoubleChain":
        """The chain as it is now, for a node that falls behind or takes another branch; what it goes on with is its own."""
        twin = DoubleChain(seed, chain_id=self.chain_id, finality_depth=self.finality_depth)
        twin.blocks, twin.known = self.blocks, dict(self.known)
        twin._trade.replay(self._logs(self.blocks))
        return twin

    def rows(
        self, first: int, last: int, addresses: Collection[str] = (), topics: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """The ground truth: rows of the raw table `logs` for the blocks first..last, filtered as a node would."""
        return [
            row
            for block in self.blocks[first : last + 1]
            for row in block.rows
            if (not addresses or row["address"] in addresses) and (not topics or row["topic0"] in topics)
        ]

    def _extended(self, trunk: tuple[Block, ...], contents: Iterable[Sequence[Transaction]]) -> tuple[Block, ...]:
        blocks = list(trunk)
        branch = f"{self._seed}.{self._reorganisations}"
        for transactions in contents:
            parent = blocks[-1]
            block = Block(parent.number + 1, parent.hash, parent.timestamp + BLOCK_SECONDS, tuple(transactions), branch)
            blocks.append(block)
            self.known[block.hash] = block
        return tuple(blocks)

    def _transactions(self, logs_per_block: int) -> list[Transaction]:
        transactions: list[Transaction] = []
        logs = self._random.randint(0, 2 * logs_per_block)
        while logs > 0:
            transactions.append(self._transaction(self._trade.next_logs()))
            logs -= len(transactions[-1].logs)
        return transactions

    def _transaction(self, logs: tuple[Log, ...]) -> Transaction:
        self._serial += 1
        succeeded = bool(logs) or self._random.random() < 0.5
        return Transaction(_hash(f"{self._seed} {self._serial} {logs}"), logs, self._random.choice((0, 1, 2, 3)), succeeded)

    @staticmethod
    def _logs(blocks: Iterable[Block]) -> Iterable[Log]:
        return (log for block in blocks for transaction in block.transactions for log in transaction.logs)


def _bloom(logs: Iterable[Log]) -> int:
    return bloom_of(item for log in logs for item in (log.address, *log.topics))


def _hash(text: str) -> str:
    return "0x" + keccak(text.encode()).hex()
