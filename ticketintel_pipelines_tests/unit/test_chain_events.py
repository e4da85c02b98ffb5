"""The topics that the decoder looks for."""

import pytest
from eth_hash.auto import keccak

from ticketintel_pipelines.chain.decode import WRAPPED_ETHER
from ticketintel_pipelines.chain.events import KNOWN_EVENTS, EventSignature
from ticketintel_pipelines.chain.rows import SALE_SCHEMA, TRANSFER_SCHEMA
from ticketintel_pipelines.ticketing.tables.chain import MARKET_SALES, TRANSFERS


@pytest.mark.parametrize("event", KNOWN_EVENTS, ids=lambda event: event.name)
def test_topic_is_the_keccak_of_the_signature(event: EventSignature) -> None:
    assert event.topic == "0x" + keccak(event.signature.encode()).hex()


@pytest.mark.parametrize("event", KNOWN_EVENTS, ids=lambda event: event.name)
def test_name_is_that_of_the_signature(event: EventSignature) -> None:
    assert event.signature.startswith(event.name + "(")


def test_wrapped_ether_is_an_address() -> None:
    assert len(bytes.fromhex(WRAPPED_ETHER[2:])) == 20


def test_decoded_columns_are_those_of_the_lake() -> None:
    assert TRANSFER_SCHEMA.names == [column.name for column in TRANSFERS.columns]
    assert SALE_SCHEMA.names == [column.name for column in MARKET_SALES.columns]
