"""EIP-55 checksums against the vectors of the EIP and against eth-utils."""

import random

import pyarrow as pa
from eth_utils import to_checksum_address

from ticketintel_pipelines.chain.checksums import wrong_checksums

OF_THE_EIP = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
"""All in upper case, all in lower case, and mixed."""


def wrong(*addresses: str | None) -> list[bool]:
    return wrong_checksums(pa.array(addresses, pa.string())).tolist()


def test_the_vectors_of_the_eip_are_right() -> None:
    assert wrong(*OF_THE_EIP) == [False] * 8


def test_one_letter_in_the_other_case_is_wrong() -> None:
    for address in OF_THE_EIP[4:]:
        place = next(place for place in range(2, 42) if address[place].isalpha())
        assert wrong(address[:place] + address[place].swapcase() + address[place + 1 :]) == [True]


def test_it_agrees_with_eth_utils_on_any_case() -> None:
    dice = random.Random(55)
    addresses = ["0x" + "".join(dice.choice("0123456789abcdefABCDEF") for _ in range(40)) for _ in range(300)]
    addresses += [to_checksum_address(address) for address in addresses]
    assert wrong(*addresses) == [
        address != to_checksum_address(address) and address[2:] not in (address[2:].lower(), address[2:].upper())
        for address in addresses
    ]


def test_an_address_all_in_one_case_carries_none() -> None:
    address = OF_THE_EIP[4]
    assert wrong(address.lower(), "0x" + address[2:].upper(), "0x" + "1" * 40) == [False] * 3


def test_what_is_no_address_is_not_judged() -> None:
    assert wrong(None, "", "0x", OF_THE_EIP[4][:-1], OF_THE_EIP[4] + "0", "0xG" + OF_THE_EIP[4][3:]) == [False] * 6
    assert wrong() == []


def test_slices_and_chunks_are_judged_by_their_own_rows() -> None:
    bad = OF_THE_EIP[4].swapcase().replace("0X", "0x")
    column = pa.array(["short", OF_THE_EIP[4], bad, OF_THE_EIP[5]], pa.string())
    assert wrong_checksums(column.slice(1, 2)).tolist() == [False, True]
    assert wrong_checksums(pa.chunked_array([column.slice(2), column.slice(0, 2)])).tolist() == [True, False, False, False]
