"""Features one transaction at a time, replayed over 100,000 simulated transactions and held against the batch.

Folds answer each transaction by itself, from states that have learned what was seen before it, and so does the graph, from the
transfers up to the day before. Their answers are then made into features by the families' SQL and compared with those of the
batch, value by value; every hundredth transaction is also asked for its features by itself, SQL included, and timed.
"""

import json
import statistics
import time
from collections import defaultdict

import duckdb
import numpy as np
import pyarrow as pa

from ticketintel_pipelines.features.families import Family
from ticketintel_pipelines.features.online import OnlineFeatures
from ticketintel_pipelines.features.online_graph import no_moves
from ticketintel_pipelines.features.states import no_states
from ticketintel_pipelines.stages.feature_rows import formula
from ticketintel_pipelines.ticketing.features.families import FAMILIES
from ticketintel_pipelines_tests.feature_world import DESCRIBING, in_one_go, in_order, observations

TRANSACTIONS = 100_000
ASKED_WHOLE_EVERY = 100


def answers_of(family: Family) -> list[str]:
    """The columns that its folds or its graph answer."""
    score = [family.graph.score] if family.graph else []
    return [*score, *(name for fold in family.folds for name in fold.answers)]


def main() -> None:
    tables = observations(TRANSACTIONS, seed=7)
    started = time.perf_counter()
    batch = in_one_go(tables)
    batch_seconds = time.perf_counter() - started
    rows = {family.name: batch[family.name].to_pylist() for family in DESCRIBING}
    online = OnlineFeatures(FAMILIES, lambda family: no_states, no_moves)
    answers: dict[str, dict[str, list[int | float | None]]] = {family.name: defaultdict(list) for family in DESCRIBING}
    seconds: list[float] = []
    differences = 0
    for table, place, row in in_order(tables):
        if table == "transactions" and place % ASKED_WHOLE_EVERY == 0:
            started = time.perf_counter()
            found = online.features_for(table, row)
            seconds.append(time.perf_counter() - started)
            differences += sum(
                found[column.name] != rows[family.name][place][column.name]
                for family in DESCRIBING
                for column in family.features
            )
        told = online.see(table, row)
        if table == "transactions":
            for family in DESCRIBING:
                for name in answers_of(family):
                    answers[family.name][name].append(told[family.name][name])
    compared = 0
    with duckdb.connect() as engine:
        for family in DESCRIBING:
            asked = tables["transactions"]
            for name, values in answers[family.name].items():
                asked = asked.append_column(name, pa.array(values, pa.int64() if family.folds else pa.float64()))
            made = formula(engine, family, asked, {})
            for column in family.features:
                pairs = zip(made[column.name].to_pylist(), batch[family.name][column.name].to_pylist(), strict=True)
                differences += sum(one != other for one, other in pairs)
                compared += len(made)
    median, slowest = 1e3 * statistics.median(seconds), 1e3 * float(np.quantile(seconds, 0.99))
    print(f"batch: {TRANSACTIONS:,} transactions in {batch_seconds:.1f} s")
    print(f"online: {compared:,} features compared, {differences} differences")
    print(f"one transaction, SQL included: {median:.2f} ms (median), {slowest:.2f} ms (p99)")
    print(json.dumps({"differences": differences, "compared": compared, "median_ms": round(median, 3)}))


if __name__ == "__main__":
    main()
