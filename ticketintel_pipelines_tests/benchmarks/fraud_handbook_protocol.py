"""The handbook's way to judge: weekly folds with a week between training and test, and cards that are known as bad left out.

Source: Le Borgne, Siblini, Lebichot, Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection", chapters 4, 5.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.features.rows import SEEN, Rows
from ticketintel_pipelines.learning.examples import DAY, NEVER, Examples, Features, Flags, Floats, Integers
from ticketintel_pipelines.learning.metrics import auc_roc, average_precision, card_precision
from ticketintel_pipelines.learning.splits import Fold, Split, fold_at, training_rows
from ticketintel_pipelines_tests.handbook import DELAY_DAYS

FOLDS = 4
WEEK = 7
TOP_CARDS = 100
BOOK_SPLIT = Split(train_days=WEEK, delay_days=DELAY_DAYS, test_days=WEEK, folds=FOLDS)
TERMINAL_DAYS = 28
TERMINAL = 2
"""The scenario of frauds that only their terminal gives away."""


def examples_of(rows: Rows, names: tuple[str, ...], features: Features) -> Examples:
    """Transactions with features (n, m): the card is the entity, and a fraud is known a week after it happened."""
    seen = rows[SEEN]
    return Examples(
        names=names,
        features=features,
        ids=rows["transaction_id"].astype(object),
        at=seen,
        known_at=np.where(rows["fraud"] == 1, seen + DELAY_DAYS * DAY, NEVER),
        entity=rows["customer_id"],
        amount=rows["amount_cents"] / 100,
    )


@dataclass(frozen=True)
class Week:
    """One fold: places of the rows to test on, and of those to learn from, the book's and ours."""

    fold: Fold
    ours: Integers


def weeks(examples: Examples, start_day: int, ours: Split) -> Iterator[Week]:
    """The four folds; the first training week begins on a day (days since 1970 UTC).

    As in the book, a card is known as bad by the frauds since its fold's training week began, not by earlier ones.

    Raises:
        ValueError: the rows do not cover the four training and test weeks.
    """
    past = start_day + 2 * WEEK + FOLDS * WEEK
    if not len(examples) or examples.day[0] > start_day or examples.day[-1] < past - 1:
        raise ValueError(
            f"the rows must cover the days from {np.datetime64(start_day, 'D')} to {np.datetime64(past - 1, 'D')}; "
            + (f"they go from {np.datetime64(int(examples.day[0]), 'D')} to {np.datetime64(int(examples.day[-1]), 'D')}"
               if len(examples) else "there are none")
        )  # fmt: skip
    bare = examples.with_features((), np.empty((len(examples), 0), np.float32))
    for number in range(FOLDS):
        begins = start_day + number * WEEK
        test_day = begins + WEEK + DELAY_DAYS
        before = int(np.searchsorted(examples.at, begins * DAY))
        seen = fold_at(bare.take(np.arange(before, len(examples))), BOOK_SPLIT, test_day)
        fold = Fold(seen.trained_at, seen.train + before, seen.test + before, seen.removed)
        yield Week(fold, training_rows(bare, ours, test_day))


@dataclass(frozen=True)
class Figures:
    """AUC-ROC, average precision, and the share of bad cards among the hundred shown each day."""

    auc: float
    ap: float
    cp100: float


def figures(labels: Integers, scores: Floats, cards: Integers, day: Integers) -> Figures:
    """Of n test rows of some days."""
    return Figures(
        auc_roc(labels, scores), average_precision(labels, scores), card_precision(labels, scores, cards, day, TOP_CARDS)
    )


def unseen(rows: Rows, scenario: Integers) -> Flags:
    """Frauds that nothing known at their time sets apart: at a terminal of which no fraud of its own was known for four weeks.

    Only for the ceiling in the report: the scenario is what the simulator did, and no model sees it.
    """
    terminal = (scenario == TERMINAL).astype(np.int64)
    found = np.zeros(len(rows), bool)
    places = np.flatnonzero(terminal)
    order = places[np.lexsort((rows[SEEN][places], rows["terminal_id"][places]))]
    at, of = rows[SEEN][order], rows["terminal_id"][order]
    # Keys in which each terminal has a stretch of time of its own.
    stretch = int(rows[SEEN][-1] - rows[SEEN][0]) + (TERMINAL_DAYS + DELAY_DAYS + 1) * DAY
    _, code = np.unique(of, return_inverse=True)
    key = code * stretch + (at - rows[SEEN][0])
    known = np.searchsorted(key, key - DELAY_DAYS * DAY, side="right") - np.searchsorted(key, key - TERMINAL_DAYS * DAY)
    # A window that reaches behind the stretch's begin finds nothing: stretches are longer than the rows and the window.
    found[order] = known == 0
    return found
