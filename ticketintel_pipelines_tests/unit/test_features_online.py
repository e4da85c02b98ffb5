"""A single transaction is answered from states exactly as the nightly batch answers it."""

from ticketintel_pipelines.features.online import OnlineFeatures
from ticketintel_pipelines.features.rows import SEEN
from ticketintel_pipelines_tests.feature_world import DESCRIBING, FAMILIES, in_one_go, in_order, no_states, observations


def test_transactions_one_at_a_time_equal_the_batch() -> None:
    tables = observations(1000, seed=1)
    batch = in_one_go(tables)
    expected = {family.name: batch[family.name].to_pylist() for family in DESCRIBING}
    online = OnlineFeatures(FAMILIES, lambda family: no_states)
    compared = 0
    for table, place, row in in_order(tables):
        if table == "transactions":
            found = online.features_for(table, row)
            for family in DESCRIBING:
                for column in family.features:
                    assert found[column.name] == expected[family.name][place][column.name], (column.name, place)
            compared += 1
        online.see(table, row)
    assert compared == 1000


def test_asking_leaves_no_trace() -> None:
    tables = observations(300, seed=2)
    online = OnlineFeatures(FAMILIES, lambda family: no_states)
    rows = list(in_order(tables))
    for table, _, row in rows[:-1]:
        online.see(table, row)
    later = dict(tables["transactions"].to_pylist()[0]) | {SEEN: rows[-1][2][SEEN]}
    assert online.features_for("transactions", later) == online.features_for("transactions", later)
