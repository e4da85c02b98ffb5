"""The events of fixed length: a table of the forms they take in a log, and one decoder for all of them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.chain.events import (
    PUNK_ASSIGN,
    PUNK_BOUGHT,
    PUNK_TRANSFER,
    TICKET_SOLD,
    TRANSFER,
    TRANSFER_SINGLE,
    ZERO_ADDRESS,
    EventSignature,
)
from ticketintel_pipelines.chain.hexadecimal import hex_to_bytes
from ticketintel_pipelines.chain.rows import Decoded, OutputRows, address_text, constant
from ticketintel_pipelines.chain.uint256 import WORD, decimal_text, is_zero
from ticketintel_pipelines.chain.words import LogColumns, check, is_dirty, take


@dataclass(frozen=True)
class Movement:
    """Which arguments make a transfer. None stands for what the event leaves unsaid: the zero address, token 0, one."""

    standard: str
    sender: str | None
    receiver: str
    token: str | None
    quantity: str | None = None
    only_with_receiver: bool = False


@dataclass(frozen=True)
class Sale:
    """Which arguments make a sale of one token; without a `contract` it is the one that emitted the log."""

    marketplace: str
    contract: str | None
    token: str
    seller: str
    buyer: str
    price: str


@dataclass(frozen=True)
class FixedForm:
    """One way an event is logged: the arguments in its topics, those in its data, and which of them are addresses."""

    event: EventSignature
    indexed: tuple[str, ...]
    data: tuple[str, ...]
    addresses: tuple[str, ...]
    movement: Movement | None = None
    sale: Sale | None = None


_ERC721 = Movement("erc721", sender="from", receiver="to", token="token_id")
_ERC721_ARGUMENTS = ("from", "to", "token_id")

_FORMS = (
    FixedForm(TRANSFER, indexed=_ERC721_ARGUMENTS, data=(), addresses=("from", "to"), movement=_ERC721),
    # Some contracts append a word of their own to the standard's event.
    FixedForm(TRANSFER, indexed=_ERC721_ARGUMENTS, data=("surplus",), addresses=("from", "to"), movement=_ERC721),
    FixedForm(
        TRANSFER,
        indexed=("from", "to"),
        data=("value",),
        addresses=("from", "to"),
        movement=Movement("erc20", sender="from", receiver="to", token=None, quantity="value"),
    ),
    FixedForm(
        TRANSFER_SINGLE,
        indexed=("operator", "from", "to"),
        data=("token_id", "value"),
        addresses=("operator", "from", "to"),
        movement=Movement("erc1155", sender="from", receiver="to", token="token_id", quantity="value"),
    ),
    FixedForm(
        PUNK_BOUGHT,
        indexed=("punk_index", "from", "to"),
        data=("value",),
        addresses=("from", "to"),
        # The contract clears the bid before it logs the bidder, so an accepted bid names no buyer. Moved to the zero
        # address, the punk would look burnt.
        movement=Movement("cryptopunks", sender="from", receiver="to", token="punk_index", only_with_receiver=True),
        sale=Sale("cryptopunks", contract=None, token="punk_index", seller="from", buyer="to", price="value"),
    ),
    FixedForm(
        PUNK_TRANSFER,
        indexed=("from", "to"),
        data=("punk_index",),
        addresses=("from", "to"),
        movement=Movement("cryptopunks", sender="from", receiver="to", token="punk_index"),
    ),
    FixedForm(
        PUNK_ASSIGN,
        indexed=("to",),
        data=("punk_index",),
        addresses=("to",),
        movement=Movement("cryptopunks", sender=None, receiver="to", token="punk_index"),
    ),
    # The ticket contract logs the transfer itself.
    FixedForm(
        TICKET_SOLD,
        indexed=("contract", "token_id", "buyer"),
        data=("seller", "price"),
        addresses=("contract", "buyer", "seller"),
        sale=Sale("platform", contract="contract", token="token_id", seller="seller", buyer="buyer", price="price"),
    ),
)

FORMS_OF_EVENT = {form.event: tuple(other for other in _FORMS if other.event == form.event) for form in _FORMS}


def decode_form(logs: LogColumns, rows: np.ndarray, form: FixedForm) -> Decoded:
    """Decode the logs at ascending `rows`, which must have the form's number of topics and length of data."""
    name = form.event.name
    words: dict[str, np.ndarray] = {}
    checks = []
    for argument, topic in zip(form.indexed, logs.topics, strict=False):
        words[argument], is_hex = hex_to_bytes(take(topic, rows), WORD)
        checks.append((~is_hex, f"{name} is malformed: topic `{argument}` is not 32 bytes of hexadecimal digits"))
    data, is_hex = hex_to_bytes(take(logs.data, rows), WORD * len(form.data))
    checks.append((~is_hex, f"{name} is malformed: the data is not hexadecimal digits after 0x"))
    for place, argument in enumerate(form.data):
        words[argument] = data[:, WORD * place : WORD * (place + 1)]
    checks.extend(
        (is_dirty(words[argument]), f"{name} is malformed: the upper 12 bytes of address `{argument}` are not zero")
        for argument in form.addresses
    )
    sound, faults = check(rows, checks)
    rows, words = _where(sound, rows, words)
    return Decoded(
        count=len(rows),
        faults=faults,
        transfers=_transfers(rows, words, form.movement) if form.movement else None,
        sales=_sales(rows, words, form.sale) if form.sale else None,
    )


def _transfers(rows: np.ndarray, words: dict[str, np.ndarray], movement: Movement) -> OutputRows:
    if movement.only_with_receiver:
        rows, words = _where(~is_zero(words[movement.receiver]), rows, words)
    count = len(rows)
    return OutputRows(
        rows,
        {
            "batch_index": pa.array(np.zeros(count, dtype=np.int64)),
            "standard": constant(movement.standard, count),
            "token_id": decimal_text(words[movement.token]) if movement.token else constant("0", count),
            "quantity": decimal_text(words[movement.quantity]) if movement.quantity else constant("1", count),
            "from_address": address_text(words[movement.sender]) if movement.sender else constant(ZERO_ADDRESS, count),
            "to_address": address_text(words[movement.receiver]),
        },
    )


def _sales(rows: np.ndarray, words: dict[str, np.ndarray], sale: Sale) -> OutputRows:
    columns = {
        "marketplace": constant(sale.marketplace, len(rows)),
        "token_id": decimal_text(words[sale.token]),
        "quantity": constant("1", len(rows)),
        "seller_address": address_text(words[sale.seller]),
        "buyer_address": address_text(words[sale.buyer]),
        "price_wei": decimal_text(words[sale.price]),
    }
    if sale.contract is not None:
        columns["contract_address"] = address_text(words[sale.contract])
    return OutputRows(rows, columns)


def _where(kept: np.ndarray, rows: np.ndarray, words: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    if kept.all():
        return rows, words
    return rows[kept], {argument: matrix[kept] for argument, matrix in words.items()}
