"""How somebody behaves, in figures: regularity, sharing, written rules with their proof, and how far out of the usual.

Nothing here knows a domain: rows have subjects (a session, an address, an account), times and columns.
"""
