"""How regular and how dense the doings of each subject are: times in, figures out.

Rows come as `subject` (n,), whole numbers below `subjects`, and `at` (n,), microseconds; in any order.
"""

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Floats, Integers

SECOND = 1_000_000
"""Microseconds."""
GAP_BINS_PER_DECADE = 4
"""Gaps between rows are counted in bins of this many to a power of ten, so that entropy tells a metronome from a person."""
LEAST_GAP_S = 1e-3


def in_order(subject: Integers, at: Integers) -> Integers:
    """Places of the rows (n,), subject by subject, each in order of time; equal times keep their order."""
    order: Integers = np.lexsort((at, subject))
    return order


def gaps(subject: Integers, at: Integers) -> tuple[Integers, Floats]:
    """The subject of each gap between two rows that follow each other, and its length in seconds, both (g,)."""
    order = in_order(subject, at)
    who, when = subject[order], at[order]
    inside = who[1:] == who[:-1]
    return who[1:][inside], np.diff(when)[inside] / SECOND


def variation(subject: Integers, at: Integers, subjects: int) -> Floats:
    """Coefficient of variation of each subject's gaps, (subjects,): 0 for a metronome, about 1 for independent arrivals.

    NaN with fewer than two gaps, and where all rows came at one instant.
    """
    who, length = gaps(subject, at)
    count = np.bincount(who, minlength=subjects)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(who, length, minlength=subjects) / count
        spread = np.bincount(who, (length - mean[who]) ** 2, minlength=subjects) / count
        found: Floats = np.where((count >= 2) & (mean > 0), np.sqrt(spread) / mean, np.nan)
    return found


def gap_entropy(subject: Integers, at: Integers, subjects: int) -> Floats:
    """Shannon entropy of each subject's gaps over logarithmic bins, bits, (subjects,); NaN with fewer than two gaps."""
    who, length = gaps(subject, at)
    bins = np.floor(GAP_BINS_PER_DECADE * np.log10(np.maximum(length, LEAST_GAP_S))).astype(np.int64)
    return entropy(who, bins, subjects, least=2)


def entropy(subject: Integers, kind: Integers, subjects: int, least: int = 1) -> Floats:
    """Shannon entropy of the kinds (n,) of each subject's rows, bits, (subjects,); NaN with fewer than `least` rows."""
    count = np.bincount(subject, minlength=subjects)
    pairs, seen = np.unique(np.column_stack([subject, kind]), axis=0, return_counts=True)
    share = seen / count[pairs[:, 0]]
    found: Floats = np.bincount(pairs[:, 0], -share * np.log2(share), minlength=subjects).astype(np.float64)
    return np.where(count >= least, np.maximum(found, 0.0), np.nan)


def busiest(subject: Integers, at: Integers, subjects: int, span_s: float) -> tuple[Integers, Flags]:
    """The most rows of each subject within a span of seconds, (subjects,), and which rows (n,) make it up.

    A span holds rows less than `span_s` apart; of spans equally busy the first counts.
    """
    order = in_order(subject, at)
    who, when = subject[order], at[order]
    # One axis on which the subjects lie further apart than any span: the end of each row's span is one search.
    width = int(span_s * SECOND)
    axis = who * (int(np.ptp(when)) + width + 1 if len(when) else 1) + (when - when.min(initial=0))
    ends = np.searchsorted(axis, axis + width, side="left")
    held = ends - np.arange(len(axis))
    most = np.zeros(subjects, dtype=np.int64)
    np.maximum.at(most, who, held)
    proof = np.zeros(len(at), dtype=bool)
    starts = np.flatnonzero(held == most[who])
    _, firsts = np.unique(who[starts], return_index=True)
    for start in starts[firsts]:
        proof[order[start : ends[start]]] = True
    return most, proof


def partners(one: Integers, other: Integers, subjects: int) -> Integers:
    """How many different values of `other` (n,) stand beside each value of `one` (n,), (subjects,); negative: unknown."""
    known = (one >= 0) & (other >= 0)
    pairs = np.unique(np.column_stack([one[known], other[known]]), axis=0)
    found: Integers = np.bincount(pairs[:, 0], minlength=subjects)
    return found
