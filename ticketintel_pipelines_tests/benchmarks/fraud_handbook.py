"""Fraud among the handbook's simulated card transactions: our features and training beside the book's best model.

    python -m ticketintel_pipelines_tests.benchmarks.fraud_handbook [--transactions FILE] [--start DAY]

Both sides are trained in the same run and tested on the same rows. The book's model learns from the amount and its 14 features,
of one week of transactions; ours from all that was labelled on the training day, up to `TRAIN_DAYS`, as
`fraud_handbook_features` describes it. A third line is the book's model with our base score and number of bins. No side sees a
scenario: where the file has them, they give the ceiling in the report. The last line is JSON.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.features.folds import run_fold
from ticketintel_pipelines.features.rows import SEEN, Rows
from ticketintel_pipelines.learning.estimators import Estimator, XGBoost
from ticketintel_pipelines.learning.examples import DAY, NEVER, Examples, Features, Flags, Floats, Integers
from ticketintel_pipelines.learning.splits import Split
from ticketintel_pipelines_tests import handbook
from ticketintel_pipelines_tests.benchmarks import fraud_handbook_features as own
from ticketintel_pipelines_tests.benchmarks import fraud_handbook_report as report
from ticketintel_pipelines_tests.benchmarks.fraud_handbook_protocol import (
    BOOK_SPLIT,
    FOLDS,
    WEEK,
    Week,
    examples_of,
    unseen,
    weeks,
)

TRANSACTIONS = Path(__file__).parents[2].parent / "shared" / "data" / "fraud_handbook" / handbook.TRANSACTIONS
START = "2018-05-18"
"""So that the four test weeks are June's first 28 days."""
SCENARIO = "TX_FRAUD_SCENARIO"
OURS, BOOK, BOOK_BINNED = report.OURS, report.BOOK, report.BOOK_BINNED

TRAIN_DAYS = 60
ORDINARY_SHARE = 0.15
"""Of the ordinary genuine transactions so many are learned from, each with the weight of those that it stands for."""
SEEDS = (1, 2)
ESTIMATOR = XGBoost(trees=200, depth=4, rate=0.05, max_bin=2048, least_child_weight=5.0, columns=0.5, l2=10.0)


@dataclass(frozen=True)
class Prepared:
    """Transactions with both sides' features, (n, m) and (n, 15), and which frauds nothing gives away, where that is known."""

    examples: Examples
    book: Features
    hidden: Flags | None

    @property
    def truth(self) -> Integers:
        return (self.examples.known_at != NEVER).astype(np.int64)


def read(path: Path, past_day: int) -> pa.Table:
    """The transactions before a day (since 1970 UTC), in order of time.

    Raises:
        ValueError: the file lacks one of the columns.
    """
    there = pq.read_schema(path).names
    if missing := set(handbook.COLUMNS) - set(there):
        raise ValueError(f"{path} lacks the columns {', '.join(sorted(missing))}")
    table = pq.read_table(path, columns=[*handbook.COLUMNS, *({SCENARIO} & set(there))])
    at = table["TX_DATETIME"].cast(pa.timestamp("us"))
    table = table.filter(pc.less(at, pa.scalar(past_day * DAY, pa.timestamp("us"))))
    # The order of the file breaks ties.
    order = np.argsort(table["TX_DATETIME"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(), kind="stable")
    return table if (np.diff(order) == 1).all() else table.take(pa.array(order))


def book_features(table: pa.Table) -> Features:
    """The amount and the book's other 14 features (n, 15), from the parity-tested declaration."""
    rows = handbook.rows_of(table)
    for fold in handbook.FOLDS:
        rows.add(run_fold(fold, {"transactions": rows}, int(rows[SEEN][-1]) + 1, threads=own.THREADS).answers)
    made = handbook.features_of(duckdb.connect(), rows).drop_columns(["TRANSACTION_ID"])
    columns = [table["TX_AMOUNT"].to_numpy(), *(column.to_numpy() for column in made.columns)]
    return np.column_stack(columns).astype(np.float32)


def prepare(table: pa.Table) -> Prepared:
    rows: Rows = handbook.rows_of(table)
    own.fold_rows(rows)
    features = own.features_of(rows)
    examples = examples_of(rows, tuple(features), np.column_stack(list(features.values())))
    hidden = unseen(rows, table[SCENARIO].to_numpy()) if SCENARIO in table.column_names else None
    return Prepared(examples, book_features(table), hidden)


def score_ours(
    prepared: Prepared, week: Week, estimator: Estimator = ESTIMATOR, columns: slice | Integers = slice(None)
) -> Floats:
    """Mean log odds over the seeds, (n,) for the test rows; scores rank, they are not probabilities here."""
    examples = prepared.examples
    labels = examples.labels(week.fold.trained_at)[week.ours]
    # Genuine rows that look like fraud are few, and what the model has to learn from: a sample would lose them.
    needed = (labels == 1) | own.suspicious(examples)[week.ours]
    test = examples.features[week.fold.test][:, columns]
    total = np.zeros(len(test))
    for seed in SEEDS:
        kept = needed | (np.random.default_rng(seed).random(len(labels)) < ORDINARY_SHARE)
        weights = np.where(needed[kept], 1.0, 1 / ORDINARY_SHARE)
        fitted = estimator.fit(examples.features[week.ours[kept]][:, columns], labels[kept], seed, weights)
        found = np.clip(fitted.predict(test), 1e-9, 1 - 1e-9)
        total += np.log(found) - np.log1p(-found)
    return total / len(SEEDS)


def score_book(prepared: Prepared, week: Week, **more: float) -> Floats:
    """The book's best model, with the library's defaults but for what the book says."""
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=100, max_depth=3, learning_rate=0.1, n_jobs=own.THREADS, random_state=0, **more)
    labels = prepared.examples.labels(week.fold.trained_at)
    model.fit(prepared.book[week.fold.train], labels[week.fold.train])
    found: Floats = model.predict_proba(prepared.book[week.fold.test])[:, 1].astype(np.float64)
    return found


def run(table: pa.Table, start_day: int) -> tuple[list[report.Judged], Mapping[str, float]]:
    """Prepare, train and judge; the folds, and the seconds of each step."""
    began = time.perf_counter()
    prepared = prepare(table)
    seconds = {"features": time.perf_counter() - began, OURS: 0.0, BOOK: 0.0, BOOK_BINNED: 0.0}
    truth, judged = prepared.truth, []
    split = Split(TRAIN_DAYS, BOOK_SPLIT.delay_days, WEEK, FOLDS)
    sides = {
        OURS: lambda week: score_ours(prepared, week),
        BOOK: lambda week: score_book(prepared, week),
        BOOK_BINNED: lambda week: score_book(prepared, week, base_score=0.5, max_bin=2048),
    }
    for week in weeks(prepared.examples, start_day, split):
        scores = {}
        for side, score in sides.items():
            began = time.perf_counter()
            scores[side] = score(week)
            seconds[side] += time.perf_counter() - began
        hidden = None if prepared.hidden is None else prepared.hidden[week.fold.test]
        judged.append(report.judge(prepared.examples, truth, week, scores, hidden))
    return judged, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Our fraud model beside the handbook's best.")
    parser.add_argument("--transactions", type=Path, default=TRANSACTIONS, help="Parquet with the handbook's columns")
    parser.add_argument("--start", default=START, help=f"first day of the first training week, {START} unless told")
    options = parser.parse_args()
    if not options.transactions.exists():
        parser.error(f"{options.transactions} is not there; the handbook's rows are not distributed with the project")
    start_day = int(np.datetime64(options.start, "D").astype(np.int64))
    # XGBoost's threads wait for each other busily unless told: beside other programs that costs several times the work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    began = time.perf_counter()
    try:
        table = read(options.transactions, start_day + 2 * WEEK + FOLDS * WEEK)
        judged, seconds = run(table, start_day)
    except ValueError as error:
        parser.error(str(error))
    report.show(judged, seconds | {"all": time.perf_counter() - began}, table.num_rows)
    print(json.dumps(report.averages(judged)))


if __name__ == "__main__":
    main()
