"""Random events, encoded by eth_abi or by the project's own encoders, decode to what they were made from."""

from typing import Any

import eth_abi
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.chain.decode import WRAPPED_ETHER, decode_logs
from ticketintel_pipelines.chain.encode import encode_seaport_listing, encode_ticket_sold, encode_transfer
from ticketintel_pipelines.chain.events import (
    ORDER_FULFILLED,
    PUNK_ASSIGN,
    PUNK_BOUGHT,
    PUNK_TRANSFER,
    TICKET_SOLD,
    TRANSFER,
    TRANSFER_BATCH,
    ZERO_ADDRESS,
)
from ticketintel_pipelines.chain.uint256 import from_uint64
from ticketintel_pipelines_tests.unit.chain_logs import (
    CONTRACT,
    Log,
    address_word,
    assert_accounted,
    seaport_orders,
    table_of,
    word,
)

addresses = st.binary(min_size=20, max_size=20).map(lambda value: "0x" + value.hex())
numbers = st.one_of(st.integers(0, 2**256 - 1), st.integers(0, 10**20))
batches = st.lists(st.tuples(numbers, numbers), max_size=6)
offer_items = st.tuples(st.integers(0, 5), addresses, numbers, numbers)
consideration_items = st.tuples(st.integers(0, 5), addresses, numbers, numbers, addresses)
orders = st.tuples(
    st.binary(min_size=32, max_size=32),
    addresses,
    addresses,
    addresses,
    st.lists(offer_items, max_size=4),
    st.lists(consideration_items, max_size=4),
)
ORDER_DATA = [
    "bytes32",
    "address",
    "(uint8,address,uint256,uint256)[]",
    "(uint8,address,uint256,uint256,address)[]",
]
ALICE, BOB, CAROL, TOKEN, OTHER_CURRENCY = ("0x" + f"{digit}" * 40 for digit in "abcde")
ETHER = 10**18


def order_log(order: tuple[Any, ...]) -> Log:
    order_hash, offerer, zone, recipient, offer, consideration = order
    data = eth_abi.encode(ORDER_DATA, [order_hash, recipient, offer, consideration])
    return Log([ORDER_FULFILLED.topic, address_word(offerer), address_word(zone)], "0x" + data.hex())


@given(st.lists(orders, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_seaport_orders(made: list[tuple[Any, ...]]) -> None:
    decoded = seaport_orders(table_of([order_log(order) for order in made]))
    for values, (order_hash, offerer, zone, recipient, offer, consideration) in zip(decoded, made, strict=True):
        assert values["order_hash"] == "0x" + order_hash.hex()
        assert (values["offerer"], values["zone"], values["recipient"]) == (offerer, zone, recipient)
        assert values["offer"] == [
            {"item_type": kind, "token": token, "identifier": str(identifier), "amount": str(amount)}
            for kind, token, identifier, amount in offer
        ]
        assert values["consideration"] == [
            {
                "item_type": kind,
                "token": token,
                "identifier": str(identifier),
                "amount": str(amount),
                "recipient": receiver,
            }
            for kind, token, identifier, amount, receiver in consideration
        ]


@given(st.lists(orders, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_seaport_order_is_accounted_for(made: list[tuple[Any, ...]]) -> None:
    logs = table_of([order_log(order) for order in made])
    assert_accounted(decode_logs(logs), logs)


def sales_of(offer: list[tuple[Any, ...]], consideration: list[tuple[Any, ...]], recipient: str = BOB) -> list[dict[str, Any]]:
    result = decode_logs(table_of([order_log((b"\0" * 32, ALICE, ZERO_ADDRESS, recipient, offer, consideration))]))
    assert result.decoded == 1
    return result.sales.to_pylist()


def nft(token_id: int, kind: int = 2) -> tuple[Any, ...]:
    return (kind, TOKEN, token_id, 1)


def ether(amount: int) -> tuple[Any, ...]:
    return (0, ZERO_ADDRESS, 0, amount)


def wrapped(amount: int) -> tuple[Any, ...]:
    return (1, WRAPPED_ETHER, 0, amount)


def test_listing_price_is_the_exact_sum_of_ether_and_wrapped_ether() -> None:
    (sale,) = sales_of([nft(7)], [(*ether(2**200), ALICE), (*wrapped(2**64 + 1), CAROL)])
    assert (sale["seller_address"], sale["buyer_address"]) == (ALICE, BOB)
    assert sale["price_wei"] == str(2**200 + 2**64 + 1)


def test_accepted_bid_turns_the_sides_and_holds_its_fees() -> None:
    (sale,) = sales_of([wrapped(ETHER)], [(*nft(7), ALICE), (*wrapped(ETHER // 40), CAROL)])
    assert (sale["seller_address"], sale["buyer_address"], sale["price_wei"]) == (BOB, ALICE, str(ETHER))


def test_bundle_gives_a_sale_per_nft_without_a_price() -> None:
    sales = sales_of([nft(7), nft(8, kind=3)], [(*ether(ETHER), ALICE)])
    assert [(sale["token_id"], sale["price_wei"]) for sale in sales] == [("7", None), ("8", None)]


def test_barter_gives_a_sale_each_way_without_a_price() -> None:
    sales = sales_of([nft(7)], [(*nft(8), ALICE)])
    assert [(sale["token_id"], sale["seller_address"], sale["price_wei"]) for sale in sales] == [
        ("7", ALICE, None),
        ("8", BOB, None),
    ]


def test_private_listing_is_one_sale_to_the_receiver_of_its_nft() -> None:
    (sale,) = sales_of([nft(7)], [(*ether(ETHER), ALICE), (*nft(7), CAROL)], recipient=ZERO_ADDRESS)
    assert (sale["seller_address"], sale["buyer_address"], sale["price_wei"]) == (ALICE, CAROL, str(ETHER))


@pytest.mark.parametrize(
    "consideration",
    [
        [(1, OTHER_CURRENCY, 0, 5, ALICE)],
        [(*ether(5), ALICE), (1, OTHER_CURRENCY, 0, 5, CAROL)],
        [],
    ],
    ids=["other currency", "two currencies", "nothing"],
)
def test_no_price_where_not_all_of_it_is_ether(consideration: list[tuple[Any, ...]]) -> None:
    (sale,) = sales_of([nft(7)], consideration)
    assert sale["price_wei"] is None


def test_order_without_an_nft_is_decoded_to_nothing() -> None:
    assert sales_of([wrapped(5)], [(1, OTHER_CURRENCY, 0, 5, ALICE)]) == []
    assert sales_of([], []) == []


def test_a_price_beyond_256_bits_is_undecodable() -> None:
    log = order_log((b"\0" * 32, ALICE, ALICE, BOB, [nft(7)], [(*ether(2**256 - 1), ALICE), (*ether(1), CAROL)]))
    result = decode_logs(table_of([log]))
    assert result.decoded == 0
    assert result.sales.num_rows == 0
    assert "256 bits" in result.undecodable["reason"][0].as_py()


@given(st.lists(st.tuples(addresses, addresses, batches), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_transfer_batches(made: list[tuple[str, str, list[tuple[int, int]]]]) -> None:
    logs = table_of(
        [
            Log(
                [TRANSFER_BATCH.topic, address_word(ALICE), address_word(sender), address_word(receiver)],
                "0x" + eth_abi.encode(["uint256[]"] * 2, [[e[0] for e in batch], [e[1] for e in batch]]).hex(),
                log_index=place,
            )
            for place, (sender, receiver, batch) in enumerate(made)
        ]
    )
    result = decode_logs(logs)
    assert result.decoded == len(made)
    names = ("log_index", "batch_index", "from_address", "to_address", "token_id", "quantity")
    assert [tuple(row[name] for name in names) for row in result.transfers.to_pylist()] == [
        (place, index, sender, receiver, str(token), str(quantity))
        for place, (sender, receiver, batch) in enumerate(made)
        for index, (token, quantity) in enumerate(batch)
    ]


@given(st.lists(st.tuples(addresses, numbers, addresses, addresses, numbers), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_tickets_sold(made: list[tuple[str, int, str, str, int]]) -> None:
    logs = [
        Log(
            [TICKET_SOLD.topic, address_word(contract), word(token), address_word(buyer)],
            "0x" + eth_abi.encode(["address", "uint256"], [seller, price]).hex(),
        )
        for contract, token, buyer, seller, price in made
    ]
    result = decode_logs(table_of(logs))
    assert result.transfers.num_rows == 0
    names = ("contract_address", "token_id", "buyer_address", "seller_address", "price_wei")
    assert [tuple(row[name] for name in names) for row in result.sales.to_pylist()] == [
        (contract, str(token), buyer, seller, str(price)) for contract, token, buyer, seller, price in made
    ]


def test_punks() -> None:
    result = decode_logs(
        table_of(
            [
                Log([PUNK_ASSIGN.topic, address_word(ALICE)], word(1), log_index=0),
                Log([PUNK_TRANSFER.topic, address_word(ALICE), address_word(BOB)], word(1), log_index=1),
                Log([PUNK_BOUGHT.topic, word(1), address_word(BOB), address_word(CAROL)], word(ETHER), log_index=2),
                Log([PUNK_BOUGHT.topic, word(1), address_word(CAROL), address_word(ZERO_ADDRESS)], word(0), log_index=3),
            ]
        )
    )
    names = ("log_index", "standard", "contract_address", "from_address", "to_address")
    assert [tuple(row[name] for name in names) for row in result.transfers.to_pylist()] == [
        (0, "cryptopunks", CONTRACT, ZERO_ADDRESS, ALICE),
        (1, "cryptopunks", CONTRACT, ALICE, BOB),
        (2, "cryptopunks", CONTRACT, BOB, CAROL),
    ]
    assert [(row["log_index"], row["buyer_address"], row["price_wei"]) for row in result.sales.to_pylist()] == [
        (2, CAROL, str(ETHER)),
        (3, ZERO_ADDRESS, "0"),
    ]


def test_early_transfers_are_unknown() -> None:
    three_words = "0x" + "00" * 96
    logs = table_of([Log([TRANSFER.topic], three_words), Log([TRANSFER.topic, word(1)], "0x" + "00" * 64), Log([], "0x")])
    result = decode_logs(logs)
    assert result.unknown_by_topic == {TRANSFER.topic: 2, "anonymous": 1}


def random_bytes(rows: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, width), dtype=np.uint8)


def with_places(columns: dict[str, pa.Array]) -> pa.Table:
    rows = len(columns["data"])
    places = table_of([Log([], "0x", log_index=place) for place in range(rows)])
    return pa.table({**{name: places[name] for name in places.column_names}, **columns})


def texts(matrix: np.ndarray) -> list[str]:
    return ["0x" + row.tobytes().hex() for row in matrix]


def decimals(matrix: np.ndarray) -> list[str]:
    return [str(int.from_bytes(row.tobytes(), "big")) for row in matrix]


# More rows than one slice of the decoder, so that the seams are crossed.
@pytest.mark.parametrize("rows", [0, 1, 20_000])
def test_own_encoders_round_trip(rows: int) -> None:
    senders, receivers, tokens = (random_bytes(rows, width, width + seed) for seed, width in enumerate((20, 20, 32)))
    amounts = from_uint64(np.arange(rows, dtype=np.uint64))
    one = random_bytes(1, 20, 99)

    transfers = decode_logs(with_places(encode_transfer(senders, receivers, tokens))).transfers
    assert transfers["from_address"].to_pylist() == texts(senders)
    assert transfers["to_address"].to_pylist() == texts(receivers)
    assert transfers["token_id"].to_pylist() == decimals(tokens)
    assert transfers["log_index"].to_pylist() == list(range(rows))

    sold = decode_logs(with_places(encode_ticket_sold(one, tokens, receivers, senders, amounts))).sales
    assert sold["contract_address"].to_pylist() == texts(one) * rows
    assert sold["buyer_address"].to_pylist() == texts(receivers)
    assert sold["seller_address"].to_pylist() == texts(senders)
    assert sold["price_wei"].to_pylist() == decimals(amounts)

    listed = decode_logs(
        with_places(encode_seaport_listing(tokens, senders, one, receivers, one, tokens, amounts, amounts, one))
    ).sales
    assert listed["seller_address"].to_pylist() == texts(senders)
    assert listed["buyer_address"].to_pylist() == texts(receivers)
    assert listed["token_id"].to_pylist() == decimals(tokens)
    assert listed["price_wei"].to_pylist() == [str(2 * amount) for amount in range(rows)]


def test_own_seaport_encoding_equals_that_of_eth_abi() -> None:
    order_hash, tokens, amounts, fees = (random_bytes(1, 32, seed) for seed in range(4))
    offerer, zone, recipient, contract, fee_recipient = (random_bytes(1, 20, seed) for seed in range(10, 15))
    columns = encode_seaport_listing(order_hash, offerer, zone, recipient, contract, tokens, amounts, fees, fee_recipient)
    amount, fee, token = (int.from_bytes(matrix.tobytes(), "big") for matrix in (amounts, fees, tokens))
    expected = order_log(
        (
            order_hash.tobytes(),
            texts(offerer)[0],
            texts(zone)[0],
            texts(recipient)[0],
            [(2, texts(contract)[0], token, 1)],
            [(*ether(amount), texts(offerer)[0]), (*ether(fee), texts(fee_recipient)[0])],
        )
    )
    assert columns["data"].to_pylist() == [expected.data]
    assert [columns[f"topic{place}"][0].as_py() for place in range(4)] == [*expected.topics, None]


def test_encoders_refuse_columns_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="rows"):
        encode_transfer(random_bytes(2, 20, 1), random_bytes(3, 20, 2), random_bytes(3, 32, 3))
