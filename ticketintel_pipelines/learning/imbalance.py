"""What is done about rare positives, compared: nothing, class weights, and three ways to make up further positives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ticketintel_pipelines.learning.calibration import fit_beta
from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.estimators import Estimator, Fitted, XGBoost
from ticketintel_pipelines.learning.examples import DAY, Examples, Features, Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.metrics import average_precision, brier_score
from ticketintel_pipelines.learning.search import resampled
from ticketintel_pipelines.learning.training import LEAST_TO_CALIBRATE, described, hold_out

NONE, WEIGHTS = "none", "class weights"
SMOTE, ADASYN, BORDERLINE = "SMOTE", "ADASYN", "BorderlineSMOTE"
TREATMENTS = (NONE, WEIGHTS, SMOTE, ADASYN, BORDERLINE)
MOST_ROWS = 30_000
MOST_TREES, MOST_BINS = 100, 256
JUDGED_SHARE, CALIBRATED_SHARE = 0.4, 0.3
BINS = 10
RESAMPLES = 400
FIGURES = ("average_precision", "brier", "calibration_error")


@dataclass(frozen=True)
class Treatment:
    """A row of the study.

    `against_none` are 95 % intervals of each figure's difference to that of doing nothing, by resampled days, at the same stage
    (calibrated or not); None for doing nothing itself. `rows` and `positives` are what it learned from.
    """

    name: str
    calibrated: bool
    average_precision: float
    brier: float
    calibration_error: float
    rows: int
    positives: int
    against_none: Mapping[str, tuple[float, float]] | None


@dataclass(frozen=True)
class Study:
    """All treatments, first as they predict and then calibrated; `skipped` says which could not be done, and why."""

    treatments: tuple[Treatment, ...]
    winner: str
    words: tuple[str, ...]
    judged_rows: int
    judged_positives: int
    skipped: Mapping[str, str]


def study_imbalance(
    model: Model, examples: Examples, rows: Integers, instant: int, estimator: Estimator | None = None
) -> Study:
    """Each treatment on one window: learned on its earlier part, calibrated on the middle, judged on the later part.

    Rows are places in order of time, of which the latest 30,000 are taken; labels are those known at `instant` (µs since 1970
    UTC). `estimator` is by default the model's own, XGBoost with 100 trees and 256 bins at most. For the ways that make up
    positives, unknown values are replaced by the median of the training part, there and where it is judged.

    Raises:
        TooFewExamplesError: a part holds too few positives.
    """
    examples = described(examples, model.feature_names)
    rows = rows[-MOST_ROWS:]
    labels = examples.labels(instant)
    outer = hold_out(examples, rows, labels[rows], model.split.delay_days, JUDGED_SHARE)
    inner = hold_out(examples, outer.earlier, labels[outer.earlier], 0, CALIBRATED_SHARE)
    parts = (inner.earlier, inner.later, outer.later)
    least = min(int(labels[part].sum()) for part in parts)
    if least < LEAST_TO_CALIBRATE:
        raise TooFewExamplesError(
            f"{model.name}: a part of the study of imbalance holds {least} positives, at least {LEAST_TO_CALIBRATE} are needed"
        )
    learner = estimator or _lighter(model.estimator)
    judged, day = labels[outer.later], examples.at[outer.later] // DAY
    scores: dict[tuple[str, bool], Floats] = {}
    learned_from: dict[str, tuple[int, int]] = {}
    skipped: dict[str, str] = {}
    for name in TREATMENTS:
        treated = _treated(name, learner, examples.features[parts[0]], labels[parts[0]], model.seed)
        if isinstance(treated, str):
            skipped[name] = treated
            continue
        fitted, medians, learned_from[name] = treated
        middle, later = (_filled(examples.features[part], medians) for part in parts[1:])
        raw = fitted.predict(later)
        scores[name, False] = raw
        scores[name, True] = fit_beta(fitted.predict(middle), labels[parts[1]]).apply(raw)
    random = np.random.default_rng(model.seed)
    draws = resampled(
        lambda kept: np.array([_figures(judged[kept], score[kept]) for score in scores.values()]), day, random, RESAMPLES
    )
    places = {key: place for place, key in enumerate(scores)}
    found = []
    for name, calibrated in sorted(scores, key=lambda key: (key[1], TREATMENTS.index(key[0]))):
        apart = draws[:, places[name, calibrated]] - draws[:, places[NONE, calibrated]]
        low, high = np.nanpercentile(apart, [2.5, 97.5], axis=0)
        bands = {figure: (float(low[at]), float(high[at])) for at, figure in enumerate(FIGURES)}
        found.append(
            Treatment(
                name,
                calibrated,
                *_figures(judged, scores[name, calibrated]),
                *learned_from[name],
                None if name == NONE else bands,
            )
        )
    winner, words = _told(found)
    return Study(tuple(found), winner, words, len(judged), int(judged.sum()), skipped)


def calibration_error(labels: Integers, probabilities: Floats, bins: int = BINS) -> float:
    """Expected calibration error: mean distance of the share of positives from the mean probability, in bins of equal size."""
    order = np.argsort(probabilities, kind="stable")
    parts = zip(np.array_split(labels[order], bins), np.array_split(probabilities[order], bins), strict=True)
    return float(sum(abs(int(part.sum()) - float(said.sum())) for part, said in parts) / max(len(labels), 1))


def _lighter(estimator: Estimator) -> Estimator:
    """Enough to tell treatments apart: five are learned, and those that make up positives on twice the rows."""
    if not isinstance(estimator, XGBoost):
        return estimator
    return replace(estimator, trees=min(estimator.trees, MOST_TREES), max_bin=min(estimator.max_bin, MOST_BINS))


def _figures(labels: Integers, probabilities: Floats) -> tuple[float, float, float]:
    return (
        average_precision(labels, probabilities),
        brier_score(labels, probabilities),
        calibration_error(labels, probabilities),
    )


def _treated(
    name: str, estimator: Estimator, features: Features, labels: Integers, seed: int
) -> tuple[Fitted, Floats | None, tuple[int, int]] | str:
    """What was learned, the medians for unknown values, rows and positives learned from; or why it cannot be done."""
    if name in (NONE, WEIGHTS):
        positives = int(labels.sum())
        weights = np.where(labels == 1, (len(labels) - positives) / positives, 1.0) if name == WEIGHTS else None
        return estimator.fit(features, labels, seed, weights), None, (len(labels), positives)
    from imblearn import over_sampling

    kinds = {SMOTE: over_sampling.SMOTE, ADASYN: over_sampling.ADASYN, BORDERLINE: over_sampling.BorderlineSMOTE}
    medians = _medians(features)
    filled = _filled(features, medians)
    # Neighbours are looked for among columns of one scale: else the largest unit alone decides who is near.
    deviation = filled.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1.0).astype(np.float32)
    try:
        more, more_labels = kinds[name](random_state=seed).fit_resample(filled / scale, labels)
    except (ValueError, RuntimeError) as error:
        # ADASYN and BorderlineSMOTE find nothing to add where no positive has negatives around it.
        return str(error)
    fitted = estimator.fit((more * scale).astype(np.float32), more_labels.astype(np.int64), seed)
    return fitted, medians, (len(more_labels), int(more_labels.sum()))


def _medians(features: Features) -> Floats:
    """Of each column, 0 where all of it is unknown."""
    known = ~np.isnan(features).all(axis=0)
    found = np.zeros(features.shape[1])
    found[known] = np.nanmedian(features[:, known], axis=0)
    return found


def _filled(features: Features, medians: Floats | None) -> Features:
    return features if medians is None else np.where(np.isnan(features), medians.astype(np.float32), features)


def _told(treatments: Sequence[Treatment]) -> tuple[str, tuple[str, ...]]:
    """The default that follows from the study, and what it found in words.

    Doing nothing is displaced by a treatment whose calibrated average precision is higher beyond its interval while its
    calibrated Brier score is not worse beyond its own.
    """
    plain = {one.name: one for one in treatments if not one.calibrated}
    calibrated = {one.name: one for one in treatments if one.calibrated}
    words = []
    better = []
    for name, one in calibrated.items():
        if one.against_none is None:
            continue
        low, high = one.against_none["average_precision"]
        apart = one.average_precision - calibrated[NONE].average_precision
        verdict = "better" if low > 0 else "worse" if high < 0 else "not told apart"
        words.append(
            f"{name}: average precision {one.average_precision:.3f}, {apart:+.3f} against doing nothing "
            f"(95 % interval {low:+.3f} to {high:+.3f}): {verdict}. Its calibration error is "
            f"{plain[name].calibration_error:.3f} as it predicts and {one.calibration_error:.3f} calibrated; with nothing done "
            f"{plain[NONE].calibration_error:.3f} and {calibrated[NONE].calibration_error:.3f}."
        )
        if low > 0 and one.against_none["brier"][0] <= 0:
            better.append(one)
    if not better:
        words.append(
            "No treatment is better than none beyond its interval: positives are learned as they come, and calibrated."
        )
        return NONE, tuple(words)
    best = max(better, key=lambda one: one.average_precision)
    words.append(f"{best.name} is better than doing nothing beyond its interval.")
    return best.name, tuple(words)
