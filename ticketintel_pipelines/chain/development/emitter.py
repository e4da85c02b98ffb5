"""EVM code that makes addresses emit given logs, and the calldata for it.

A simulated log names a contract that was never deployed and whose source nobody has. On a development node the code at an
address can be set, so each such address gets EMITTER, which emits the one log that it is called with, and one further address
gets DISPATCHER, which calls several addresses in turn: a transaction to it emits the logs of several contracts in one order.
Both are short enough to be assembled by hand; a line is one step, with the stack after it, its top at the left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_TOPICS = 4
ADDRESS_BYTES = 20
TOPIC_BYTES = 32


@dataclass(frozen=True, slots=True)
class LogContent:
    """A log as its contract emits it: address (20 bytes), up to four topics of 32 bytes each, data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


def _assembled(*steps: tuple[str, str]) -> bytes:
    return bytes.fromhex("".join(code for code, _ in steps))


EMITTER = _assembled(
    # Calldata: one byte with the number of topics, the topics, the data. All four places for topics are read, whatever
    # they hold: a LOGn takes the first n, and nobody looks at the rest of the stack.
    ("6061 35", "PUSH1 97 CALLDATALOAD: t4"),
    ("6041 35", "PUSH1 65 CALLDATALOAD: t3 t4"),
    ("6021 35", "PUSH1 33 CALLDATALOAD: t2 t3 t4"),
    ("6001 35", "PUSH1 1 CALLDATALOAD: t1 t2 t3 t4"),
    ("5f 35 60f8 1c", "the first byte: n t1 t2 t3 t4"),
    ("80 6005 1b 6001 01", "start = 1 + 32 n: start n t1 …"),
    ("80 36 03", "size = CALLDATASIZE - start: size start n t1 …"),
    ("80 91 5f 37", "DUP1 SWAP2, CALLDATACOPY(0, start, size): size n t1 …"),
    ("90 6003 02 6029 01", "41 + 3 n, where the LOGn stands: target size t1 …"),
    ("5f 90 56", "PUSH0 SWAP1 JUMP: 0 size t1 …"),
    ("5b a0 00", "41: JUMPDEST LOG0 STOP"),
    ("5b a1 00", "44: JUMPDEST LOG1 STOP"),
    ("5b a2 00", "47: JUMPDEST LOG2 STOP"),
    ("5b a3 00", "50: JUMPDEST LOG3 STOP"),
    ("5b a4 00", "53: JUMPDEST LOG4 STOP; a higher n jumps nowhere, which fails the transaction"),
)

DISPATCHER = _assembled(
    # Calldata: calls, each an address (20 bytes), a length (4 bytes) and so many bytes to call it with.
    ("5f", "PUSH0: at"),
    ("5b 36 81 10 6009 57 00", "1: JUMPDEST, to 9 while at < CALLDATASIZE, else STOP: at"),
    ("5b 80 35", "9: JUMPDEST DUP1 CALLDATALOAD: head at"),
    ("80 6040 1c 63ffffffff 16", "length = head >> 64 & 0xffffffff: length head at"),
    ("90 6060 1c", "address = head >> 96: address length at"),
    ("91 6018 01", "from = at + 24: from length address"),
    ("81 81 5f 37", "CALLDATACOPY(0, from, length): from length address"),
    ("81 01 91", "next = from + length: address length next"),
    ("5f 5f 83 5f 5f 85 5a f1", "CALL(GAS, address, 0, 0, length, 0, 0): done address length next"),
    ("6033 57 5f 5f fd", "to 51 if done, else REVERT: address length next"),
    ("5b 50 50 6001 56", "51: JUMPDEST POP POP, to 1: next"),
)


def calldata(logs: Iterable[LogContent]) -> bytes:
    """What DISPATCHER is called with to have `logs` emitted in this order, each by EMITTER at its address.

    Raises ValueError for a log with more than four topics, or an address or a topic of another length than it has.
    """
    calls = []
    for log in logs:
        if len(log.address) != ADDRESS_BYTES or any(len(topic) != TOPIC_BYTES for topic in log.topics):
            raise ValueError(f"a log has an address of {ADDRESS_BYTES} and topics of {TOPIC_BYTES} bytes, not {log}")
        if len(log.topics) > MOST_TOPICS:
            raise ValueError(f"a log has at most {MOST_TOPICS} topics, not {len(log.topics)}")
        content = bytes([len(log.topics)]) + b"".join(log.topics) + log.data
        calls.append(log.address + len(content).to_bytes(4, "big") + content)
    return b"".join(calls)


def gas_for(logs: Sequence[LogContent]) -> int:
    """Gas that a transaction to DISPATCHER with `logs` does not exceed, by any hard fork's prices so far."""
    # 40 for a byte of calldata (EIP-7623); 2,600 for an address touched first (EIP-2929); LOG: 375 and as much a topic, 8 a
    # byte; the rest covers copying and the steps between.
    data_bytes = sum(len(log.data) + MOST_TOPICS * TOPIC_BYTES + 64 for log in logs)
    return 30_000 + 60 * data_bytes + 6_000 * len(logs)
