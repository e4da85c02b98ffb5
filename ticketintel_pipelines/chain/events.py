"""The EVM events the pipeline knows: signature, topic and how many arguments are indexed.

`topic` is the Keccak-256 of the signature; a test recomputes each.
"""

from dataclasses import dataclass

ZERO_ADDRESS = "0x" + "0" * 40


@dataclass(frozen=True)
class EventSignature:
    name: str
    signature: str
    topic: str


TRANSFER = EventSignature(
    "Transfer",
    "Transfer(address,address,uint256)",
    "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
)
TRANSFER_SINGLE = EventSignature(
    "TransferSingle",
    "TransferSingle(address,address,address,uint256,uint256)",
    "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62",
)
TRANSFER_BATCH = EventSignature(
    "TransferBatch",
    "TransferBatch(address,address,address,uint256[],uint256[])",
    "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb",
)
ORDER_FULFILLED = EventSignature(
    "OrderFulfilled",
    "OrderFulfilled(bytes32,address,address,address,(uint8,address,uint256,uint256)[],"
    "(uint8,address,uint256,uint256,address)[])",
    "0x9d9af8e38d66c62e2c12f0225249fd9d721c54b83f48d9352c97c6cacdcb6f31",
)
PUNK_BOUGHT = EventSignature(
    "PunkBought",
    "PunkBought(uint256,uint256,address,address)",
    "0x58e5d5a525e3b40bc15abaa38b5882678db1ee68befd2f60bafe3a7fd06db9e3",
)
PUNK_TRANSFER = EventSignature(
    "PunkTransfer",
    "PunkTransfer(address,address,uint256)",
    "0x05af636b70da6819000c49f85b21fa82081c632069bb626f30932034099107d8",
)
PUNK_ASSIGN = EventSignature(
    "Assign",
    "Assign(address,uint256)",
    "0x8a0e37b73a0d9c82e205d4d1a3ff3d0b57ce5f4d7bccf6bac03336dc101cb7ba",
)
TICKET_SOLD = EventSignature(
    "TicketSold",
    "TicketSold(address,uint256,address,address,uint256)",
    "0x44bd06404febb5a30803bcbe4429cdaf74ab54c2df93fd090fc19ab98fe3e540",
)
"""The platform's own sale: ticket contract, token and buyer are indexed; seller (zero in a primary sale) and price in wei
are the data."""

KNOWN_EVENTS = (
    TRANSFER,
    TRANSFER_SINGLE,
    TRANSFER_BATCH,
    ORDER_FULFILLED,
    PUNK_BOUGHT,
    PUNK_TRANSFER,
    PUNK_ASSIGN,
    TICKET_SOLD,
)
