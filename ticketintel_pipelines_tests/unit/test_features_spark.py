"""Folds on Apache Spark answer every row, and leave every state, as the engine of one machine does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.features import spark
from ticketintel_pipelines.features.folds import (
    DAY,
    HOUR,
    Distinct,
    Fold,
    Latest,
    Lifetime,
    Median,
    Trailing,
    run_fold,
    stored_states,
)
from ticketintel_pipelines.features.rows import EVERYTHING, MISSING, Integers, Rows, nullable
from ticketintel_pipelines.features.spark_session import local_session, why_not
from ticketintel_pipelines_tests.kept_states import Kept

TRANSACTIONS, REFUNDS = 20_000, 3_000
DAYS = 60
SPANS = Trailing({"1h": HOUR, "30d": 30 * DAY})
FOLDS = (
    Fold("bought", "transactions", "wallet", SPANS, "transactions", "wallet", ("amount",)),
    Fold("spent", "transactions", "wallet", Lifetime(), "transactions", "wallet", ("amount", "fee")),
    Fold("before", "transactions", "wallet", Latest(3), "transactions", "wallet", ("event", "amount")),
    Fold("events", "transactions", "wallet", Distinct(), "transactions", "wallet", ("event",), "event"),
    Fold("prices", "transactions", "event", Median(), "transactions", "event", ("amount",)),
    Fold("refunds", "refunds", "holder", SPANS, "transactions", "wallet", ("amount",)),
    Fold("refunded", "refunds", "holder", Distinct(), "transactions", "wallet", ("event",), "event"),
    Fold("demand", "transactions", EVERYTHING, Lifetime(), "transactions", EVERYTHING),
    Fold("counted", "transactions", "wallet", Median(), "transactions", "wallet", ("spent_count",)),
)
"""Every aggregate; a table that asks itself and one that asks another; all rows as one key; an answer as another's value."""


def simulated_world() -> dict[str, Rows]:
    """Few keys of very different size, many ties, an hour's grid, a silent fortnight, missing keys and values."""
    rng = np.random.default_rng(4)
    wallets, events = rng.integers(1, 1 << 62, 900), rng.integers(1, 1 << 62, 40)

    def drawn(keys: Integers, rows: int) -> Integers:
        found = keys[(len(keys) * rng.random(rows) ** 3).astype(int)]
        found[rng.random(rows) < 0.05] = MISSING
        return found

    def rows(count: int, key: str, with_fee: bool) -> Rows:
        hours = np.sort(rng.integers(0, DAYS * 24, count))
        hours = hours[(hours < 20 * 24) | (hours > 34 * 24)]
        amounts = rng.integers(-50, 1000, len(hours))
        amounts[rng.random(len(hours)) < 0.1] = MISSING
        columns = {"seen": hours * HOUR, key: drawn(wallets, len(hours)), "event": drawn(events, len(hours)), "amount": amounts}
        return Rows(columns | ({"fee": rng.integers(0, 9, len(hours))} if with_fee else {}))

    return {
        "transactions": rows(TRANSACTIONS * 4 // 3, "wallet", with_fee=True),
        "refunds": rows(REFUNDS, "holder", with_fee=False),
    }


def piece(world: dict[str, Rows], first: int, last: int) -> dict[str, Rows]:
    """The rows of some days."""
    cut = {}
    for name, rows in world.items():
        inside = (rows["seen"] >= first * DAY) & (rows["seen"] < last * DAY)
        cut[name] = Rows({column: values[inside] for column, values in rows.columns.items()})
    return cut


def on_one_machine(tables: dict[str, Rows], horizon: int, held: Kept) -> dict[str, Integers]:
    answers: dict[str, Integers] = {}
    for fold in FOLDS:
        folded = run_fold(fold, tables, horizon, held.read)
        held.write(fold.name, folded.states)
        tables[fold.asked_by].add(folded.answers)
        answers |= folded.answers
    return answers


def assert_equal(expected: dict[str, Integers], found: pa.Table) -> None:
    found = found.sort_by("row")
    for name, values in expected.items():
        assert found[name].combine_chunks().equals(nullable(values)), name


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with local_session(tmp_path_factory.mktemp("spark"), settings={"spark.sql.shuffle.partitions": "2"}) as session:
        yield session


@pytest.mark.slow
def test_every_aggregate_equals_the_engine_row_for_row_from_piece_to_piece(session: Any) -> None:
    world, held, states = simulated_world(), Kept(), None
    for first, last in ((0, 25), (25, DAYS)):
        tables = piece(world, first, last)
        frames = {name: spark.frame_of(session, rows) for name, rows in tables.items()}
        expected = on_one_machine(tables, last * DAY, held)
        asked, states = spark.run_folds_on_spark(FOLDS, frames, last * DAY, states)
        assert_equal(expected, asked["transactions"].toArrow())
        found = states.toArrow().to_pylist()
        assert {(row["fold"], row["key"]): row["words"] for row in found} == held.without_empty
        assert len(found) == len(held.without_empty)


def test_rows_at_hand_are_answered_as_by_the_engine(session: Any) -> None:
    folds = [FOLDS[0], FOLDS[1], FOLDS[3]]
    tables, horizon = piece(simulated_world(), 0, 10), 10 * DAY
    held = Kept()
    for name, stored in stored_states(folds, {fold.name: run_fold(fold, tables, horizon).states for fold in folds}).items():
        held.write(name, stored)
    later, horizon = piece(simulated_world(), 10, 20), 20 * DAY
    answers, states = spark.fold_all_on_spark(session, folds, later, horizon, held.read)
    for fold in folds:
        folded = run_fold(fold, later, horizon, held.read)
        for name, values in folded.answers.items():
            np.testing.assert_array_equal(answers[name], values)
        order = np.argsort(folded.states.keys)
        np.testing.assert_array_equal(states[fold.name].keys, folded.states.keys[order])
        np.testing.assert_array_equal(states[fold.name].lengths, folded.states.lengths[order])


def test_rows_of_the_lake_are_numbered_in_their_order(session: Any, tmp_path: Path) -> None:
    for day, first in (("2026-03-09", 0), ("2026-03-10", 3)):
        part = tmp_path / f"day={day}" / "part0.parquet"
        part.parent.mkdir()
        pq.write_table(pa.table({"seen": [first, first, first + 1], "wallet": [9, None, 7]}), part)
    rows = spark.read_rows(session, str(tmp_path), ["wallet"]).toArrow().sort_by("row")
    assert rows["seen"].to_pylist() == [0, 0, 1, 3, 3, 4]
    assert rows["wallet"].to_pylist() == [9, None, 7, 9, None, 7]
    assert len(set(rows["row"].to_pylist())) == 6


def test_a_local_session_is_reached_from_this_machine_alone(session: Any) -> None:
    listening = [
        connection.laddr.ip
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert {address.removeprefix("::ffff:") for address in listening} <= {"127.0.0.1"}
    assert session.conf.get("spark.sql.session.timeZone") == "UTC"


def test_nothing_is_left_in_the_working_folder(session: Any) -> None:
    assert not {"spark-warehouse", "metastore_db", "derby.log", "artifacts"} & {path.name for path in Path.cwd().iterdir()}
