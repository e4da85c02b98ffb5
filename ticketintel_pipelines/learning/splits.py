"""Splits in time, with the delay of labels: what was known on the training day predicts the days after it.

    ── train_days ──┬── delay_days ──┬── test_days ──
                    │                └ the training day begins
                    └ rows after this are not learned from: the labels of most are yet to come

A random split is not offered: it would learn from the future.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ticketintel_pipelines.learning.examples import DAY, NEVER, NO_ENTITY, Examples, Flags, Integers, TooFewExamplesError

LEAST_FOLDS = 4


@dataclass(frozen=True)
class Split:
    """Prequential folds: each tests on the days after the tests of the one before.

    `train_days` are at most so many, and a short history is tested on shorter folds, of `least_test_days` at least (`over`).
    Labels count as they are known `settle_days` after the last test day, or later.
    """

    train_days: int
    delay_days: int
    test_days: int
    folds: int = LEAST_FOLDS
    settle_days: int = 0
    least_train_days: int = 1
    least_test_days: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a split that could not be judged."""
        if self.folds < LEAST_FOLDS:
            raise ValueError(f"a split has at least {LEAST_FOLDS} folds, not {self.folds}")
        if min(self.train_days, self.test_days, self.least_train_days) < 1 or min(self.delay_days, self.settle_days) < 0:
            raise ValueError("train and test take at least one day, delay and settling none at least")

    @property
    def least_days(self) -> int:
        """Days of history without which there is nothing to judge."""
        return self._least_days(self.least_test_days or self.test_days)

    def _least_days(self, test_days: int) -> int:
        return self.least_train_days + self.delay_days + self.folds * test_days + self.settle_days

    def over(self, days: int) -> "Split":
        """The same split with the longest tests that so many days of history allow."""
        longest = range(self.test_days, (self.least_test_days or self.test_days) - 1, -1)
        fitting = next((test_days for test_days in longest if self._least_days(test_days) <= days), longest[-1])
        return replace(self, test_days=fitting)


@dataclass(frozen=True)
class Fold:
    """Places of the rows to learn from and to test on; `trained_at` is the instant of training, microseconds since 1970 UTC.

    `removed` rows of the test days are left out: their entity was known as bad when their day began.
    """

    trained_at: int
    train: Integers
    test: Integers
    removed: int

    @property
    def first_test_day(self) -> int:
        """Days since 1970 UTC."""
        return self.trained_at // DAY


def folds(examples: Examples, split: Split, past_day: int) -> Iterator[Fold]:
    """The folds whose last test day is `split.settle_days` before the day `past_day` (days since 1970 UTC), oldest first.

    Raises:
        TooFewExamplesError: the history is shorter than the split needs.
    """
    first_day = int(examples.day[0]) if len(examples) else past_day
    if past_day - first_day < split.least_days:
        raise TooFewExamplesError(
            f"{past_day - first_day} days of examples are too few: {split.least_train_days} to learn from, {split.delay_days} "
            f"of delay, {split.folds} times {split.test_days} to test on, {split.settle_days} to settle: {split.least_days}"
        )
    split = split.over(past_day - first_day)
    first_test = past_day - split.settle_days - split.folds * split.test_days
    for number in range(split.folds):
        yield fold_at(examples, split, first_test + number * split.test_days)


def fold_at(examples: Examples, split: Split, test_day: int) -> Fold:
    """The fold that is trained when `test_day` (days since 1970 UTC) begins."""
    train = training_rows(examples, split, test_day)
    first, past = np.searchsorted(examples.at, [test_day * DAY, (test_day + split.test_days) * DAY])
    rows = np.arange(first, past)
    bad = known_bad(examples, rows)
    return Fold(test_day * DAY, train, rows[~bad], int(bad.sum()))


def training_rows(examples: Examples, split: Split, day: int) -> Integers:
    """Places of the rows to learn from when a day (since 1970 UTC) begins."""
    past = (day - split.delay_days) * DAY
    first, end = np.searchsorted(examples.at, [past - split.train_days * DAY, past])
    return np.arange(first, end)


def known_bad(examples: Examples, rows: Integers) -> Flags:
    """Which of some rows belong to an entity of which a positive was known when the row's day began."""
    order = np.lexsort((examples.known_at, examples.entity))
    entity = examples.entity[order]
    first = np.flatnonzero(np.r_[True, entity[1:] != entity[:-1]]) if len(entity) else np.empty(0, np.int64)
    # In this order the first row of an entity is the one that was known first.
    known, since = entity[first], examples.known_at[order][first]
    asked = examples.entity[rows]
    places = np.searchsorted(known, asked)
    at = since[places] if len(known) else np.full(len(rows), NEVER)
    return (asked != NO_ENTITY) & (at != NEVER) & (at <= examples.day[rows] * DAY)
