"""What happens on the chain: tickets minted, sold and given away, and what others do in between."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from ticketintel_pipelines.chain.events import TICKET_SOLD, TRANSFER, ZERO_ADDRESS
from ticketintel_pipelines.ticketing.simulator.chain import MARKET_CONTRACT

TICKET_CONTRACT = "0x71c4e7000000000000000000000000000000a001"
FOREIGN_COIN = "0xc0140000000000000000000000000000000000c0"
FOREIGN_CONTRACT = "0xf0e1600000000000000000000000000000000f0e"
APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
WALLETS = tuple(f"0x{number:040x}" for number in range(0xA11CE000, 0xA11CE000 + 40))
WEI_PER_ETHER = 10**18


@dataclass(frozen=True)
class Log:
    """What a contract says of an event; `0x` text in lower case."""

    address: str
    topics: tuple[str, ...]
    data: str = "0x"


class Trade:
    """The wallets that hold the tickets, and what they do next."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._owners: dict[str, str] = {}

    def next_logs(self) -> tuple[Log, ...]:
        """The logs of one transaction; an ether payment has none."""
        kinds = (self._primary_sale, self._resale, self._gift, self._foreign_coin, self._approval, self._foreign, tuple)
        (happens,) = self._random.choices(kinds, (4, 3, 2, 2, 1, 2, 1))
        return happens()

    def accepts(self, logs: Iterable[Log]) -> bool:
        """Whether each ticket is moved by the wallet that holds it; if so they are moved."""
        owners = dict(self._owners)
        for log in logs:
            if _moves_a_ticket(log):
                _, giver, taker, token = log.topics
                if owners.get(token, _word(ZERO_ADDRESS)) != giver:
                    return False
                owners[token] = taker
        self._owners = owners
        return True

    def replay(self, logs: Iterable[Log]) -> None:
        """Let the tickets be where these logs left them, whatever they say."""
        self._owners = {log.topics[3]: log.topics[2] for log in logs if _moves_a_ticket(log)}

    def _primary_sale(self) -> tuple[Log, ...]:
        token = _number(self._random.getrandbits(self._random.choice((24, 200))))
        if token in self._owners:
            return self._gift()
        return self._sale(token, _word(ZERO_ADDRESS))

    def _resale(self) -> tuple[Log, ...]:
        if not self._owners:
            return self._primary_sale()
        token = self._random.choice(list(self._owners))
        return self._sale(token, self._owners[token])

    def _gift(self) -> tuple[Log, ...]:
        if not self._owners:
            return self._primary_sale()
        token = self._random.choice(list(self._owners))
        return (self._move(token, self._owners[token], self._wallet()),)

    def _sale(self, token: str, seller: str) -> tuple[Log, ...]:
        buyer = self._wallet()
        price = _number(self._random.randrange(WEI_PER_ETHER))
        sold = Log(MARKET_CONTRACT, (TICKET_SOLD.topic, _word(TICKET_CONTRACT), token, buyer), seller + price[2:])
        return (self._move(token, seller, buyer), sold)

    def _move(self, token: str, giver: str, taker: str) -> Log:
        self._owners[token] = taker
        return Log(TICKET_CONTRACT, (TRANSFER.topic, giver, taker, token))

    def _foreign_coin(self) -> tuple[Log, ...]:
        """Our topic, another contract: with an approval of a ticket in the same block, the bloom filter says yes."""
        amount = _number(self._random.randrange(WEI_PER_ETHER))
        return (Log(FOREIGN_COIN, (TRANSFER.topic, self._wallet(), self._wallet()), amount),)

    def _approval(self) -> tuple[Log, ...]:
        """Our contract, another topic."""
        return (Log(TICKET_CONTRACT, (APPROVAL, self._wallet(), self._wallet(), _number(1))),)

    def _foreign(self) -> tuple[Log, ...]:
        topics = tuple(_number(self._random.getrandbits(256)) for _ in range(self._random.randrange(5)))
        return (Log(FOREIGN_CONTRACT, topics, "0x" + self._random.randbytes(self._random.randrange(100)).hex()),)

    def _wallet(self) -> str:
        return _word(self._random.choice(WALLETS))


def _moves_a_ticket(log: Log) -> bool:
    return log.address == TICKET_CONTRACT and log.topics[:1] == (TRANSFER.topic,) and len(log.topics) == 4


def _number(value: int) -> str:
    return f"0x{value:064x}"


def _word(address: str) -> str:
    return "0x" + "00" * 12 + address[2:]
