"""Scoring rows: the calibrated probability, the decision it leads to, how clear that decision is, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.declaration import Decision
from ticketintel_pipelines.learning.examples import Features, Floats, Integers
from ticketintel_pipelines.learning.trained import Trained

NO_FEATURE = -1


@dataclass(frozen=True)
class Scored:
    """n rows: calibrated probabilities, places among the decisions, and confidences from 0 to 1."""

    probability: Floats
    decision: Integers
    confidence: Floats


@dataclass(frozen=True)
class Reasons:
    """What moved k rows most towards being positive, (k, top), the largest first.

    `feature` holds the places of the features, `NO_FEATURE` where fewer than `top` moved the row that way; there `value`, which
    is the feature's value in the row (NaN also where it is unknown), and `contribution`, in log odds, are NaN.
    """

    feature: Integers
    value: Features
    contribution: Floats


def score(trained: Trained, features: Features, decisions: Sequence[Decision]) -> Scored:
    """Score rows (n, m); `decisions` go from the strictest one down to one at 0."""
    probability = trained.probabilities(features)
    return Scored(probability, decide(probability, decisions), confidence(probability, decisions))


def decide(probability: Floats, decisions: Sequence[Decision]) -> Integers:
    """The place of the decision for each probability (n,): the first one whose threshold it reaches."""
    thresholds = np.array([decision.at_least for decision in reversed(decisions)])
    place: Integers = len(thresholds) - np.searchsorted(thresholds, probability, side="right")
    return place.astype(np.int64)


def confidence(probability: Floats, decisions: Sequence[Decision]) -> Floats:
    """How far each probability (n,) lies from the nearest threshold, as a share of the most its band has room for.

    0 on a threshold, where a little more or less evidence would lead to another decision; 1 in the middle of a band between two
    thresholds, and at 0 and at 1 in the outermost ones, which have a threshold on one side alone. It says how settled the
    decision is, not how likely it is to be right: that is what the probability says.
    """
    place = decide(probability, decisions)
    lower = np.array([decision.at_least for decision in decisions])
    upper = np.r_[np.inf, lower[:-1]]
    # No decision lies below the last one.
    lower[-1] = -np.inf
    room = np.minimum(upper, 1) - np.maximum(lower, 0)
    # Between two thresholds nothing is further from the nearest than the middle.
    room[1:-1] /= 2
    apart = np.minimum(probability - lower[place], upper[place] - probability)
    found: Floats = np.clip(apart / room[place], 0, 1)
    return found


def reasons(trained: Trained, features: Features, rows: Integers, top: int = 3) -> Reasons:
    """What moved some of the rows, given by their places (k,), most towards being positive.

    A model of a kind that cannot say gives no feature for any row.
    """
    asked = features[rows]
    top = min(top, asked.shape[1])
    moved = trained.fitted.contributions(asked) if len(asked) else None
    if moved is None:
        shape = (len(asked), top)
        return Reasons(np.full(shape, NO_FEATURE), np.full(shape, np.nan, np.float32), np.full(shape, np.nan))
    # Of equal ones the first: the order of the features is part of the model.
    place = np.argsort(-moved, axis=1, kind="stable")[:, :top]
    contribution = np.take_along_axis(moved, place, axis=1)
    value = np.take_along_axis(asked, place, axis=1)
    counts = contribution > 0
    return Reasons(
        np.where(counts, place, NO_FEATURE), np.where(counts, value, np.float32(np.nan)), np.where(counts, contribution, np.nan)
    )
