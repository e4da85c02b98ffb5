"""A deterministic simulated ticketing platform in the raw contract, with the truth about who did what.

Here belongs everything that invents data; nothing of the pipeline imports it.
"""

from ticketintel_pipelines.ticketing.simulator.simulation import SimulationSummary, simulate

__all__ = ["SimulationSummary", "simulate"]
