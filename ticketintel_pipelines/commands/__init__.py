"""The commands of `ticketintel`, a file for each group of them: its parsers, and what they call.

`cli.py` puts them together. What takes long to load - Dagster, DuckDB, the business, even sockets - is imported by the command
that needs it, so that `ticketintel --help` answers at once.
"""
