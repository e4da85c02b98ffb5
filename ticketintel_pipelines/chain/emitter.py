"""Two tiny contracts, as EVM code, that put any logs of any contracts on a development chain.

The emitter stands at the address of each contract that is to emit; it emits the one log that its calldata describes.
The dispatcher calls emitters one after another, so that logs of several contracts come out of one transaction. Neither
keeps state or asks who calls: they are nothing for a chain that people use.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_TOPICS = 4

_LENGTH_BYTES = 4
_GAS_PER_TRANSACTION = 25_000
_GAS_PER_LOG = 8_000
_GAS_PER_BYTE = 64


@dataclass(frozen=True, slots=True)
class Emission:
    """A log to be emitted: contract (20 bytes), up to four topics (32 bytes each), data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


def dispatch(logs: Sequence[Emission]) -> bytes:
    """The calldata with which the dispatcher has the logs emitted, in their order.

    Raises:
        ValueError: a log has more topics than a log can have.
    """
    pieces = []
    for log in logs:
        if len(log.topics) > MOST_TOPICS:
            raise ValueError(f"a log has at most {MOST_TOPICS} topics, not {len(log.topics)}")
        call = bytes([len(log.topics)]) + b"".join(log.topics) + log.data
        pieces.append(log.address + len(call).to_bytes(_LENGTH_BYTES, "big") + call)
    return b"".join(pieces)


def enough_gas(logs: Sequence[Emission], calldata: bytes) -> int:
    """More gas than a transaction that emits the logs uses.

    A log takes 375 per topic and once more, 8 per byte of data, and at most 2,600 for a first call of its contract; a byte
    of calldata takes up to 40 (EIP-7623), a transaction 21,000. The rest is for the steps of the two contracts and for
    memory.
    """
    return _GAS_PER_TRANSACTION + _GAS_PER_LOG * len(logs) + _GAS_PER_BYTE * len(calldata)


def _assembled(listing: str) -> bytes:
    """The machine code in a listing: hexadecimal in front, remarks behind a semicolon."""
    return bytes.fromhex("".join(line.partition(";")[0] for line in listing.splitlines()))


# Behind the instructions stands the stack that they leave, its top first.

EMITTER = _assembled("""
    ; Calldata: number of topics, n (1 byte) | topics (32 bytes each) | data.
    60 61 35        ; PUSH1 97  CALLDATALOAD            four topics, whatever n is:
    60 41 35        ; PUSH1 65  CALLDATALOAD            LOGn takes the first n and leaves the others lying
    60 21 35        ; PUSH1 33  CALLDATALOAD
    60 01 35        ; PUSH1 1   CALLDATALOAD            [t1 t2 t3 t4]
    60 00 35        ; PUSH1 0   CALLDATALOAD
    60 00 1a        ; PUSH1 0   BYTE                    [n t1...]
    80 60 20 02     ; DUP1      PUSH1 32  MUL
    60 01 01        ; PUSH1 1   ADD                     [start n t1...]         where the data begins
    80 36 03        ; DUP1      CALLDATASIZE  SUB       [size start n t1...]
    80 91           ; DUP1      SWAP2                   [start size size n t1...]
    60 00 37        ; PUSH1 0   CALLDATACOPY            [size n t1...]          the data is in memory from 0 on
    90 60 03 02     ; SWAP1     PUSH1 3   MUL           [3n size t1...]         an entry of the table has 3 bytes
    60 2c 01        ; PUSH1 44  ADD                     [entry size t1...]
    60 00 90        ; PUSH1 0   SWAP1                   [entry 0 size t1...]
    56              ; JUMP                              [0 size t1...]
    5b a0 00        ; JUMPDEST  LOG0  STOP              byte 44
    5b a1 00        ; JUMPDEST  LOG1  STOP
    5b a2 00        ; JUMPDEST  LOG2  STOP
    5b a3 00        ; JUMPDEST  LOG3  STOP
    5b a4 00        ; JUMPDEST  LOG4  STOP
""")

DISPATCHER = _assembled("""
    ; Calldata, over and over: contract (20 bytes) | length (4 bytes) | calldata for the contract.
    60 00           ; PUSH1 0                           [place]                 how far the calldata is worked off
    5b              ; JUMPDEST                          byte 2
    80 36 03        ; DUP1      CALLDATASIZE  SUB       [left place]
    60 0a 57        ; PUSH1 10  JUMPI                   [place]
    00              ; STOP
    5b              ; JUMPDEST                          byte 10
    80 35           ; DUP1      CALLDATALOAD            [word place]
    80 60 60 1c     ; DUP1      PUSH1 96  SHR           [contract word place]
    90 60 40 1c     ; SWAP1     PUSH1 64  SHR
    63 ff ff ff ff  ; PUSH4 2^32-1
    16              ; AND                               [size contract place]
    82 60 18 01     ; DUP3      PUSH1 24  ADD           [from size contract place]
    81 81 01        ; DUP2      DUP2      ADD           [next from size contract place]
    93 50           ; SWAP4     POP                     [from size contract next]
    81 90           ; DUP2      SWAP1                   [from size size contract next]
    60 00 37        ; PUSH1 0   CALLDATACOPY            [size contract next]    its calldata is in memory from 0 on
    60 00 60 00     ; PUSH1 0   PUSH1 0                 no answer is wanted
    82              ; DUP3
    60 00 60 00     ; PUSH1 0   PUSH1 0                 memory from 0 on, no ether
    86              ; DUP7
    5a f1           ; GAS       CALL                    [went well? size contract next]
    15 60 3e 57     ; ISZERO    PUSH1 62  JUMPI         [size contract next]
    50 50           ; POP       POP                     [next]
    60 02 56        ; PUSH1 2   JUMP
    5b              ; JUMPDEST                          byte 62
    60 00 60 00 fd  ; PUSH1 0   PUSH1 0   REVERT        all of the transaction's logs or none
""")
