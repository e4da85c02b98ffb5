"""The poison test: whatever is changed after a model's training day changes nothing in the model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.examples import DAY, NEVER, NO_ENTITY, Examples, Integers
from ticketintel_pipelines.learning.leak_trial import Finding
from ticketintel_pipelines.learning.splits import Fold, Split
from ticketintel_pipelines.learning.trained import Trained

Trainer = Callable[[Model, Examples, Integers, int], Trained]
"""As `training.train`."""
Splitter = Callable[[Examples, Split, int], Fold]
"""As `splits.fold_at`."""


def poisoned(model: Model, examples: Examples, split: Split, day: int, trainer: Trainer, splitter: Splitter) -> Finding:
    """Split and trained on the day `day` (since 1970 UTC) from the examples and from poisoned ones, models are the same.

    They dump the same files, and score all rows up to then alike, byte for byte.
    """
    seen = examples.features[: np.searchsorted(examples.at, day * DAY)]
    models = []
    for world in (examples, poison(examples, day * DAY, model.seed)):
        fold = splitter(world, split, day)
        models.append(trainer(model, world, fold.train, fold.trained_at))
    clean, other = models
    apart = int((clean.probabilities(seen) != other.probabilities(seen)).sum())
    same = apart == 0 and clean.fitted.dump() == other.fitted.dump() and clean.calibration == other.calibration
    words = f"Everything after the training day was changed: {apart} of {len(seen)} scores of rows before it changed"
    words += " and the model is the same." if same else ", and the model is another one: it was trained on what came later."
    return Finding("poison", same, words, float(apart), 0.0)


def poison(examples: Examples, instant: int, seed: int) -> Examples:
    """The examples with all that was not known at an instant (µs since 1970 UTC) changed.

    Features, entities and amounts of later rows, which labels become known later and when, and all that only a simulator knows.
    """
    random = np.random.default_rng(seed)
    later = examples.at > instant
    features = examples.features.copy()
    features[later] = random.normal(0, 1e3, (int(later.sum()), features.shape[1]))
    unsettled = examples.known_at > instant
    turned = np.where(random.random(len(examples)) < 0.5, instant + 1 + random.integers(0, DAY, len(examples)), NEVER)
    changed: dict[str, Any] = {
        "features": features,
        "known_at": np.where(unsettled, turned, examples.known_at),
        "entity": np.where(later, NO_ENTITY, examples.entity),
        "amount": np.where(later, random.random(len(examples)), examples.amount),
    }
    if examples.truth is not None:
        changed["truth"] = 1 - examples.truth
    if examples.hidden is not None:
        changed["hidden"] = ~examples.hidden
    if examples.kind is not None:
        changed["kind"] = examples.kind[::-1].copy()
    return replace(examples, **changed)
