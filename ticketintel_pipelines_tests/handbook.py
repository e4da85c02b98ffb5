"""The published features of simulated card transactions, declared as folds and a formula.

Source: Le Borgne, Siblini, Lebichot, Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection", chapter 3,
baseline feature transformation. Its windows are those of pandas: (t - w, t], the row itself among them. Folds see less, only
what is strictly earlier; the formula adds the row itself. A terminal's window of w days ends a week before the row, because it
takes a week to hear of a fraud: what a window of w + 7 days sees and one of 7 days does not.
"""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.features.folds import DAY, Fold, Trailing
from ticketintel_pipelines.features.rows import SEEN, Rows, integers
from ticketintel_pipelines.lake.engine import fetch_table

TRANSACTIONS = "transactions_2018_04_06.parquet"
FEATURES = "features_2018_06_first_half.parquet"

DELAY_DAYS = 7
WINDOWS = (1, 7, 30)

FOLDS = (
    Fold(
        "customer",
        of="transactions",
        by="customer_id",
        values=("amount_cents",),
        aggregate=Trailing({f"{days}d": days * DAY for days in WINDOWS}),
        asked_by="transactions",
        asked_key="customer_id",
    ),
    Fold(
        "terminal",
        of="transactions",
        by="terminal_id",
        values=("fraud",),
        aggregate=Trailing({"delay": DELAY_DAYS * DAY} | {f"{days}d": (days + DELAY_DAYS) * DAY for days in WINDOWS}),
        asked_by="transactions",
        asked_key="terminal_id",
    ),
)

_CUSTOMER = """
    customer_{days}d + 1 AS CUSTOMER_ID_NB_TX_{days}DAY_WINDOW,
    (customer_{days}d_amount_cents + amount_cents) / 100 / (customer_{days}d + 1) AS CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"""
_TERMINAL = """
    terminal_{days}d - terminal_delay AS TERMINAL_ID_NB_TX_{days}DAY_WINDOW,
    coalesce((terminal_{days}d_fraud - terminal_delay_fraud) / nullif(terminal_{days}d - terminal_delay, 0), 0)
        AS TERMINAL_ID_RISK_{days}DAY_WINDOW"""
FORMULA = f"""
SELECT
    transaction_id AS TRANSACTION_ID,
    CAST(dayofweek(make_timestamp(seen)) IN (0, 6) AS BIGINT) AS TX_DURING_WEEKEND,
    CAST(hour(make_timestamp(seen)) <= 6 AS BIGINT) AS TX_DURING_NIGHT,
    {",".join(block.format(days=days) for block in (_CUSTOMER, _TERMINAL) for days in WINDOWS)}
FROM asked
"""

_COLUMNS = {
    "transaction_id": "TRANSACTION_ID",
    "customer_id": "CUSTOMER_ID",
    "terminal_id": "TERMINAL_ID",
    "fraud": "TX_FRAUD",
}


COLUMNS = (*_COLUMNS.values(), "TX_DATETIME", "TX_AMOUNT")
"""The columns of the transactions that features are made of."""


def rows_of(transactions: pa.Table) -> Rows:
    """The transactions as folds take them, amounts in whole cents."""
    columns = {name: integers(transactions[column]) for name, column in _COLUMNS.items()}
    columns[SEEN] = integers(transactions["TX_DATETIME"].cast(pa.timestamp("us")))
    columns["amount_cents"] = np.rint(pc.multiply(transactions["TX_AMOUNT"], 100.0).to_numpy()).astype(np.int64)
    return Rows(columns)


def features_of(engine: duckdb.DuckDBPyConnection, rows: Rows) -> pa.Table:
    """The 14 features, under their published names, of transactions that have the folds' answers."""
    engine.register("asked", pa.table(rows.columns))
    return fetch_table(engine, FORMULA)
