"""Parity with a published feature set: the folds' answers and the book's own file, row by row, to the cent."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.features.folds import run_fold
from ticketintel_pipelines.features.rows import SEEN, Integers
from ticketintel_pipelines_tests.handbook import COLUMNS, FEATURES, FOLDS, TRANSACTIONS, WINDOWS, features_of, rows_of
from ticketintel_pipelines_tests.shared_data import shared_data

END = int(np.datetime64("2018-07-01", "us").astype(np.int64))

SEES_A_PEER = {602_592, 618_813, 619_758, 620_077}
"""Transactions in whose windows the book has the customer's other one of the same second."""


@dataclass(frozen=True)
class Parity:
    """The rows that the book published: its features, ours, and the transactions themselves."""

    book: pa.Table
    ours: pa.Table
    customer_and_second: list[tuple[int, int]]

    @property
    def transaction_ids(self) -> Integers:
        return self.book["TRANSACTION_ID"].to_numpy()

    def differing(self, feature: str) -> set[int]:
        """The transactions of which the book says something else about a feature."""
        if "AVG_AMOUNT" in feature:
            count = feature.replace("AVG_AMOUNT", "NB_TX")
            # The sums in cents behind the averages: they are whole, whatever the order in which they were added up.
            book, ours = (np.rint(side[feature].to_numpy() * side[count].to_numpy() * 100) for side in (self.book, self.ours))
        else:
            book, ours = (side[feature].to_numpy() for side in (self.book, self.ours))
        return set(self.transaction_ids[book != ours].tolist())


@cache
def parity() -> Parity:
    folder = shared_data("fraud_handbook")
    rows = rows_of(pq.read_table(folder / TRANSACTIONS, columns=list(COLUMNS)))
    for fold in FOLDS:
        rows.add(run_fold(fold, {"transactions": rows}, END).answers)
    book = pq.read_table(folder / FEATURES)
    places = np.searchsorted(rows["transaction_id"], book["TRANSACTION_ID"].to_numpy())
    seconds = zip(rows["customer_id"][places].tolist(), rows[SEEN][places].tolist(), strict=True)
    return Parity(book, features_of(duckdb.connect(), rows).take(pa.array(places)), list(seconds))


@pytest.mark.parametrize("feature", ["TX_DURING_WEEKEND", "TX_DURING_NIGHT"])
def test_hours_are_the_books(feature: str) -> None:
    assert parity().differing(feature) == set()


@pytest.mark.parametrize("days", WINDOWS)
@pytest.mark.parametrize("feature", ["NB_TX", "RISK"])
def test_terminal_windows_are_the_books(feature: str, days: int) -> None:
    # Peers of the same second fall out: both of the windows that are subtracted have them.
    assert parity().differing(f"TERMINAL_ID_{feature}_{days}DAY_WINDOW") == set()


@pytest.mark.parametrize("days", WINDOWS)
@pytest.mark.parametrize("feature", ["NB_TX", "AVG_AMOUNT"])
def test_customer_windows_are_the_books_but_for_peers_of_the_same_second(feature: str, days: int) -> None:
    assert parity().differing(f"CUSTOMER_ID_{feature}_{days}DAY_WINDOW") == SEES_A_PEER


def test_the_book_shows_one_of_two_peers_the_other_one() -> None:
    found = parity()
    peers: dict[tuple[int, int], list[int]] = {}
    for place, customer_and_second in enumerate(found.customer_and_second):
        peers.setdefault(customer_and_second, []).append(place)
    pairs = [places for places in peers.values() if len(places) > 1]
    assert len(pairs) == len(SEES_A_PEER)
    for places in pairs:
        # Of each pair one transaction sees the other; we show neither to either.
        assert len(places) == 2
        assert len({int(found.transaction_ids[place]) for place in places} & SEES_A_PEER) == 1
    seen = np.isin(found.transaction_ids, list(SEES_A_PEER))
    for days in WINDOWS:
        count = f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"
        assert (found.book[count].to_numpy() - found.ours[count].to_numpy() == seen).all()


def test_averages_are_equal_up_to_the_order_of_addition() -> None:
    found = parity()
    alike = ~np.isin(found.transaction_ids, list(SEES_A_PEER))
    for days in WINDOWS:
        name = f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"
        np.testing.assert_allclose(found.ours[name].to_numpy()[alike], found.book[name].to_numpy()[alike], rtol=1e-9)


def test_windows_are_nested() -> None:
    for narrow, wide in pairwise(WINDOWS):
        for name in ("CUSTOMER_ID_NB_TX", "TERMINAL_ID_NB_TX"):
            ours = parity().ours
            assert (ours[f"{name}_{narrow}DAY_WINDOW"].to_numpy() <= ours[f"{name}_{wide}DAY_WINDOW"].to_numpy()).all()
