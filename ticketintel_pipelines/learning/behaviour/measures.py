"""Measures that rules are written in: counts, shares, medians and groups of a subject's rows.

Each function makes a measure of columns by name; a `where` column holds flags.
"""

import numpy as np

from ticketintel_pipelines.learning.behaviour.regularity import busiest, variation
from ticketintel_pipelines.learning.behaviour.rules import Measure, Reading, Rows
from ticketintel_pipelines.learning.examples import Flags, Floats, Integers


def counted(where: str) -> Measure:
    """How many of the rows are so."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        proof = rows[where].astype(bool)
        return Reading(np.bincount(subject[proof], minlength=subjects).astype(np.float64), proof)

    return measure


def share(where: str, among: str | None = None) -> Measure:
    """Which share of the rows (of those that `among` holds) is so; the proof is all of them."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        proof = _all(subject) if among is None else rows[among].astype(bool)
        so = np.bincount(subject[proof & rows[where].astype(bool)], minlength=subjects)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Reading(so / np.bincount(subject[proof], minlength=subjects), proof)

    return measure


def median(column: str) -> Measure:
    """The median of a column over the rows in which it is known."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        proof = ~np.isnan(rows[column])
        return Reading(medians(rows[column][proof], subject[proof], subjects), proof)

    return measure


def largest(group: str, where: str) -> Measure:
    """How many of the rows that are so share one value of `group`, at most; unknown groups are negative."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        chosen = np.flatnonzero(rows[where].astype(bool) & (rows[group] >= 0))
        both = np.column_stack([subject[chosen], rows[group][chosen]])
        pairs, start, place, counts = np.unique(both, axis=0, return_index=True, return_inverse=True, return_counts=True)
        most = np.zeros(subjects, dtype=np.int64)
        np.maximum.at(most, pairs[:, 0], counts)
        # Of groups equally large, the one whose rows begin first: what a group is numbered says nothing.
        leading = np.flatnonzero(counts == most[pairs[:, 0]])
        leading = leading[np.argsort(start[leading])]
        _, firsts = np.unique(pairs[leading, 0], return_index=True)
        proof = np.zeros(len(subject), dtype=bool)
        proof[chosen] = np.isin(place.reshape(-1), leading[firsts])
        return Reading(most.astype(np.float64), proof)

    return measure


def distinct(column: str) -> Measure:
    """How many different values a column of whole numbers has; negative ones are unknown."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        proof = rows[column] >= 0
        pairs = np.unique(np.column_stack([subject[proof], rows[column][proof]]), axis=0)
        return Reading(np.bincount(pairs[:, 0], minlength=subjects).astype(np.float64), proof)

    return measure


def most_within(seconds: float, time: str = "at") -> Measure:
    """The most rows within a span of so many seconds."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        most, proof = busiest(subject, rows[time], subjects, seconds)
        return Reading(most.astype(np.float64), proof)

    return measure


def gap_variation(time: str = "at") -> Measure:
    """The coefficient of variation of the gaps between rows."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        return Reading(variation(subject, rows[time], subjects), _all(subject))

    return measure


def medians(values: Floats, subject: Integers, subjects: int) -> Floats:
    """The median of each subject's values, (subjects,), NaN without any; `values` and `subject` are (n,)."""
    order = np.lexsort((values, subject))
    ordered = values[order]
    count = np.bincount(subject, minlength=subjects)
    first = np.cumsum(count) - count
    found = np.full(subjects, np.nan)
    some = count > 0
    low, high = first[some] + (count[some] - 1) // 2, first[some] + count[some] // 2
    found[some] = (ordered[low] + ordered[high]) / 2
    return found


def _all(subject: Integers) -> Flags:
    return np.ones(len(subject), dtype=bool)
