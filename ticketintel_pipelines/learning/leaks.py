"""The leak battery: what a model must not be able to do, tried before its figures are believed; one failure ends the run.

The tests learn with a small fast model: a leak is easy to learn, which is what makes it one. Bounds are wide, since an honest
model that is refused without reason is a defect as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ticketintel_pipelines.errors import TicketIntelError
from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.estimators import Estimator, XGBoost
from ticketintel_pipelines.learning.examples import DAY, Examples, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.leak_poison import Splitter, poisoned
from ticketintel_pipelines.learning.leak_tests import (
    Trainer,
    identifiers_alone,
    missingness_alone,
    place_alone,
    shuffled_labels,
    single_features,
)
from ticketintel_pipelines.learning.leak_trial import Finding, Trial
from ticketintel_pipelines.learning.metrics import average_precision
from ticketintel_pipelines.learning.splits import fold_at
from ticketintel_pipelines.learning.training import described, train

__all__ = ["Finding", "LeakError", "raise_failures", "run_battery"]

# Threads that wait for each other on a busy machine take ten times as long as one does.
PROBE = XGBoost(trees=40, depth=4, max_bin=256, more={"nthread": 1})
MOST_ROWS = 40_000
LEAST_POSITIVES = 10
TESTS = ("shuffled_labels", "row_order", "identifiers", "missingness", "single_features", "poison")


class LeakError(TicketIntelError):
    """A model learns from what it cannot know when it is used."""


def run_battery(
    model: Model,
    examples: Examples,
    past_day: int,
    ceiling: float | None = None,
    probe: Estimator = PROBE,
    trainer: Trainer = train,
    splitter: Splitter = fold_at,
    most_rows: int = MOST_ROWS,
    names: Sequence[str] = TESTS,
) -> list[Finding]:
    """The tests of these names, by default all, on one fold: trained when the split's first
    test day begins, and judged on all its test days.

    Labels of the test rows are those known when the day `past_day` (days since 1970 UTC) begins. `probe`, which has to learn
    from labels, stands in for the model's estimator, and at most `most_rows` rows drawn from the window for all of them.
    `ceiling` is the average precision that nothing observable can exceed, where a simulator knows it. `trainer` and `splitter`
    are the functions on trial.

    Raises:
        TooFewExamplesError: there are too few positives to learn from or to judge by.
    """
    model = replace(model, estimator=probe)
    split = model.split.over(past_day - int(examples.day[0]))
    split = replace(split, test_days=split.test_days * split.folds)
    day = past_day - split.settle_days - split.test_days
    random = np.random.default_rng(model.seed)
    first = (day - split.delay_days - split.train_days) * DAY
    inside = np.arange(*np.searchsorted(examples.at, [first, past_day * DAY]))
    examples = described(examples.take(_some(inside, most_rows, random)), model.feature_names)
    fold = splitter(examples, split, day)
    trained = trainer(model, examples, fold.train, fold.trained_at)
    scores = trained.probabilities(examples.features[fold.test])
    labels = examples.labels(past_day * DAY)[fold.test]
    if min(int(labels.sum()), len(labels) - int(labels.sum())) < LEAST_POSITIVES:
        raise TooFewExamplesError(
            f"{model.name}: {int(labels.sum())} of {len(labels)} test rows are known as positive; the leak battery needs "
            f"{LEAST_POSITIVES} of either kind"
        )
    trial = Trial(
        examples,
        fold.train,
        fold.test,
        examples.labels(fold.trained_at)[fold.train],
        labels,
        scores,
        average_precision(labels, scores),
        ceiling,
        model.seed,
    )
    tests: dict[str, Callable[[], Finding]] = {
        "shuffled_labels": lambda: shuffled_labels(model, trial, fold.trained_at, trainer),
        "row_order": lambda: place_alone(trial, probe),
        "identifiers": lambda: identifiers_alone(trial, probe),
        "missingness": lambda: missingness_alone(trial, probe),
        "single_features": lambda: single_features(trial),
        "poison": lambda: poisoned(model, examples, split, day, trainer, splitter),
    }
    return [tests[name]() for name in names]


def raise_failures(findings: Sequence[Finding]) -> None:
    """Raises LeakError naming the failures, if there are any."""
    failed = [finding for finding in findings if not finding.passed]
    if failed:
        raise LeakError("the leak battery failed: " + " ".join(f"{one.name}: {one.words}" for one in failed))


def _some(rows: Integers, most: int, random: np.random.Generator) -> Integers:
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))
