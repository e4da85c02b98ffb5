"""The platform and the holders of tickets on a real node, as transactions that can be sent, mined and reorganised away."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import eth_abi
import pytest

from ticketintel_pipelines.chain.contracts import Contract
from ticketintel_pipelines.chain.keccak import keccak256
from ticketintel_pipelines_tests.node import Node

SOURCES = Path(__file__).parent

Transaction = dict[str, Any]
"""A JSON object as eth_sendTransaction and anvil_reorg take it."""

_DEPLOYMENT_GAS = 3_000_000
_CALL_GAS = 100_000
_TICKET_GAS = 100_000


@functools.cache
def compiled(name: str) -> bytes:
    """The code that deploys `NAME.vy`; skips the test where Vyper is not installed."""
    vyper = pytest.importorskip("vyper", reason="no Vyper: it comes with the package's extra `dev`")
    path = SOURCES / f"{name}.vy"
    output = vyper.compile_code(path.read_text(encoding="utf-8"), contract_path=str(path), output_formats=["bytecode"])
    return bytes.fromhex(output["bytecode"].removeprefix("0x"))


def call_data(signature: str, *arguments: Any) -> bytes:
    """A call as the ABI has it; `signature` such as `mint(address,uint256)`."""
    types = signature[signature.index("(") + 1 : -1].split(",")
    return keccak256(signature.encode())[:4] + eth_abi.encode(types, arguments)


@dataclass(frozen=True)
class Business:
    """A market and a ticket contract on a node of their own, and the wallets of people; addresses are lower-case.

    Its methods make transactions; nothing happens before `mine` or `Node.reorganise` takes them.
    """

    node: Node
    platform: str
    wallets: tuple[str, ...]
    market: str
    ticket: str
    first_block: int
    """The block of the first deployment."""

    @property
    def contracts(self) -> tuple[Contract, Contract]:
        """As a chain's settings file names them."""
        return Contract("tickets", self.ticket, self.first_block), Contract("market", self.market, self.first_block)

    def issue(self, token_ids: Sequence[int], receiver: str) -> Transaction:
        call = call_data("issue(address,uint256[],address)", self.ticket, token_ids, receiver)
        return _transaction(self.platform, self.market, call, tickets=len(token_ids))

    def sell(self, token_ids: Sequence[int], buyer: str, price_wei: int) -> Transaction:
        """A first sale of tickets that are minted in it; `price_wei` is the price of each."""
        call = call_data("sell(address,uint256[],address,uint256)", self.ticket, token_ids, buyer, price_wei)
        return _transaction(self.platform, self.market, call, tickets=len(token_ids))

    def resell(self, token_id: int, seller: str, buyer: str, price_wei: int) -> Transaction:
        signature = "resell(address,uint256,address,address,uint256)"
        return _transaction(
            self.platform, self.market, call_data(signature, self.ticket, token_id, seller, buyer, price_wei), tickets=1
        )

    def gift(self, token_id: int, giver: str, taker: str) -> Transaction:
        call = call_data("transferFrom(address,address,uint256)", giver, taker, token_id)
        return _transaction(giver, self.ticket, call, tickets=1)

    def mine(self, *transactions: Transaction) -> int:
        """One block that holds just these; its height. Fails where one of them did."""
        hashes = [self.node.rpc("eth_sendTransaction", transaction) for transaction in transactions]
        height = self.node.mine()
        for name in hashes:
            receipt = self.node.rpc("eth_getTransactionReceipt", name)
            assert receipt["status"] == "0x1", f"transaction {name} failed"
            assert int(receipt["blockNumber"], 16) == height
        return height


def open_business(node: Node) -> Business:
    """Deploy the contracts, in two blocks; from then on `node` mines on demand only."""
    platform, *wallets = node.rpc("eth_accounts")
    node.rpc("evm_setAutomine", False)
    market = _deploy(node, platform, compiled("market"))
    first_block = node.height()
    ticket = _deploy(node, platform, compiled("ticket") + eth_abi.encode(["address"], [market]))
    return Business(node, platform, tuple(wallets), market, ticket, first_block)


def _deploy(node: Node, sender: str, code: bytes) -> str:
    transaction = {"from": sender, "data": "0x" + code.hex(), "gas": hex(_DEPLOYMENT_GAS)}
    name = node.rpc("eth_sendTransaction", transaction)
    node.mine()
    receipt = node.rpc("eth_getTransactionReceipt", name)
    assert receipt["status"] == "0x1", "the deployment failed"
    return str(receipt["contractAddress"]).lower()


def _transaction(sender: str, to: str, call: bytes, tickets: int) -> Transaction:
    # With the gas named the node does not try a call on the newest block, where what it stands on may not have happened yet.
    gas = _CALL_GAS + _TICKET_GAS * tickets
    return {"from": sender, "to": to, "data": "0x" + call.hex(), "gas": hex(gas)}
