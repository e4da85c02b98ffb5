"""A chain in memory and a node that serves it over HTTP, with the faults that real nodes have.

`chain` holds the blocks and is the ground truth, `trade` invents what happens in them, `encoding` gives them true blooms and
receipts, `answers` is what an honest node says, `faults` what goes wrong on the way, `server` the node.
"""

from ticketintel_pipelines_tests.chain_double.answers import Limits
from ticketintel_pipelines_tests.chain_double.chain import Block, DoubleChain, Log, Transaction
from ticketintel_pipelines_tests.chain_double.faults import Fault, Faults
from ticketintel_pipelines_tests.chain_double.server import NodeDouble
from ticketintel_pipelines_tests.chain_double.trade import TICKET_CONTRACT

__all__ = ["TICKET_CONTRACT", "Block", "DoubleChain", "Fault", "Faults", "Limits", "Log", "NodeDouble", "Transaction"]
