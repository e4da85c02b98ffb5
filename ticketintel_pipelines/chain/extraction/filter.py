"""Which logs are wanted, as a node is asked for them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LogFilter:
    """The logs of any of `addresses` whose topic0 is any of `topics`, as lower-case `0x` text; empty means all."""

    addresses: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", tuple(address.lower() for address in self.addresses))
        object.__setattr__(self, "topics", tuple(topic.lower() for topic in self.topics))

    @property
    def members(self) -> dict[str, Any]:
        """The members of an eth_getLogs parameter that say what is wanted."""
        wanted: dict[str, Any] = {}
        if self.addresses:
            wanted["address"] = list(self.addresses)
        if self.topics:
            wanted["topics"] = [list(self.topics)]
        return wanted
