"""A single transaction is answered from states exactly as the nightly batch answers it."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ticketintel_pipelines.features.families import Graph
from ticketintel_pipelines.features.folds import DAY
from ticketintel_pipelines.features.online import OnlineFeatures
from ticketintel_pipelines.features.online_graph import OnlineGraph, no_moves
from ticketintel_pipelines.features.rows import SEEN, Rows
from ticketintel_pipelines_tests.feature_world import DESCRIBING, FAMILIES, in_one_go, in_order, no_states, observations
from ticketintel_pipelines_tests.kept_states import Kept


def assert_asked_as_the_batch(online: OnlineFeatures, tables: Mapping[str, pa.Table], since: int) -> int:
    """Replay what was seen from an instant on; returns how many transactions were compared."""
    batch = in_one_go(tables)
    expected = {family.name: batch[family.name].to_pylist() for family in DESCRIBING}
    compared = 0
    for table, place, row in in_order(tables):
        if row[SEEN] < since:
            continue
        if table == "transactions":
            found = online.features_for(table, row)
            for family in DESCRIBING:
                for column in family.features:
                    assert found[column.name] == expected[family.name][place][column.name], (column.name, place)
            compared += 1
        online.see(table, row)
    return compared


def test_transactions_one_at_a_time_equal_the_batch() -> None:
    online = OnlineFeatures(FAMILIES, lambda family: no_states, no_moves)
    assert assert_asked_as_the_batch(online, observations(1000, seed=1), since=0) == 1000


def test_transactions_after_a_night_equal_the_batch() -> None:
    """Asked on top of what the store has of the days before, of which the values that a transaction brings are looked up."""
    tables, night = observations(1000, seed=3), 25 * DAY
    before = {name: table.filter(pc.less(table[SEEN], night)) for name, table in tables.items()}
    kept = {family.name: Kept() for family in FAMILIES}
    in_one_go(before, night, kept)
    online = OnlineFeatures(
        FAMILIES,
        lambda family: kept[family.name].read,
        lambda graph: Rows.from_arrow(before[graph.of], (SEEN, graph.giver, graph.receiver)),
    )
    assert assert_asked_as_the_batch(online, tables, since=night) > 300


def test_asking_leaves_no_trace() -> None:
    tables = observations(300, seed=2)
    online = OnlineFeatures(FAMILIES, lambda family: no_states, no_moves)
    rows = list(in_order(tables))
    for table, _, row in rows[:-1]:
        online.see(table, row)
    later = dict(tables["transactions"].to_pylist()[0]) | {SEEN: rows[-1][2][SEEN]}
    assert online.features_for("transactions", later) == online.features_for("transactions", later)


def test_a_transfer_counts_from_the_day_after_until_its_days_are_over() -> None:
    graph = Graph("passed", "moves", "giver", "receiver", "receiver", days=3)
    online = OnlineGraph(graph, Rows({name: np.array([value]) for name, value in (("seen", 0), ("giver", 1), ("receiver", 2))}))

    def score(wallet: int | None, day: int) -> float | None:
        return online.ask({"seen": day * DAY, "receiver": wallet})["passed_score"]

    alone = score(2, 1)
    assert alone is not None and alone > 1
    assert (score(None, 1), score(9, 1)) == (None, None)
    online.learn({"seen": DAY, "giver": 3, "receiver": 9})
    online.learn({"seen": DAY, "giver": None, "receiver": 8})
    assert (score(9, 1), score(2, 1)) == (None, alone)
    assert score(9, 2) == score(2, 2) == pytest.approx(alone)
    assert score(9, 3) == score(2, 3) == pytest.approx(alone)
    assert (score(9, 4), score(2, 4)) == (alone, None)
    assert (score(9, 5), score(2, 5)) == (None, None)
