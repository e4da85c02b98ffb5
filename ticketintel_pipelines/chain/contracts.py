"""The settings file of a chain: which chain, when a block counts as final, which contracts from which block on.

chain_id = 1
confirmations = 12              # leave out to take the node's own `finalized`

[[contract]]
name = "tickets"
address = "0x06012c8cf97bead5deae237070f9587f8e7a266d"
start_block = 4605167
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ticketintel_pipelines.chain.checksums import wrong_checksums
from ticketintel_pipelines.chain.hexadecimal import hex_to_bytes
from ticketintel_pipelines.errors import BadInputError

ADDRESS_BYTES = 20
CHECKED_SHARE = 0.01
_CHAIN_MEMBERS = {"chain_id", "confirmations", "checked_share", "contract"}
_CONTRACT_MEMBERS = {"name", "address", "start_block"}


@dataclass(frozen=True)
class Contract:
    """A contract whose logs are wanted from `start_block` on; the address is lower-case."""

    name: str
    address: str
    start_block: int


@dataclass(frozen=True)
class ChainSettings:
    """`confirmations` is how many blocks below the head one counts as final; None leaves that to the node.

    `checked_share`, 0 to 1, is the share of the blocks with logs whose receipts are read too and held against their root.
    """

    chain_id: int
    contracts: tuple[Contract, ...]
    confirmations: int | None = None
    checked_share: float = CHECKED_SHARE


def read_chain_settings(path: Path) -> ChainSettings:
    """The settings of a chain out of its file.

    Raises:
        BadInputError: the file is not there, is no TOML, or does not say what it must; the sentence names what and where.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(
            f"{path} is not there: a chain's endpoint is set, but no contracts; write the file as data/chain.example.toml shows"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} cannot be read as TOML ({error})") from error
    _refuse_unknown(path, "it", content, _CHAIN_MEMBERS)
    entries = content.get("contract")
    if not isinstance(entries, list) or not entries:
        raise BadInputError(f"{path} names no contract; add a [[contract]] with name, address and start_block")
    contracts = tuple(_contract(path, place, entry) for place, entry in enumerate(entries, start=1))
    for member in ("name", "address"):
        values = [getattr(contract, member) for contract in contracts]
        if repeated := next((value for value in values if values.count(value) > 1), None):
            raise BadInputError(f"{path} has the contract {member} {repeated} twice; name each contract once")
    confirmations, share = content.get("confirmations"), content.get("checked_share", CHECKED_SHARE)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise BadInputError(f"{path}: checked_share is {share!r}, not a number from 0 to 1")
    return ChainSettings(
        chain_id=_whole(path, "chain_id", content.get("chain_id"), least=1),
        contracts=contracts,
        confirmations=None if confirmations is None else _whole(path, "confirmations", confirmations),
        checked_share=float(share),
    )


def _contract(path: Path, place: int, entry: Any) -> Contract:
    if not isinstance(entry, dict):
        raise BadInputError(
            f"{path}: contract {place} is not a table; write [[contract]] and its name, address and start_block"
        )
    where = f"contract {place}"
    _refuse_unknown(path, where, entry, _CONTRACT_MEMBERS)
    name, address = entry.get("name"), entry.get("address")
    if not isinstance(name, str) or not name:
        raise BadInputError(f"{path}: {where} has no name")
    given = pa.array([address if isinstance(address, str) else None], pa.string())
    _, formed = hex_to_bytes(given, ADDRESS_BYTES)
    if not formed[0]:
        raise BadInputError(f"{path}: the address of {name} is {address!r}, not 0x and 40 hexadecimal digits")
    if wrong_checksums(given)[0]:
        raise BadInputError(f"{path}: the address of {name}, {address}, has a wrong EIP-55 checksum; copy it again")
    return Contract(name, str(address).lower(), _whole(path, f"start_block of {name}", entry.get("start_block")))


def _whole(path: Path, what: str, value: Any, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadInputError(f"{path}: {what} is {value!r}, not a whole number from {least} on")
    return value


def _refuse_unknown(path: Path, where: str, entry: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(entry) - known):
        raise BadInputError(
            f"{path}: {where} has {', '.join(unknown)}, which means nothing here; known are {', '.join(sorted(known))}"
        )
