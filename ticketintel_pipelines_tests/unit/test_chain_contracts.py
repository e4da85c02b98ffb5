"""The settings file of a chain: what it says is taken as it is, and what it says wrong is told in a sentence."""

from pathlib import Path

import pytest

from ticketintel_pipelines.chain.contracts import ChainSettings, Contract, read_chain_settings
from ticketintel_pipelines.errors import BadInputError

REPOSITORY = Path(__file__).parents[2]
TICKETS = '[[contract]]\nname = "tickets"\naddress = "0x06012c8cf97bead5deae237070f9587f8e7a266d"\nstart_block = 7\n'
MIXED = "0x00000000000000ADc04C56Bf30aC9d3c0aAF14dC"


def settings(tmp_path: Path, text: str) -> ChainSettings:
    path = tmp_path / "chain.toml"
    path.write_text(text)
    return read_chain_settings(path)


def test_a_file_says_chain_finality_and_contracts(tmp_path: Path) -> None:
    text = f"chain_id = 5\nconfirmations = 3\nchecked_share = 1\n{TICKETS}{TICKETS}"
    text = text.replace("tickets", "market", 1).replace("0x06012c8cf97bead5deae237070f9587f8e7a266d", MIXED, 1)
    assert settings(tmp_path, text) == ChainSettings(
        5,
        (
            Contract("market", MIXED.lower(), 7),
            Contract("tickets", "0x06012c8cf97bead5deae237070f9587f8e7a266d", 7),
        ),
        confirmations=3,
        checked_share=1.0,
    )
    assert settings(tmp_path, f"chain_id = 1\n{TICKETS}").confirmations is None


def test_the_example_is_one() -> None:
    assert read_chain_settings(REPOSITORY / "data" / "chain.example.toml").chain_id == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("chain_id = ", "cannot be read as TOML"),
        (TICKETS, "chain_id is None"),
        (f"chain_id = true\n{TICKETS}", "chain_id is True"),
        ("chain_id = 1", "names no contract"),
        ("chain_id = 1\ncontract = [3]", "contract 1 is not a table"),
        (f"chain_id = 1\nconfirmation = 2\n{TICKETS}", "confirmation, which means nothing here"),
        (f"chain_id = 1\nconfirmations = -1\n{TICKETS}", "confirmations is -1"),
        (f"chain_id = 1\nchecked_share = 1.5\n{TICKETS}", "checked_share is 1.5"),
        (f"chain_id = 1\n{TICKETS}{TICKETS}", "the contract name tickets twice"),
        (f"chain_id = 1\n{TICKETS}".replace("start_block = 7", ""), "start_block of tickets is None"),
        (f"chain_id = 1\n{TICKETS}".replace("0x0601", "0x06"), "not 0x and 40 hexadecimal digits"),
        (f"chain_id = 1\n{TICKETS}".replace("0x06012c8cf97b", "0x06012C8cf97B"), "wrong EIP-55 checksum"),
        (f"chain_id = 1\n{TICKETS}".replace('"tickets"', '""'), "contract 1 has no name"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        settings(tmp_path, text)


def test_a_missing_file_is_told_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"is not there.*data/chain\.example\.toml"):
        read_chain_settings(tmp_path / "chain.toml")
