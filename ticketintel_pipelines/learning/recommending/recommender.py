"""The recommender: settings tuned and signals weighed on days that were not learned from, and kept as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Floats, Integers
from ticketintel_pipelines.learning.recommending.blending import MOST_CELLS, Choices, choices, learn_weights
from ticketintel_pipelines.learning.recommending.judging import Scorer, ndcg, recommended
from ticketintel_pipelines.learning.recommending.known import Known, Matrix, Trial
from ticketintel_pipelines.learning.recommending.ranking import best_for
from ticketintel_pipelines.learning.recommending.signals import (
    Settings,
    Signal,
    all_signals,
    factors_signal,
    neighbours_signal,
    popular_signal,
)

MakeScorer = Callable[[Known, Settings], Scorer]
FILE = "recommender.json"
HALF_LIVES_DAYS = (0.5, 1.0, 2.0, 4.0, 8.0, 30.0)
NEIGHBOURS = (10, 50, 1_000_000)
SHRINKS = (0.0, 5.0, 25.0)
FACTORS = (8, 32)
REGULARIZATIONS = (0.1, 1.0)
WITH_HISTORY, WITHOUT_HISTORY = "with_history", "without_history"
SLIGHT = 1e-6
"""What popularity weighs where it decides only between candidates of which neighbours say the same."""


@dataclass(frozen=True)
class Recommender:
    """Settings, and what each signal weighs for users who bought something before and for those who did not."""

    settings: Settings
    weights: Mapping[str, Mapping[str, float]]
    seed: int

    def dump(self) -> bytes:
        content = {"settings": self.settings.as_json(), "weights": self.weights, "seed": self.seed}
        return json.dumps(content, indent=1, sort_keys=True).encode()

    @staticmethod
    def load(content: bytes) -> "Recommender":
        read = json.loads(content)
        return Recommender(Settings(**read["settings"]), read["weights"], read["seed"])

    def prepare(self, known: Known) -> "Prepared":
        """Make the matrices of what is known now."""
        signals = all_signals(known, self.settings, self.seed)
        weights = np.array(
            [[self.weights[part].get(one.name, 0.0) for one in signals] for part in (WITHOUT_HISTORY, WITH_HISTORY)], np.float64
        )
        return Prepared(known, signals, weights[known.has_history.astype(np.int64)].astype(np.float32))


@dataclass(frozen=True)
class Prepared:
    """A recommender over what is known at an instant. `weights` (n, s) are those of each user."""

    known: Known
    signals: Sequence[Signal]
    weights: Matrix

    def scores(self, rows: Integers) -> Matrix:
        """Scores of every candidate for some users (r, c).

        Signals of dense factors are one product together.
        """
        weights = self.weights[rows]
        users, items = [], []
        total = np.zeros((len(rows), len(self.known.candidates)), np.float32)
        for place, signal in enumerate(self.signals):
            if isinstance(signal.users, np.ndarray):
                users.append(signal.users[rows] * weights[:, place, None])
                items.append(signal.items)
            else:
                total += signal.of(rows) * weights[:, place, None]
        if users:
            total += np.concatenate(users, axis=1) @ np.concatenate(items, axis=0)
        return total

    def top(self, rows: Integers, count: int) -> tuple[Integers, Matrix]:
        """The best candidates of some users (r, count), by position among the candidates, and their scores."""
        return best_for(rows, self.scores, self.known.bought()[:, self.known.candidates], count)

    def contributions(self, rows: Integers, chosen: Integers) -> Matrix:
        """What each signal adds to the score of a chosen candidate above the mean of all candidates, for pairs (p, s).

        `rows` (p,) are users and `chosen` (p,) positions among the candidates.
        """
        found = np.empty((len(rows), len(self.signals)), np.float32)
        if not len(rows):
            return found
        for place, signal in enumerate(self.signals):
            centred = signal.items - signal.items.mean(axis=1, keepdims=True)
            if isinstance(signal.users, np.ndarray):
                values = np.einsum("pd,dp->p", signal.users[rows], centred[:, chosen])
            else:
                taken = signal.users[rows].tocoo()
                values = np.bincount(taken.row, taken.data * centred[taken.col, chosen[taken.row]], minlength=len(rows))
            found[:, place] = values * self.weights[rows, place]
        return found


def tune(trials: Sequence[Trial], seed: int) -> Settings:
    """Settings by the mean NDCG of each signal by itself: popularity first, then neighbours and factors.

    Neighbours are tuned as the item-kNN that the blend must beat, where popularity decides between equals.
    """
    settings = Settings()
    settings = _best(trials, [replace(settings, half_life_days=one) for one in HALF_LIVES_DAYS], popularity_scorer)
    grid = [replace(settings, neighbours=one, shrink=other) for one, other in product(NEIGHBOURS, SHRINKS)]
    settings = _best(trials, grid, neighbours_scorer)
    pairs = [replace(settings, factors=one, regularization=other) for one, other in product(FACTORS, REGULARIZATIONS)]

    def by_factors(known: Known, tried: Settings) -> Scorer:
        return _with_popularity(known, tried, factors_signal(known, tried, seed))

    return _best(trials, pairs, by_factors)


def _best(trials: Sequence[Trial], grid: Sequence[Settings], scorer: MakeScorer) -> Settings:
    """The first of the settings with the highest mean NDCG."""
    means = []
    for tried in grid:
        found = [ndcg(recommended(one, scorer(one.known, tried)), one.relevant) for one in trials]
        means.append(float(np.concatenate(found).mean()))
    return grid[int(np.argmax(means))]


def popularity_scorer(known: Known, settings: Settings) -> Scorer:
    return popular_signal(known, settings.half_life_days).of


def plain_popularity_scorer(known: Known, settings: Settings) -> Scorer:
    return popular_signal(known, float("inf")).of


def neighbours_scorer(known: Known, settings: Settings) -> Scorer:
    """Item-kNN; popularity decides for users and items of whom neighbours say nothing."""
    return _with_popularity(known, settings, neighbours_signal(known, settings.neighbours, settings.shrink))


def _with_popularity(known: Known, settings: Settings, signal: Signal) -> Scorer:
    popular = popular_signal(known, settings.half_life_days)

    def scored(rows: Integers) -> Matrix:
        found: Matrix = signal.of(rows) + np.float32(SLIGHT) * popular.of(rows)
        return found

    return scored


def learn_recommender(trials: Sequence[Trial], seed: int) -> Recommender:
    """Tune and weigh on trials, each of which tells what was bought after what was known.

    Raises:
        ValueError: there is no trial with a purchase.
    """
    if not any(len(trial.rows) for trial in trials):
        raise ValueError("there is nothing to learn weights from")
    trials = [trial for trial in trials if len(trial.rows)]
    settings = tune(trials, seed)
    signals = [all_signals(trial.known, settings, seed) for trial in trials]
    weights = {}
    for name, wanted in ((WITH_HISTORY, True), (WITHOUT_HISTORY, False)):
        sets: list[Choices] = []
        for trial, made in zip(trials, signals, strict=True):
            chosen: Flags = trial.known.has_history[trial.rows] == wanted
            if chosen.any():
                sets.append(choices(trial, made, chosen, seed, MOST_CELLS // len(trials)))
        # Without such users nothing is learned of them: the most bought come first.
        learned: Floats = learn_weights(sets) if sets else np.eye(len(signals[0]))[0]
        weights[name] = {one.name: float(value) for one, value in zip(signals[0], learned, strict=True)}
    return Recommender(settings, weights, seed)
