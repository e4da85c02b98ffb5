"""Training: what was known on a day becomes a calibrated model, and folds in time show what such a model is worth."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ticketintel_pipelines.learning.calibration import Beta, fit_beta
from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.estimators import Estimator, Fitted
from ticketintel_pipelines.learning.examples import DAY, Examples, Features, Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.splits import Fold, folds, known_bad
from ticketintel_pipelines.learning.tested import BASELINE, CHAMPION, Tested
from ticketintel_pipelines.learning.trained import Trained

LATER_SHARE = 0.25
"""Of the positives of a training window, the latest such share calibrates."""
LEAST_TO_CALIBRATE = 10
"""Positives, and negatives too: three parameters are not fitted to fewer."""
EXPLAINED_ROWS = 5_000


@dataclass(frozen=True)
class Holdout:
    """Places of the earlier rows of a training window, to fit on, and of the later ones, to see what came of it."""

    earlier: Integers
    later: Integers


def hold_out(examples: Examples, rows: Integers, labels: Integers, gap_days: int, later_share: float = LATER_SHARE) -> Holdout:
    """A training window cut in time where a share of its positives is left to come.

    It is cut by positives and not by days, so that both sides have some even where they are rare or late. A gap of `gap_days`
    before the cut, though at most a quarter of the window, is left out as the label delay is before a test; rows at the same
    instant stay together. Later rows of entities that were known as bad when their day began are left out, as in a test.
    """
    at = examples.at[rows]
    positive = at[labels == 1]
    if not len(positive):
        return Holdout(rows, rows[:0])
    cut = positive[min(int(len(positive) * (1 - later_share)), len(positive) - 1)]
    gap = min(gap_days * DAY, (int(at[-1]) - int(at[0])) // 4)
    later = rows[at >= cut]
    return Holdout(rows[at < cut - gap], later[~known_bad(examples, later)])


def train(model: Model, examples: Examples, rows: Integers, instant: int) -> Trained:
    """The model of some rows (places, in order of time) with their labels as known at an instant (µs since 1970 UTC).

    The calibration comes from predictions of the later part of these rows by a fit on the earlier part; the model that is kept
    is fitted on all of them.

    Raises:
        TooFewExamplesError: fewer than `model.least_positives` of them were known as positive, or all of them.
    """
    examples = described(examples, model.feature_names)
    labels = examples.labels(instant)
    positives = int(labels[rows].sum())
    if positives < model.least_positives or positives == len(rows):
        raise TooFewExamplesError(
            f"{model.name}: of {len(rows)} examples {positives} are known as positive; to learn from, at least "
            f"{model.least_positives} and not all of them have to be"
        )
    calibration = calibrate(model.estimator, examples, rows, labels, model.split.delay_days, model.seed)
    fitted = model.estimator.fit(examples.features[rows], labels[rows], model.seed)
    return Trained(model.estimator.name, examples.names, fitted, calibration)


def calibrate(estimator: Estimator, examples: Examples, rows: Integers, labels: Integers, gap_days: int, seed: int) -> Beta:
    """The calibration of predictions out of time, `labels` being those of all examples; none where positives are too few."""
    held = hold_out(examples, rows, labels[rows], gap_days)
    for part in (held.earlier, held.later):
        positives = int(labels[part].sum())
        if min(positives, len(part) - positives) < LEAST_TO_CALIBRATE:
            return Beta()
    early = estimator.fit(examples.features[held.earlier], labels[held.earlier], seed)
    return fit_beta(early.predict(examples.features[held.later]), labels[held.later])


def test_prequentially(
    model: Model, examples: Examples, past_day: int, champion: Trained | None = None, candidates: bool = True
) -> Tested:
    """Each fold of the split trained on what was known then and scored on the days after it.

    Labels of the test rows are those known when the day `past_day` (days since 1970 UTC) begins.

    Raises:
        TooFewExamplesError: the history is shorter than the split needs, or a fold has too few positives to learn from.
    """
    parts = tuple(folds(examples, model.split, past_day))
    described_by = described(examples, model.feature_names)
    contenders = {one.name: one for one in model.candidates} if candidates else {}
    scores: list[Floats] = []
    others: dict[str, list[Floats]] = {name: [] for name in contenders}
    fitted: list[Fitted] = []
    for fold in parts:
        trained = train(model, examples, fold.train, fold.trained_at)
        fitted.append(trained.fitted)
        scores.append(trained.probabilities(described_by.features[fold.test]))
        for name, estimator in contenders.items():
            contender = train(replace(model, estimator=estimator), examples, fold.train, fold.trained_at)
            others[name].append(contender.probabilities(described_by.features[fold.test]))
    rows = np.concatenate([fold.test for fold in parts])
    shown: dict[str, Floats] = {BASELINE: baseline(examples, model.baseline)[rows]}
    if champion is not None:
        shown[CHAMPION] = champion.probabilities(described(examples, champion.names).features[rows])
    shown.update({name: np.concatenate(found) for name, found in others.items()})
    return Tested(
        examples=examples.take(rows),
        labels=examples.labels(past_day * DAY)[rows],
        scores=np.concatenate(scores),
        fold=np.concatenate([np.full(len(fold.test), number) for number, fold in enumerate(parts)]),
        contenders=shown,
        importance=_importance(described_by.features, parts, fitted, model.seed),
        removed=sum(fold.removed for fold in parts),
        trained_rows=tuple(len(fold.train) for fold in parts),
        trained_positives=tuple(int(examples.labels(fold.trained_at)[fold.train].sum()) for fold in parts),
    )


def described(examples: Examples, names: tuple[str, ...]) -> Examples:
    """The examples by features of these names, in this order; one that they lack is unknown (NaN) throughout."""
    if examples.names == names:
        return examples
    places = {name: place for place, name in enumerate(examples.names)}
    features: Features = np.full((len(examples), len(names)), np.nan, np.float32)
    for column, name in enumerate(names):
        if name in places:
            features[:, column] = examples.features[:, places[name]]
    return examples.with_features(names, features)


def baseline(examples: Examples, name: str) -> Floats:
    """A feature as a score (n,): unknown values share the last place. All are finite, so that equal ones differ by 0."""
    values = examples.column(name).astype(np.float64)
    known = values[np.isfinite(values)]
    lowest = np.nextafter(known.min(), -np.inf) if len(known) else 0.0
    return np.where(np.isnan(values), lowest, values)


def _importance(features: Features, parts: Iterable[Fold], fitted: Iterable[Fitted], seed: int) -> Floats | None:
    """Mean absolute contribution of each feature over a sample of the test rows, each explained by its fold's model."""
    pairs = list(zip(parts, fitted, strict=True))
    total = sum(len(fold.test) for fold, _ in pairs)
    share = min(1.0, EXPLAINED_ROWS / max(total, 1))
    random = np.random.default_rng(seed)
    found = []
    for fold, one in pairs:
        rows = np.sort(random.choice(fold.test, int(len(fold.test) * share), replace=False))
        contributions = one.contributions(features[rows]) if len(rows) else None
        if contributions is not None:
            found.append(np.abs(contributions))
    return np.concatenate(found).mean(axis=0) if found else None
