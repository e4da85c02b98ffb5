"""EVM logs as columns: hexadecimal text to bytes, bytes to decoded events, and back for simulated worlds.

Everything here works on whole columns and knows no business: which contract is a ticket belongs to a domain. `rpc` talks to
nodes, `extraction` takes blocks and logs from them.
"""
