"""What of a domain is taken from a chain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ticketintel_pipelines.contract import Table


@dataclass(frozen=True)
class ChainTables:
    """A domain's raw tables of the chain, and the topics that its decoder knows."""

    blocks: Table
    logs: Table
    topics: tuple[str, ...]
    inputs: Mapping[str, Sequence[str]]
    """Raw tables that each validated table is made of."""
