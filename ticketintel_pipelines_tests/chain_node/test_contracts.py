"""Tickets minted, sold and given away by real contracts, from their execution to decoded rows."""

from typing import Any

import pyarrow as pa
import pytest

from ticketintel_pipelines.chain.decode import decode_logs
from ticketintel_pipelines.chain.events import KNOWN_EVENTS, ZERO_ADDRESS
from ticketintel_pipelines.chain.extraction.fetch import fetch_ranges
from ticketintel_pipelines.chain.extraction.filter import LogFilter
from ticketintel_pipelines.chain.rpc.client import ChainClient
from ticketintel_pipelines_tests.contracts.business import Business, Transaction
from ticketintel_pipelines_tests.node import NodeError

ETHER = 10**18
LARGEST_TOKEN = 2**256 - 1
TOPICS = tuple(event.topic for event in KNOWN_EVENTS)


def fetched_logs(business: Business) -> pa.Table:
    with ChainClient([business.node.url]) as client:
        wanted = LogFilter((business.ticket, business.market), TOPICS)
        pieces = list(fetch_ranges(client, wanted, 1, client.head().number, parent_hash=None, sample_rate=1.0))
    return pa.concat_tables([piece.logs for piece in pieces])


def columns_of(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_transfers_and_sales_come_out_as_they_happened(business: Business) -> None:
    ann, ben, eve, *_ = business.wallets
    first = business.mine(business.sell([1, LARGEST_TOKEN], ann, ETHER // 10), business.issue([7], ben))
    business.node.mine(3)
    second = business.mine(business.resell(1, ann, ben, 2 * ETHER), business.gift(7, ben, eve))
    third = business.mine(business.sell([8], eve, LARGEST_TOKEN), business.gift(LARGEST_TOKEN, ann, eve))
    assert (second, third) == (first + 4, first + 5)

    decoded = decode_logs(fetched_logs(business))

    assert (decoded.unknown, decoded.undecodable.num_rows) == (0, 0)
    assert set(columns_of(decoded.transfers, "contract_address", "standard", "quantity")) == {(business.ticket, "erc721", "1")}
    assert sorted(columns_of(decoded.transfers, "block_number", "token_id", "from_address", "to_address")) == sorted(
        [
            (first, "1", ZERO_ADDRESS, ann),
            (first, str(LARGEST_TOKEN), ZERO_ADDRESS, ann),
            (first, "7", ZERO_ADDRESS, ben),
            (second, "1", ann, ben),
            (second, "7", ben, eve),
            (third, "8", ZERO_ADDRESS, eve),
            (third, str(LARGEST_TOKEN), ann, eve),
        ]
    )
    assert set(columns_of(decoded.sales, "contract_address", "marketplace")) == {(business.ticket, "platform")}
    sales = columns_of(decoded.sales, "block_number", "token_id", "seller_address", "buyer_address", "price_wei")
    assert sorted(sales) == sorted(
        [
            (first, "1", ZERO_ADDRESS, ann, str(ETHER // 10)),
            (first, str(LARGEST_TOKEN), ZERO_ADDRESS, ann, str(ETHER // 10)),
            (second, "1", ann, ben, str(2 * ETHER)),
            (third, "8", ZERO_ADDRESS, eve, str(LARGEST_TOKEN)),
        ]
    )


def test_a_sale_stands_right_after_its_transfer_and_at_the_time_of_its_block(business: Business) -> None:
    height = business.mine(business.sell([1, 2, 3], business.wallets[0], ETHER))
    decoded = decode_logs(fetched_logs(business))
    assert columns_of(decoded.transfers, "log_index", "token_id") == [(0, "1"), (2, "2"), (4, "3")]
    assert columns_of(decoded.sales, "log_index", "token_id") == [(1, "1"), (3, "2"), (5, "3")]
    header = business.node.rpc("eth_getBlockByNumber", hex(height), False)
    times = {time.timestamp() for time in decoded.sales["block_timestamp"].to_pylist()}
    assert times == {int(header["timestamp"], 16)}


@pytest.mark.parametrize("offence", ["double mint", "theft", "forged sale"])
def test_the_contracts_hold_their_rules(business: Business, offence: str) -> None:
    """Else what is built on them would prove nothing about ownership."""
    ann, ben, *_ = business.wallets
    business.mine(business.sell([1], ann, ETHER))
    wrong: dict[str, Transaction] = {
        "double mint": business.sell([1], ben, ETHER),
        "theft": {**business.gift(1, ann, ben), "from": ben},
        "forged sale": {**business.resell(1, ann, ben, 1), "from": ben},
    }
    with pytest.raises(NodeError, match="revert"):
        business.node.rpc("eth_call", wrong[offence], "latest")
