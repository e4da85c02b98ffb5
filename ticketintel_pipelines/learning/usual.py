"""What is usual between one day and others: with what a day is held against before it counts as drifted.

Rows of one day are no independent draws: tickets of one order are alike, and on some days much goes on sale. Equal rows of one
instant therefore count once, and each column may lie as far from the reference as it did on any of the last days that the model
learned from, held against the days before those.
"""

import numpy as np

from ticketintel_pipelines.learning.drift import Reference, build_reference, measure_drift
from ticketintel_pipelines.learning.examples import Examples, Features, Integers
from ticketintel_pipelines.learning.matrix import row_hashes
from ticketintel_pipelines.learning.trained import Trained

USUAL_DAYS = 7
REFERENCE_ROWS = 20_000


def independent(features: Features, at: Integers) -> Integers:
    """Places (k,) of the rows that are not equal to an earlier one of the same instant."""
    _, places = np.unique(np.column_stack([row_hashes(features), at]), axis=0, return_index=True)
    return np.sort(places)


def usual_distances(trained: Trained, examples: Examples, rows: Integers) -> dict[str, float]:
    """By column, how far the last days learned from lay from those before: the largest statistic against its threshold.

    `rows` are the places of the training rows. Empty where they span too few days to say.
    """
    rows = rows[independent(examples.features[rows], examples.at[rows])]
    days = np.unique(examples.day[rows])
    if len(days) < 2 * USUAL_DAYS:
        return {}
    reference = reference_of(trained, examples, rows[examples.day[rows] < days[-USUAL_DAYS]])
    features = examples.features
    most: dict[str, float] = {}
    for day in days[-USUAL_DAYS:]:
        today = rows[examples.day[rows] == day]
        found = measure_drift(reference, features[today], trained.probabilities(features[today]))
        for column in found.columns:
            if column.statistic is not None and column.threshold:
                most[column.name] = max(most.get(column.name, 0.0), column.statistic / column.threshold)
    return most


def reference_of(trained: Trained, examples: Examples, rows: Integers) -> Reference:
    """The reference for some rows and their scores: those that are not alike, thinned evenly."""
    rows = thinned(rows[independent(examples.features[rows], examples.at[rows])])
    features = examples.features[rows]
    return build_reference(trained.names, features, trained.probabilities(features))


def thinned(rows: Integers, most: int = REFERENCE_ROWS) -> Integers:
    """At most so many of some rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)] if len(rows) else rows
