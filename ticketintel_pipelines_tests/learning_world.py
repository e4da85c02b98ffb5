"""A small world to learn in: days of rows, rare positives that show in some of the features, labels that arrive late."""

import numpy as np

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.learning.declaration import Card, Costs, Decision, Model
from ticketintel_pipelines.learning.estimators import Estimator, XGBoost
from ticketintel_pipelines.learning.examples import DAY, NEVER, Examples
from ticketintel_pipelines.learning.splits import Split

NAMES = ("amount", "velocity", "hour", "ratio", "age", "noise_one", "noise_two", "noise_three")
FIRST_DAY = 20_000
SPLIT = Split(train_days=60, delay_days=3, test_days=3, folds=4, least_train_days=10)
LIGHT = XGBoost(trees=30, depth=3, max_bin=256, more={"nthread": 1})


def world(seed: int = 1, days: int = 40, a_day: int = 250, share: float = 0.06, strength: float = 1.5) -> Examples:
    """An honest world. Fraud is by night, in bursts of one entity, and more often by those whose `ratio` is yet unknown."""
    random = np.random.default_rng(seed)
    rows = days * a_day
    at = np.sort(FIRST_DAY * DAY + random.integers(0, days * DAY, rows))
    positive = random.random(rows) < share / 2
    # A burst: the row after a positive one is often of the same kind, at the same instant.
    follows = np.r_[False, positive[:-1]] & (random.random(rows) < 0.8)
    at[follows] = at[np.flatnonzero(follows) - 1]
    positive |= follows
    night = positive & (random.random(rows) < 0.5)
    hour = np.where(night, random.integers(0, 5, rows), at % DAY // 3_600_000_000)
    features = random.normal(size=(rows, len(NAMES)))
    features[:, 0] = np.exp(features[:, 0] + strength * 0.5 * positive)
    features[:, 1] += strength * positive
    features[:, 2] = hour
    features[:, 4] = np.exp(features[:, 4] - strength * positive)
    features[random.random(rows) < np.where(positive, 0.3, 0.15), 3] = np.nan
    features[random.random(rows) < 0.02, 0] = np.nan
    entity = random.integers(0, rows // 3, rows)
    entity[follows] = entity[np.flatnonzero(follows) - 1]
    truth = positive.astype(np.int64)
    known_at = np.where(positive, at + (random.random(rows) * 2.5 * DAY).astype(np.int64), NEVER)
    return Examples(
        names=NAMES,
        features=features.astype(np.float32),
        ids=np.array([f"{value:032x}" for value in random.integers(0, 2**62, rows)], dtype=object),
        at=at,
        known_at=known_at,
        entity=entity,
        amount=np.nan_to_num(features[:, 0], nan=1.0),
        truth=truth,
        kind=np.array(["burst" if one else "" for one in positive], dtype=object),
        hidden=np.zeros(rows, bool),
    )


def declared(
    examples: Examples,
    estimator: Estimator = LIGHT,
    candidates: tuple[Estimator, ...] = (),
    split: Split = SPLIT,
    least_positives: int = 30,
) -> Model:
    """A model of all features of some examples."""
    return Model(
        name="trial",
        title="Trial",
        card=Card("Trial.", "Positive.", "A made-up world.", ()),
        features=tuple(Column(name, ColumnType.NUMBER, name) for name in examples.names),
        estimator=estimator,
        split=split,
        decisions=(Decision("stop", 0.5, "Stopped."), Decision("pass", 0.0, "Passed.")),
        operating_threshold=0.5,
        costs=Costs(1.0, 1.0, "coins"),
        baseline=examples.names[0],
        candidates=candidates,
        least_positives=least_positives,
    )
