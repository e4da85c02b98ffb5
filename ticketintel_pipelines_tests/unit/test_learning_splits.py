"""Splits in time: whatever the rows, nothing is learned from what was not known, and known bad entities are not tested on."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketintel_pipelines.learning.examples import DAY, NEVER, NO_ENTITY, Examples, TooFewExamplesError
from ticketintel_pipelines.learning.splits import Fold, Split, fold_at, folds, training_rows

FIRST_DAY = 17_000


def world(seed: int, days: int, rows: int = 300, entities: int = 25) -> Examples:
    """Rows of random entities at random instants of some days, the first day among them; labels come with any delay."""
    random = np.random.default_rng(seed)
    at = np.sort(random.integers(0, days * DAY, rows))
    at[0] = 0
    at += FIRST_DAY * DAY
    known_at = np.where(random.random(rows) < 0.2, at + random.integers(0, 20 * DAY, rows), NEVER)
    return Examples(
        names=(),
        features=np.empty((rows, 0), np.float32),
        ids=np.arange(rows).astype(object),
        at=at,
        known_at=known_at,
        entity=random.integers(NO_ENTITY, entities, rows),
        amount=np.ones(rows),
    )


SPLITS = st.builds(
    Split,
    train_days=st.integers(1, 30),
    delay_days=st.integers(0, 9),
    test_days=st.integers(1, 8),
    folds=st.integers(4, 6),
    settle_days=st.integers(0, 9),
)
CASES = given(seed=st.integers(0, 10_000), split=SPLITS, spare=st.integers(0, 20))


def made(seed: int, split: Split, spare: int) -> tuple[Examples, list[Fold], int]:
    """A world just long enough, or with days to spare, its folds, and the day they may reach up to."""
    past_day = FIRST_DAY + split.least_days + spare
    examples = world(seed, split.least_days + spare)
    return examples, list(folds(examples, split, past_day)), past_day


@CASES
def test_no_row_to_learn_from_is_later_than_the_delay_before_training(seed: int, split: Split, spare: int) -> None:
    examples, found, _ = made(seed, split, spare)
    for fold in found:
        at = examples.at[fold.train]
        assert (at < fold.trained_at - split.delay_days * DAY).all()
        assert (at >= fold.trained_at - (split.delay_days + split.train_days) * DAY).all()


@CASES
def test_every_row_of_the_window_is_learned_from(seed: int, split: Split, spare: int) -> None:
    examples, found, _ = made(seed, split, spare)
    for fold in found:
        end = fold.trained_at - split.delay_days * DAY
        window = (examples.at >= end - split.train_days * DAY) & (examples.at < end)
        assert fold.train.tolist() == np.flatnonzero(window).tolist()


@CASES
def test_tests_follow_training_and_each_other_up_to_where_labels_settle(seed: int, split: Split, spare: int) -> None:
    examples, found, past_day = made(seed, split, spare)
    assert len(found) == split.folds
    for number, fold in enumerate(found):
        begin = past_day - split.settle_days - (split.folds - number) * split.test_days
        assert fold.first_test_day == begin
        day = examples.day[fold.test]
        assert ((day >= begin) & (day < begin + split.test_days)).all()
    tested = np.concatenate([fold.test for fold in found])
    assert len(np.unique(tested)) == len(tested)


@CASES
def test_an_entity_is_left_out_from_the_day_on_which_it_was_known_as_bad(seed: int, split: Split, spare: int) -> None:
    examples, found, _ = made(seed, split, spare)
    known: dict[int, int] = {}
    for entity, instant in zip(examples.entity.tolist(), examples.known_at.tolist(), strict=True):
        known[entity] = min(instant, known.get(entity, NEVER))
    for fold in found:
        days = range(fold.first_test_day, fold.first_test_day + split.test_days)
        rows = np.flatnonzero(np.isin(examples.day, list(days)))
        kept = [
            row
            for row in rows.tolist()
            if examples.entity[row] == NO_ENTITY or known[int(examples.entity[row])] > int(examples.day[row]) * DAY
        ]
        assert fold.test.tolist() == kept
        assert fold.removed == len(rows) - len(kept)


@CASES
def test_what_happens_after_a_training_day_does_not_change_what_it_learns(seed: int, split: Split, spare: int) -> None:
    examples, found, _ = made(seed, split, spare)
    fold = found[1]
    later = examples.known_at > fold.trained_at
    changed = replace(examples, known_at=np.where(later, NEVER, examples.known_at))
    assert training_rows(changed, split, fold.first_test_day).tolist() == fold.train.tolist()
    assert (changed.labels(fold.trained_at) == examples.labels(fold.trained_at)).all()


def test_a_history_too_short_is_refused_with_the_days_it_lacks() -> None:
    split = Split(train_days=7, delay_days=7, test_days=7)
    examples = world(1, days=35)
    with pytest.raises(TooFewExamplesError, match="35 days of examples are too few"):
        list(folds(examples, split, FIRST_DAY + 35))
    assert len(list(folds(world(1, days=36), split, FIRST_DAY + 36))) == 4


def test_a_split_of_less_than_four_folds_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 folds"):
        Split(train_days=7, delay_days=7, test_days=7, folds=3)


def test_rows_without_an_entity_are_never_left_out() -> None:
    examples = world(2, days=30)
    bad = replace(examples, entity=np.full(len(examples), NO_ENTITY), known_at=examples.at)
    fold = fold_at(bad, Split(train_days=7, delay_days=7, test_days=7), FIRST_DAY + 20)
    assert fold.removed == 0
    assert len(fold.test)
