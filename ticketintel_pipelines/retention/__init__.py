"""Retention: how long rows are kept, and the archive, the purge and the ledger that carry it out and prove it.

Knows no domain and no Dagster. `policy.py` says how long, `plan.py` what is due, `carrying.py` does it act by act; what an
act is made of lies in `archive.py` and `purge.py`. `lake.py` purges the lake, `traces.py` what the pipeline leaves behind, and
`erasure.py` erases a person.
"""
