"""Search for hyper-parameters: a few random draws, judged on the later part of a training window."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.estimators import Estimator
from ticketintel_pipelines.learning.examples import DAY, Examples, Flags, Floats, Integers
from ticketintel_pipelines.learning.metrics import average_precision
from ticketintel_pipelines.learning.splits import folds
from ticketintel_pipelines.learning.training import LEAST_TO_CALIBRATE, described, hold_out

DRAWS = 8
JUDGED_SHARE = 0.4
"""Of the positives of the window, the latest such share judges."""
RESAMPLES = 200


@dataclass(frozen=True)
class Trial:
    """An estimator and its average precision on the rows held out. `lead` is by how much it was ahead of the declared one,
    `deviation` the standard deviation of that lead over resampled days."""

    estimator: Estimator
    average_precision: float
    lead: float
    deviation: float


@dataclass(frozen=True)
class Search:
    """The estimator to go on with, and all trials: the declared one first, then the drawn ones."""

    chosen: Estimator
    trials: tuple[Trial, ...]


def search_before_tests(model: Model, examples: Examples, past_day: int, draws: int = DRAWS) -> Search:
    """The search inside the first fold's training window, with the labels of its training day.

    One search serves a new challenger: its folds and its final training all use what was chosen. Since the first window ends
    before the first test day, no test has been seen by the choice, and searching in each fold would cost as much per fold.

    Raises:
        TooFewExamplesError: the history is shorter than the split needs.
    """
    first = next(iter(folds(examples, model.split, past_day)))
    return search(model, examples, first.train, first.trained_at, draws)


def search(model: Model, examples: Examples, rows: Integers, instant: int, draws: int = DRAWS) -> Search:
    """Draws of the model's estimator, each fitted on the earlier part of some rows and judged on the later part.

    Labels are those known at `instant` (µs since 1970 UTC). The declared estimator stays unless the best draw leads it by more
    than one standard deviation of that lead over resampled days: the best of several equals is ahead by luck alone. Where
    either part lacks positives nothing is tried, and the declared one stays.
    """
    examples = described(examples, model.feature_names)
    labels = examples.labels(instant)
    held = hold_out(examples, rows, labels[rows], model.split.delay_days, JUDGED_SHARE)
    if min(int(labels[part].sum()) for part in (held.earlier, held.later)) < LEAST_TO_CALIBRATE:
        return Search(model.estimator, ())
    random = np.random.default_rng(model.seed)
    drawn = [model.estimator, *(model.estimator.varied(random) for _ in range(draws))]
    judged = labels[held.later]
    scores = [
        one.fit(examples.features[held.earlier], labels[held.earlier], model.seed).predict(examples.features[held.later])
        for one in drawn
    ]
    leads = resampled(
        lambda kept: np.array([average_precision(judged[kept], score[kept]) for score in scores]),
        examples.at[held.later] // DAY,
        random,
    )
    leads -= leads[:, :1]
    found = [average_precision(judged, score) for score in scores]
    deviations = np.nanstd(leads, axis=0)
    trials = tuple(
        Trial(one, value, value - found[0], float(deviation))
        for one, value, deviation in zip(drawn, found, deviations, strict=True)
    )
    best = max(trials, key=lambda trial: trial.average_precision)
    return Search(best.estimator if best.lead > best.deviation else model.estimator, trials)


def resampled(
    figure: Callable[[Integers | Flags], Floats], day: Integers, random: np.random.Generator, times: int = RESAMPLES
) -> Floats:
    """Figures (times, k) of rows whose days are drawn with replacement; `figure` gives k figures of the places of rows."""
    days, starts = np.unique(day, return_index=True)
    places = np.split(np.arange(len(day)), starts[1:])
    found = []
    for _ in range(times):
        kept = np.concatenate([places[one] for one in random.integers(0, len(days), len(days))])
        found.append(figure(kept))
    return np.array(found)
