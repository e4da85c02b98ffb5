"""ABI encoding of the events that a simulated world emits: byte matrices in, log columns out.

The inverse of the decoders beside it, for whole columns. Every argument is a uint8 matrix with one row per log, (n, 20)
for addresses and (n, 32) for words; a matrix of one row stands for the same value in every log.
"""

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.events import ORDER_FULFILLED, TICKET_SOLD, TRANSFER, EventSignature
from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex

WORD = 32
ADDRESS = 20
ITEM_NATIVE = 0
ITEM_ERC721 = 2

# Bytes from the start of the data to the two arrays of an order with one offer item: four head words, then the offer's
# length and its four words.
_OFFER_OFFSET = 4 * WORD
_CONSIDERATION_OFFSET = _OFFER_OFFSET + 5 * WORD


def address_words(addresses: np.ndarray) -> np.ndarray:
    """Addresses (n, 20) as ABI words (n, 32): twelve zero bytes in front."""
    words = np.zeros((addresses.shape[0], WORD), dtype=np.uint8)
    words[:, WORD - ADDRESS :] = addresses
    return words


def words_to_hex(*words: np.ndarray) -> pa.StringArray:
    """The (n, 32) matrices side by side, as one `0x` text per row; one-row matrices repeat.

    Raises ValueError where the matrices have different numbers of rows.
    """
    rows = _row_count(*words)
    return bytes_to_hex(np.concatenate([np.broadcast_to(word, (rows, WORD)) for word in words], axis=1))


def encode_transfer(from_addresses: np.ndarray, to_addresses: np.ndarray, token_words: np.ndarray) -> dict[str, pa.Array]:
    """ERC-721 `Transfer`: all three arguments are topics, the data is empty."""
    rows = _row_count(from_addresses, to_addresses, token_words)
    return _log_columns(
        TRANSFER,
        rows,
        (address_words(from_addresses), address_words(to_addresses), token_words),
        (),
    )


def encode_ticket_sold(
    contracts: np.ndarray,
    token_words: np.ndarray,
    buyers: np.ndarray,
    sellers: np.ndarray,
    price_words: np.ndarray,
) -> dict[str, pa.Array]:
    """The platform's `TicketSold`; price in wei, the zero address as seller of a primary sale."""
    rows = _row_count(contracts, token_words, buyers, sellers, price_words)
    return _log_columns(
        TICKET_SOLD,
        rows,
        (address_words(contracts), token_words, address_words(buyers)),
        (address_words(sellers), price_words),
    )


def encode_seaport_listing(
    order_hashes: np.ndarray,
    offerers: np.ndarray,
    zones: np.ndarray,
    recipients: np.ndarray,
    tokens: np.ndarray,
    token_words: np.ndarray,
    seller_amount_words: np.ndarray,
    fee_amount_words: np.ndarray,
    fee_recipients: np.ndarray,
) -> dict[str, pa.Array]:
    """Seaport `OrderFulfilled` of a listing: one ERC-721 token offered, ether for the offerer and ether for the fee.

    Amounts are in wei; the buyer is the recipient, the price is the sum of the two amounts.
    """
    rows = _row_count(
        order_hashes,
        offerers,
        zones,
        recipients,
        tokens,
        token_words,
        seller_amount_words,
        fee_amount_words,
        fee_recipients,
    )
    zero, one = _constant(0), _constant(1)
    offer = (_constant(ITEM_ERC721), address_words(tokens), token_words, one)
    to_seller = (_constant(ITEM_NATIVE), zero, zero, seller_amount_words, address_words(offerers))
    to_fee = (_constant(ITEM_NATIVE), zero, zero, fee_amount_words, address_words(fee_recipients))
    head = (order_hashes, address_words(recipients), _constant(_OFFER_OFFSET), _constant(_CONSIDERATION_OFFSET))
    return _log_columns(
        ORDER_FULFILLED,
        rows,
        (address_words(offerers), address_words(zones)),
        (*head, one, *offer, _constant(2), *to_seller, *to_fee),
    )


def _log_columns(
    event: EventSignature, rows: int, topics: tuple[np.ndarray, ...], data: tuple[np.ndarray, ...]
) -> dict[str, pa.Array]:
    columns = {"topic0": pa.repeat(pa.scalar(event.topic, pa.string()), rows)}
    for place in (1, 2, 3):
        if place <= len(topics):
            columns[f"topic{place}"] = bytes_to_hex(np.broadcast_to(topics[place - 1], (rows, WORD)))
        else:
            columns[f"topic{place}"] = pa.nulls(rows, pa.string())
    if data:
        columns["data"] = bytes_to_hex(np.concatenate([np.broadcast_to(word, (rows, WORD)) for word in data], axis=1))
    else:
        columns["data"] = pa.repeat(pa.scalar("0x", pa.string()), rows)
    return columns


def _constant(value: int) -> np.ndarray:
    return np.frombuffer(value.to_bytes(WORD, "big"), dtype=np.uint8)[None, :]


def _row_count(*matrices: np.ndarray) -> int:
    lengths = {matrix.shape[0] for matrix in matrices}
    varying = lengths - {1}
    if len(varying) > 1:
        raise ValueError(f"the matrices have {sorted(varying)} rows; they must have one number of rows, or 1")
    return varying.pop() if varying else 1
