"""Seaport's `OrderFulfilled`: the whole event as columns, and the sales of NFTs that it records.

The event is (orderHash, offerer indexed, zone indexed, recipient, offer, consideration): what the offerer gave and what
was given in return. An order that offers an NFT is a listing; one that offers a currency for an NFT is an accepted bid.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.chain.events import ORDER_FULFILLED
from ticketintel_pipelines.chain.hexadecimal import bytes_to_hex, hex_to_bytes
from ticketintel_pipelines.chain.rows import Decoded, OutputRows, constant
from ticketintel_pipelines.chain.uint256 import decimal_text, run_sums, small_integers
from ticketintel_pipelines.chain.words import (
    ADDRESS_PADDING,
    DynamicArrays,
    Fault,
    LogColumns,
    RaggedWords,
    check,
    is_dirty,
    read_dynamic_arrays,
    read_ragged_words,
    take,
)

NATIVE, ERC20, ERC721, LAST_ITEM_TYPE = 0, 1, 2, 5
"""Seaport's item types; from 2 on they are NFTs (3: ERC-1155; 4 and 5: any NFT that meets a criterion)."""

_HEAD_WORDS = 4
_OFFER_PLACE, _CONSIDERATION_PLACE = 2, 3
_OFFER_WIDTH, _CONSIDERATION_WIDTH = 4, 5
_MALFORMED = f"{ORDER_FULFILLED.name} is malformed:"


@dataclass(frozen=True)
class Items:
    """The offer or consideration items of all orders, in the orders' order; `lengths` says how many each order has.

    `orders` is the place of each item's order; tokens and recipients are (m, 20), identifiers and amounts (m, 32).
    Offered items have no recipient of their own.
    """

    lengths: np.ndarray
    orders: np.ndarray
    item_types: np.ndarray
    tokens: np.ndarray
    identifiers: np.ndarray
    amounts: np.ndarray
    recipients: np.ndarray | None

    @property
    def is_nft(self) -> np.ndarray:
        return self.item_types >= ERC721


@dataclass(frozen=True)
class Orders:
    """n decoded orders: the row of each log, its hash (n, 32), its addresses (n, 20) and its items."""

    rows: np.ndarray
    order_hashes: np.ndarray
    offerers: np.ndarray
    zones: np.ndarray
    recipients: np.ndarray
    offer: Items
    consideration: Items


@dataclass(frozen=True)
class NftSales:
    """m sales of one NFT each: row of the log, addresses (m, 20), token id, quantity and price in wei (m, 32).

    The price is meant only where `priced`.
    """

    rows: np.ndarray
    tokens: np.ndarray
    identifiers: np.ndarray
    quantities: np.ndarray
    sellers: np.ndarray
    buyers: np.ndarray
    prices: np.ndarray
    priced: np.ndarray


def decode_orders(logs: LogColumns, rows: np.ndarray) -> tuple[Orders, list[Fault]]:
    """The orders of the `OrderFulfilled` logs at ascending `rows`, which must have two indexed arguments each."""
    offerers, offerer_is_hex = hex_to_bytes(take(logs.topics[0], rows), 32)
    zones, zone_is_hex = hex_to_bytes(take(logs.topics[1], rows), 32)
    data, data_is_hex = read_ragged_words(take(logs.data, rows))
    whole, faults = check(
        rows,
        (
            (~(offerer_is_hex & zone_is_hex), f"{_MALFORMED} a topic is not 32 bytes of hexadecimal digits"),
            (~data_is_hex, f"{_MALFORMED} the data is not whole words of hexadecimal digits"),
            (data_is_hex & (data.counts < _HEAD_WORDS), f"{_MALFORMED} the data ends within its head"),
        ),
    )
    rows, offerers, zones, data = rows[whole], offerers[whole], zones[whole], data.where(whole)
    offers = read_dynamic_arrays(data, _OFFER_PLACE, _HEAD_WORDS, _OFFER_WIDTH)
    considerations = read_dynamic_arrays(data, _CONSIDERATION_PLACE, _HEAD_WORDS, _CONSIDERATION_WIDTH)
    recipients = data.at(1)
    sound, found = check(
        rows,
        (
            (is_dirty(offerers), f"{_MALFORMED} the upper 12 bytes of the offerer's address are not zero"),
            (is_dirty(zones), f"{_MALFORMED} the upper 12 bytes of the zone's address are not zero"),
            (is_dirty(recipients), f"{_MALFORMED} the upper 12 bytes of the recipient's address are not zero"),
            (offers.bad, f"{_MALFORMED} the offer does not lie within the data"),
            (considerations.bad, f"{_MALFORMED} the consideration does not lie within the data"),
            (_any_item(data, offers, _OFFER_WIDTH), f"{_MALFORMED} an offer item is none of the known kinds"),
            (
                _any_item(data, considerations, _CONSIDERATION_WIDTH),
                f"{_MALFORMED} a consideration item is none of the known kinds",
            ),
        ),
    )
    orders = Orders(
        rows=rows[sound],
        order_hashes=data.where(sound).at(0),
        offerers=offerers[sound, ADDRESS_PADDING:],
        zones=zones[sound, ADDRESS_PADDING:],
        recipients=recipients[sound, ADDRESS_PADDING:],
        offer=_items(data, offers, sound, _OFFER_WIDTH),
        consideration=_items(data, considerations, sound, _CONSIDERATION_WIDTH),
    )
    return orders, faults + found


def sales_of(orders: Orders, wrapped_ether: Collection[str]) -> tuple[NftSales, list[Fault]]:
    """One sale per NFT in an order.

    A single NFT is priced where all that was paid is ether, native or one of the `wrapped_ether` contracts. The split
    of a bundle's price over its NFTs is not recorded, nor is what another currency was worth; an order that records no
    payment at all has no price either.
    """
    offered, returned = orders.offer, orders.consideration
    count = len(orders.rows)
    private, buyers = _private_listings(orders)
    sells = offered.is_nft
    # A private listing asks for its own NFT to be sent to the buyer: that is no second sale.
    buys = returned.is_nft & ~private[returned.orders]
    listing = (
        (_count(offered, sells, count) == 1)
        & (offered.lengths == 1)
        & _is_paid_in_ether(returned, returned.is_nft & private[returned.orders], wrapped_ether, count)
    )
    # The other consideration items of a bid are fees out of what it offers.
    bid = (_count(returned, buys, count) == 1) & _is_paid_in_ether(offered, np.zeros_like(sells), wrapped_ether, count)
    return_sums, return_overflow = run_sums(np.where(returned.is_nft[:, None], 0, returned.amounts), returned.lengths)
    offer_sums, offer_overflow = run_sums(offered.amounts, offered.lengths)
    prices = np.where(listing[:, None], return_sums, offer_sums)
    overflow = (listing & return_overflow) | (bid & offer_overflow)
    sound, faults = check(orders.rows, [(overflow, f"{_MALFORMED} the amounts paid add up to more than 256 bits")])
    from_offer = np.flatnonzero(sells & sound[offered.orders])
    from_return = np.flatnonzero(buys & sound[returned.orders])
    sold, bought = offered.orders[from_offer], returned.orders[from_return]
    order = np.concatenate([sold, bought])
    sales = NftSales(
        rows=orders.rows[order],
        tokens=np.concatenate([offered.tokens[from_offer], returned.tokens[from_return]]),
        identifiers=np.concatenate([offered.identifiers[from_offer], returned.identifiers[from_return]]),
        quantities=np.concatenate([offered.amounts[from_offer], returned.amounts[from_return]]),
        sellers=np.concatenate([orders.offerers[sold], orders.recipients[bought]]),
        buyers=np.concatenate([buyers[sold], orders.offerers[bought]]),
        prices=prices[order],
        priced=(listing | bid)[order],
    )
    return sales, faults


def decode_order_sales(logs: LogColumns, rows: np.ndarray, wrapped_ether: Collection[str]) -> Decoded:
    """The sales of the `OrderFulfilled` logs at ascending `rows`, as columns of the sales table."""
    orders, faults = decode_orders(logs, rows)
    sales, overflows = sales_of(orders, wrapped_ether)
    unpriced = pa.scalar(None, pa.string())
    return Decoded(
        count=len(orders.rows) - sum(len(fault.rows) for fault in overflows),
        faults=faults + overflows,
        sales=OutputRows(
            sales.rows,
            {
                "marketplace": constant("seaport", len(sales.rows)),
                "contract_address": bytes_to_hex(sales.tokens),
                "token_id": decimal_text(sales.identifiers),
                "quantity": decimal_text(sales.quantities),
                "seller_address": bytes_to_hex(sales.sellers),
                "buyer_address": bytes_to_hex(sales.buyers),
                "price_wei": pc.if_else(pa.array(sales.priced), decimal_text(sales.prices), unpriced),
            },
        ),
    )


def _private_listings(orders: Orders) -> tuple[np.ndarray, np.ndarray]:
    """Which orders offer one NFT and ask for that same NFT to be sent to someone; and who buys what each order offers.

    The buyer of a private listing is that someone: such orders are matched, and a matched order has no recipient.
    """
    offered, returned = orders.offer, orders.consideration
    count = len(orders.rows)
    single = (_count(offered, offered.is_nft, count) == 1) & (_count(returned, returned.is_nft, count) == 1)
    given = np.flatnonzero(offered.is_nft & single[offered.orders])
    asked = np.flatnonzero(returned.is_nft & single[returned.orders])
    same = (offered.tokens[given] == returned.tokens[asked]).all(axis=1)
    same &= (offered.identifiers[given] == returned.identifiers[asked]).all(axis=1)
    index = np.flatnonzero(single)[same]
    private = np.zeros(count, dtype=bool)
    private[index] = True
    buyers = orders.recipients.copy()
    if returned.recipients is not None:
        buyers[index] = returned.recipients[asked[same]]
    return private, buyers


def _any_item(data: RaggedWords, arrays: DynamicArrays, width: int) -> np.ndarray:
    """Which logs have an item whose type is no item type or whose addresses are none."""
    owners, _, first = arrays.elements(width)
    item_types, fits = small_integers(data.words[first])
    bad = ~fits | (item_types > LAST_ITEM_TYPE) | is_dirty(data.words[first + 1])
    if width == _CONSIDERATION_WIDTH:
        bad |= is_dirty(data.words[first + 4])
    marked = np.zeros(len(arrays.lengths), dtype=bool)
    marked[owners[bad]] = True
    return marked


def _items(data: RaggedWords, arrays: DynamicArrays, kept: np.ndarray, width: int) -> Items:
    arrays = arrays.where(kept)
    owners, _, first = arrays.elements(width)
    return Items(
        lengths=arrays.lengths,
        orders=owners,
        item_types=data.words[first, -1],
        tokens=data.words[first + 1, ADDRESS_PADDING:],
        identifiers=data.words[first + 2],
        amounts=data.words[first + 3],
        recipients=data.words[first + 4, ADDRESS_PADDING:] if width == _CONSIDERATION_WIDTH else None,
    )


def _is_paid_in_ether(items: Items, ignored: np.ndarray, wrapped_ether: Collection[str], orders: int) -> np.ndarray:
    """Which orders have items besides the `ignored` ones, all of them ether."""
    is_ether = items.item_types == NATIVE
    for address in wrapped_ether:
        token = np.frombuffer(bytes.fromhex(address.removeprefix("0x")), dtype=np.uint8)
        is_ether |= (items.item_types == ERC20) & (items.tokens == token).all(axis=1)
    counted = ~ignored
    return (_count(items, counted, orders) > 0) & (_count(items, counted & ~is_ether, orders) == 0)


def _count(items: Items, which: np.ndarray, orders: int) -> np.ndarray:
    return np.bincount(items.orders[which], minlength=orders)
