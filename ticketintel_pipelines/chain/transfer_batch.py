"""ERC-1155 `TransferBatch`: two arrays of one length, one transfer per element."""

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.events import TRANSFER_BATCH
from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex, hex_to_bytes
from ticketintel_pipelines.chain.rows import Decoded, OutputRows, constant
from ticketintel_pipelines.chain.uint256 import WORD, decimal_text
from ticketintel_pipelines.chain.words import (
    ADDRESS_PADDING,
    LogColumns,
    check,
    is_dirty,
    read_dynamic_arrays,
    read_ragged_words,
    take,
)

INDEXED_ARGUMENTS = ("operator", "from", "to")

_HEAD_WORDS = 2
_TOKENS_PLACE, _QUANTITIES_PLACE = 0, 1
_MALFORMED = f"{TRANSFER_BATCH.name} is malformed:"


def decode_transfer_batches(logs: LogColumns, rows: np.ndarray) -> Decoded:
    """Decode the logs at ascending `rows`, which must have three indexed arguments each.

    An empty batch is understood and gives no transfer.
    """
    checks = []
    addresses = []
    for argument, topic in zip(INDEXED_ARGUMENTS, logs.topics, strict=True):
        words, is_hex = hex_to_bytes(take(topic, rows), WORD)
        checks.append((~is_hex, f"{_MALFORMED} topic `{argument}` is not 32 bytes of hexadecimal digits"))
        checks.append((is_dirty(words), f"{_MALFORMED} the upper 12 bytes of address `{argument}` are not zero"))
        addresses.append(words[:, ADDRESS_PADDING:])
    data, is_hex = read_ragged_words(take(logs.data, rows))
    checks.append((~is_hex, f"{_MALFORMED} the data is not whole words of hexadecimal digits"))
    checks.append((data.counts < _HEAD_WORDS, f"{_MALFORMED} the data ends within its head"))
    whole, faults = check(rows, checks)

    rows, data = rows[whole], data.where(whole)
    senders, receivers = addresses[1][whole], addresses[2][whole]
    tokens = read_dynamic_arrays(data, _TOKENS_PLACE, _HEAD_WORDS, width=1)
    quantities = read_dynamic_arrays(data, _QUANTITIES_PLACE, _HEAD_WORDS, width=1)
    sound, found = check(
        rows,
        (
            (tokens.bad, f"{_MALFORMED} the token ids do not lie within the data"),
            (quantities.bad, f"{_MALFORMED} the quantities do not lie within the data"),
            (tokens.lengths != quantities.lengths, f"{_MALFORMED} token ids and quantities differ in number"),
        ),
    )
    logs_of_elements, batch_index, token_words = tokens.where(sound).elements(width=1)
    _, _, quantity_words = quantities.where(sound).elements(width=1)
    return Decoded(
        count=int(sound.sum()),
        faults=faults + found,
        transfers=OutputRows(
            rows[sound][logs_of_elements],
            {
                "batch_index": pa.array(batch_index),
                "standard": constant("erc1155", len(batch_index)),
                "token_id": decimal_text(data.words[token_words]),
                "quantity": decimal_text(data.words[quantity_words]),
                "from_address": bytes_to_hex(senders[sound][logs_of_elements]),
                "to_address": bytes_to_hex(receivers[sound][logs_of_elements]),
            },
        ),
    )
