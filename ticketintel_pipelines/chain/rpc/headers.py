"""Block headers out of the answers to eth_getBlockByNumber."""

import msgspec

from ticketintel_pipelines.chain.extraction.header_chain import Header
from ticketintel_pipelines.chain.rpc.errors import WrongAnswerError

_BLOOM_BYTES = 256


class _Block(msgspec.Struct, rename="camel"):
    # What is not listed (a hash per transaction, for one) is skipped over and costs no object.
    number: str
    hash: str
    parent_hash: str
    timestamp: str
    logs_bloom: str
    receipts_root: str


_BLOCK = msgspec.json.Decoder(_Block | None)


def decode_header(text: memoryview, endpoint: str) -> Header | None:
    """The header in an answer; None for a null answer.

    Raises:
        WrongAnswerError: this is no block header.
    """
    try:
        block = _BLOCK.decode(text)
        if block is None:
            return None
        bloom = bytes.fromhex(block.logs_bloom.removeprefix("0x"))
        if len(bloom) != _BLOOM_BYTES:
            raise ValueError(f"a bloom filter of {len(bloom)} bytes")
        return Header(
            number=int(block.number, 16),
            hash=block.hash.lower(),
            parent_hash=block.parent_hash.lower(),
            timestamp=int(block.timestamp, 16),
            logs_bloom=bloom,
            receipts_root=block.receipts_root.lower(),
        )
    except (msgspec.DecodeError, ValueError) as error:
        raise WrongAnswerError(f"{endpoint} gave a block that cannot be read ({error})") from error
