"""A chain on a development node: making it hold what was simulated. Nothing of the nightly pipeline imports this room.

`node` speaks to such a node, `emitter` is the code that lets any address emit any log. What is to be emitted is the business
of a domain's simulator.
"""
