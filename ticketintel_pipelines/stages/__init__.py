"""The stages of the flow, each as plain functions over a workspace: what an asset of that stage does when it is materialized.

`workspace.py` bundles the lake, DuckDB and Postgres of one run, `extract.py` checks what was landed, `validate.py` judges and
publishes, `view.py` refreshes. Which tables there are belongs to a domain; Dagster belongs to `dagster_kit/`.
"""
