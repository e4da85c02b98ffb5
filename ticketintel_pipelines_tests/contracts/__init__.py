"""A ticket contract and a market, compiled by Vyper and put on a real node: what happens there, happens by execution.

`business` deploys them and says what the platform and the holders of tickets do with them.
"""
