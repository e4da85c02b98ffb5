"""Nodes for one test each, stopped afterwards."""

from collections.abc import Iterator

import pytest

from ticketintel_pipelines_tests.contracts.business import Business, open_business
from ticketintel_pipelines_tests.node import Node, running_node


@pytest.fixture
def node() -> Iterator[Node]:
    with running_node() as node:
        yield node


@pytest.fixture
def business(node: Node) -> Business:
    """A market and a ticket contract on a node of their own."""
    return open_business(node)
