"""The public yardstick: folds and left-out cards are the book's, and no feature sees a label before it is known."""

import numpy as np
import pyarrow as pa
import pytest

from ticketintel_pipelines.features.rows import SEEN, Integers
from ticketintel_pipelines.learning.examples import DAY, Examples
from ticketintel_pipelines.learning.splits import Split
from ticketintel_pipelines_tests import handbook
from ticketintel_pipelines_tests.benchmarks import fraud_handbook_features as own
from ticketintel_pipelines_tests.benchmarks.fraud_handbook_protocol import examples_of, unseen, weeks

FIRST_DAY = int(np.datetime64("2018-04-01", "D").astype(np.int64))
DAYS = 48
DELAY = 7


def transactions(seed: int, rows: int = 4_000, cards: int = 60, terminals: int = 40) -> pa.Table:
    """Random transactions under the published column names; frauds come at any card and terminal, some at odd amounts."""
    random = np.random.default_rng(seed)
    at = np.sort(random.integers(0, DAYS * 86_400, rows)) + FIRST_DAY * 86_400
    fraud = (random.random(rows) < 0.05).astype(np.int64)
    terminal = random.integers(0, terminals, rows)
    fraud[(terminal == 3) & (at > (FIRST_DAY + 20) * 86_400)] = 1
    amount = np.round(random.uniform(1, 100, rows) * np.where(random.random(rows) < 0.05, 5, 1), 2)
    return pa.table(
        {
            "TRANSACTION_ID": np.arange(rows),
            "TX_DATETIME": pa.array(at.astype("datetime64[s]")).cast(pa.timestamp("ns")),
            "CUSTOMER_ID": random.integers(0, cards, rows),
            "TERMINAL_ID": terminal,
            "TX_AMOUNT": amount,
            "TX_FRAUD": fraud,
        }
    )


def with_column(table: pa.Table, name: str, values: Integers) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def examples(table: pa.Table) -> Examples:
    rows = handbook.rows_of(table)
    return examples_of(rows, (), np.empty((len(rows), 0), np.float32))


def made(table: pa.Table) -> dict[str, np.ndarray]:
    rows = handbook.rows_of(table)
    own.fold_rows(rows)
    return own.features_of(rows)


OURS = Split(train_days=60, delay_days=DELAY, test_days=7)


def test_folds_and_left_out_cards_are_the_books() -> None:
    table = transactions(1)
    day = np.asarray(table["TX_DATETIME"].to_numpy().astype("datetime64[D]").astype(np.int64))
    card, fraud = table["CUSTOMER_ID"].to_numpy(), table["TX_FRAUD"].to_numpy()
    start = FIRST_DAY + 3
    found = list(weeks(examples(table), start, OURS))
    assert len(found) == 4
    removed = 0
    for number, week in enumerate(found):
        begin = start + 7 * number
        train = (day >= begin) & (day < begin + 7)
        assert week.fold.train.tolist() == np.flatnonzero(train).tolist()
        # As the book words it: the cards of the training week's frauds, then day by day those of a day a week earlier.
        known = set(card[train & (fraud == 1)].tolist())
        expected: list[int] = []
        for after in range(7):
            today = begin + 14 + after
            known |= set(card[(day == today - DELAY - 1) & (fraud == 1)].tolist())
            expected += [row for row in np.flatnonzero(day == today).tolist() if card[row] not in known]
        assert week.fold.test.tolist() == expected
        removed += week.fold.removed
        assert week.ours.tolist() == np.flatnonzero(day < begin + 7).tolist()
    assert removed


def test_rows_that_do_not_cover_the_weeks_are_refused() -> None:
    with pytest.raises(ValueError, match="must cover the days from 2018-04-08 to 2018-05-19; they go from 2018-04-01"):
        list(weeks(examples(transactions(1)), FIRST_DAY + 7, OURS))
    with pytest.raises(ValueError, match="must cover the days from 2018-03-31"):
        list(weeks(examples(transactions(1)), FIRST_DAY - 1, OURS))


def test_no_feature_sees_a_label_before_it_is_known() -> None:
    table = transactions(2)
    at = table["TX_DATETIME"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    training_day = (FIRST_DAY + 30) * DAY
    # Turn every label that is not known yet: what was described by then must not move.
    late = at >= training_day - DELAY * DAY
    turned = with_column(table, "TX_FRAUD", np.where(late, 1 - table["TX_FRAUD"].to_numpy(), table["TX_FRAUD"].to_numpy()))
    before, after = made(table), made(turned)
    moved = set()
    for name in before:
        np.testing.assert_array_equal(before[name][at <= training_day], after[name][at <= training_day], err_msg=name)
        if not np.array_equal(before[name], after[name], equal_nan=True):
            moved.add(name.split(".")[0])
    # Later rows do see the difference: the comparison can fail.
    assert moved == {"risk", "spell", "card"}


def test_no_feature_sees_the_row_s_own_label_or_what_comes_after_it() -> None:
    table = transactions(3)
    half = table.slice(0, table.num_rows // 2)
    whole, first = made(table), made(half)
    for name, values in first.items():
        np.testing.assert_array_equal(whole[name][: half.num_rows], values, err_msg=name)


def test_a_spell_of_frauds_at_a_terminal_is_dated_from_its_first_known_fraud() -> None:
    table = transactions(4)
    found = made(table)
    at = handbook.rows_of(table)[SEEN]
    terminal, fraud = table["TERMINAL_ID"].to_numpy(), table["TX_FRAUD"].to_numpy()
    quiet = (fraud == 1) & (found["amount.times_median"] < own.UNUSUAL)
    known = at + DELAY * DAY
    checked = 0
    for row in np.flatnonzero(np.arange(len(at)) % 37 == 0).tolist():
        labels = np.flatnonzero((terminal == terminal[row]) & (known < at[row]))
        starts = [place for number, place in enumerate(labels) if number and quiet[place] and not quiet[labels[number - 1]]]
        if not starts:
            assert np.isnan(found["spell.days_since_start"][row])
            continue
        checked += 1
        assert found["spell.days_since_start"][row] == pytest.approx((at[row] - known[starts[-1]]) / DAY, rel=1e-5)
        assert found["spell.frauds"][row] == quiet[labels[labels >= starts[-1]]].sum()
    assert checked > 20


def test_frauds_are_unseen_until_one_of_their_terminal_is_known() -> None:
    table = transactions(5)
    rows = handbook.rows_of(table)
    scenario = np.where(table["TX_FRAUD"].to_numpy() == 1, np.where(rows["terminal_id"] % 2 == 1, 2, 3), 0)
    found = unseen(rows, scenario)
    for row in range(len(rows)):
        peers = (rows["terminal_id"] == rows["terminal_id"][row]) & (scenario == 2)
        age = rows[SEEN][row] - rows[SEEN]
        known = (peers & (age >= DELAY * DAY) & (age <= 28 * DAY)).any()
        assert found[row] == (scenario[row] == 2 and not known)
