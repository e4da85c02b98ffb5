"""Tests of the leak battery on one fold: labels that mean nothing, and columns that should not tell anything by themselves."""

import math
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.estimators import Estimator
from ticketintel_pipelines.learning.examples import DAY, NEVER, Examples, Features, Flags, Floats, Integers, Texts
from ticketintel_pipelines.learning.leak_trial import Finding, Trial
from ticketintel_pipelines.learning.metrics import auc_roc, average_precision
from ticketintel_pipelines.learning.trained import Trained

Trainer = Callable[[Model, Examples, Integers, int], Trained]
"""As `training.train`."""

SHUFFLES = 3
CHANCE_DEVIATIONS = 3.3
NEIGHBOURS = 64
MISSING_SHARE = 0.5
"""Of the way from knowing nothing to the reference that the null pattern alone may go. A first purchase has null ratios and may
well be riskier, but a pattern that does half of the model's work was written by whoever knew the outcome."""
PURE = 0.8
PURE_RECALL = 0.05
MOST_PATTERNS = 50
"""A null pattern four fifths of whose rows are surely positive, and that holds a twentieth of all positives, is a leak too."""
SINGLE_AUC = 0.99
SINGLE_SHARE = 0.9
SINGLE_LEAST = 0.85
"""An honest feature may well carry most of a model; hardly ever does it get so far by itself."""
MOST_VALUES = 1_000
BINS = 128
PRIOR_ROWS = 5


def shuffled_labels(model: Model, trial: Trial, trained_at: int, trainer: Trainer) -> Finding:
    """Trained on permuted labels, a model ranks the test rows at chance.

    Each permutation is learned twice, the second time with positives and negatives swapped: a model of rare positives ranks
    sparse regions low where no label means anything, and the swap takes that out. The bound is 3.3 standard deviations of the
    AUC-ROC of random scores with so many positives (Hanley, McNeil 1982), on either side of 0.5.
    """
    random = np.random.default_rng(trial.seed)
    found = []
    for _ in range(SHUFFLES):
        known_at = trial.examples.known_at.copy()
        shuffled = random.permutation(trial.train_labels)
        for labels in (shuffled, 1 - shuffled):
            known_at[trial.train] = np.where(labels == 1, trained_at, NEVER)
            trained = trainer(model, replace(trial.examples, known_at=known_at), trial.train, trained_at)
            found.append(auc_roc(trial.test_labels, trained.fitted.predict(trial.examples.features[trial.test])))
    positives = int(trial.test_labels.sum())
    negatives = len(trial.test_labels) - positives
    deviation = math.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    figure, bound = abs(float(np.mean(found)) - 0.5), CHANCE_DEVIATIONS * deviation
    return Finding(
        "shuffled_labels",
        figure <= bound,
        f"Trained on permuted labels, AUC-ROC is {np.mean(found):.3f}; chance is 0.500 ± {bound:.3f} ({positives} positives)."
        + ("" if figure <= bound else " The training sees labels that it was not given."),
        figure,
        bound,
    )


def place_alone(trial: Trial, probe: Estimator) -> Finding:
    """The place of a row among those of the same instant tells nothing: the order is the source's own.

    Labels are permuted inside each instant for comparison, so that how many rows share it may matter.
    """
    at = trial.examples.at
    first = np.searchsorted(at, at, side="left")
    count = np.searchsorted(at, at, side="right") - first
    place = np.arange(len(at)) - first
    columns = np.column_stack([(place + 0.5) / count, np.minimum(place, 255), np.minimum(count - 1 - place, 255)])
    return _against_chance(
        trial, "row_order", "the order of rows of one instant", trial.learned(columns, probe), at[trial.test]
    )


def identifiers_alone(trial: Trial, probe: Estimator) -> Finding:
    """How a row is named tells nothing beyond when it happened: labels are permuted among neighbours in time for comparison."""
    columns = identifier_features(trial.examples.ids, trial.examples.at)
    scores = trial.learned(columns, probe)
    return _against_chance(trial, "identifiers", "identifiers", scores, np.arange(len(trial.test)) // NEIGHBOURS)


def identifier_features(ids: Texts, at: Integers) -> Floats:
    """What names say (n, m): their form, ends, a hash, how far their order is off the order of time, and round instants."""
    texts = [str(one) for one in ids]
    length = np.array([len(one) for one in texts])
    block = np.arange(len(texts)) // NEIGHBOURS
    order = np.lexsort((np.array(texts), length, block))
    rank = np.empty(len(texts))
    rank[order] = np.arange(len(texts))
    rows = [
        (
            *(ord(one[place]) if -len(one) <= place < len(one) else -1 for place in (0, 1, 2, -3, -2, -1)),
            sum(letter.isdigit() for letter in one),
            one != one.lower(),
            zlib.crc32(one.encode()),
        )
        for one in texts
    ]
    instants = [at % 1_000, at % 1_000_000, at % 60_000_000 // 1_000_000]
    return np.column_stack(
        [np.array(rows, np.float64).reshape(len(texts), -1), length, rank - np.arange(len(texts)), *instants]
    )


def missingness_alone(trial: Trial, probe: Estimator) -> Finding:
    """Which values are unknown does not come near what the model knows; see `MISSING_SHARE` and `PURE`."""
    unknown = np.isnan(trial.examples.features)
    rows = np.concatenate([trial.train, trial.test])
    mixed = unknown[rows].any(axis=0) & ~unknown[rows].all(axis=0)
    varying = unknown[:, mixed]
    bound = trial.share + MISSING_SHARE * (trial.reference - trial.share)
    if not varying.shape[1]:
        return Finding("missingness", True, "No feature is unknown in some rows and known in others.", trial.share, bound)
    scores = trial.learned(varying.astype(np.float64), probe)
    figure = trial.lower_bound(scores)
    words = [
        f"Which values are unknown reaches an average precision of {average_precision(trial.test_labels, scores):.3f}, "
        f"{figure:.3f} at least; up to {bound:.3f} is in order."
    ]
    pure = _pure_groups(varying[rows], np.concatenate([trial.train_labels, trial.test_labels]))
    names = [name for name, one in zip(trial.examples.names, mixed, strict=True) if one]
    for group, positives in pure:
        example = varying[rows][np.flatnonzero(group)[0]]
        absent = [name for name, gone in zip(names, example, strict=True) if gone]
        where = "without " + _listed(absent) if absent else "of which everything is known"
        words.append(
            f"{positives} of {int(group.sum())} rows {where} are positive: what is unknown was decided by who knew the outcome."
        )
    return Finding("missingness", figure <= bound and not pure, " ".join(words), figure, bound)


def _pure_groups(unknown: Flags, labels: Integers) -> list[tuple[Flags, int]]:
    """Groups of rows (as masks, with their positives) of one null pattern, or with one value unknown, or known; the largest
    three whose positives are surely over `PURE` of them and at least `PURE_RECALL` of all positives."""
    _, pattern = np.unique(unknown, axis=0, return_inverse=True)
    commonest = np.argsort(-np.bincount(pattern.ravel()))[:MOST_PATTERNS]
    groups = [pattern.ravel() == one for one in commonest]
    groups += [unknown[:, column] == gone for column in range(unknown.shape[1]) for gone in (True, False)]
    found = [(group, int(labels[group].sum())) for group in groups if group.any()]
    least = PURE_RECALL * labels.sum()
    pure = [(group, count) for group, count in found if count >= least and _wilson_lower(count, int(group.sum())) > PURE]
    return sorted(pure, key=lambda one: -one[1])[:3]


def single_features(trial: Trial) -> Finding:
    """No single feature, nor the place in the day, goes where only an outcome could.

    Its AUC-ROC is not over 0.99, and its average precision, where it is over 0.85, goes less than nine tenths of the way from
    knowing nothing to what the full model reached. With a ceiling, neither its average precision nor that of all features
    together exceeds it by more than days vary.
    """
    examples = trial.examples
    columns = {name: examples.features[:, place] for place, name in enumerate(examples.names)}
    columns["the place in the day"] = (examples.at % DAY / DAY).astype(np.float32)
    scores = {name: _ranked(values, trial) for name, values in columns.items()}
    reached = {name: average_precision(trial.test_labels, score) for name, score in scores.items()}
    failed = []
    bound = max(SINGLE_LEAST, trial.share + SINGLE_SHARE * (trial.reached - trial.share))
    for name, figure in reached.items():
        auc = auc_roc(trial.test_labels, scores[name])
        if auc > SINGLE_AUC:
            failed.append(f"{name} by itself has an AUC-ROC of {auc:.3f}: it says the outcome in other words.")
        elif figure > bound:
            failed.append(
                f"{name} by itself reaches an average precision of {figure:.3f}, all features {trial.reached:.3f}: "
                "check that it is known before the outcome is."
            )
    strongest = max(reached, key=lambda name: reached[name])
    if trial.ceiling is not None:
        for name, score in {**scores, "all features together": trial.scores}.items():
            figure = reached.get(name, trial.reached)
            if figure > trial.ceiling and trial.lower_bound(score) > trial.ceiling:
                failed.append(f"{name} goes above the ceiling of {trial.ceiling:.3f} that all observable things have.")
        bound = min(bound, trial.ceiling)
    words = failed or [
        f"The strongest feature by itself is {strongest}, with an average precision of {reached[strongest]:.3f}."
    ]
    return Finding("single_features", not failed, " ".join(words), reached[strongest], bound)


def _ranked(values: Features, trial: Trial) -> Floats:
    """Scores of the test rows by one feature: the share of positives among training rows of its value, or of its 128th."""
    learned, asked = values[trial.train], values[trial.test]
    known = np.unique(learned[~np.isnan(learned)])
    if len(known) > MOST_VALUES:
        known = np.unique(np.quantile(learned[~np.isnan(learned)], np.arange(1, BINS) / BINS))
    last = len(known) + 1

    def places(of: Features) -> Integers:
        return np.where(np.isnan(of), last, np.searchsorted(known, of, side="right")).astype(np.int64)

    found = places(learned)
    rows = np.bincount(found, minlength=last + 1)
    positives = np.bincount(found, weights=trial.train_labels, minlength=last + 1)
    shares: Floats = (positives + PRIOR_ROWS * trial.train_labels.mean()) / (rows + PRIOR_ROWS)
    return shares[places(asked)]


def _against_chance(trial: Trial, name: str, what: str, scores: Floats, groups: Integers) -> Finding:
    figure, bound = average_precision(trial.test_labels, scores), trial.chance_bound(scores, groups)
    words = f"A model of {what} alone has an average precision of {figure:.3f}; up to {bound:.3f} is chance."
    return Finding(name, figure <= bound, words + ("" if figure <= bound else " They carry the outcome."), figure, bound)


def _wilson_lower(found: int, rows: int, deviations: float = 2.6) -> float:
    """Lower end of the Wilson interval of a share."""
    share, square = found / rows, deviations**2
    width = deviations * math.sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    return (share + square / (2 * rows) - width) / (1 + square / rows)


def _listed(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
