"""The lake: Parquet files by domain, stage, table and day.

`layout.py` says where a partition lies, `partitions.py` replaces partitions so that no reader sees half of one, and
`engine.py` opens DuckDB over them. What the rows mean belongs to the domains.
"""
