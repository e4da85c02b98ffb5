"""How well bands find planted anomalies on days that they were not chosen on, beside a fixed threshold for each stream."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.assessment import Comparison, Groups, compare_rankings
from ticketintel_pipelines.learning.bands.baseline import BASELINE, SIGMAS
from ticketintel_pipelines.learning.bands.choosing import (
    FALSE_ALARMS,
    Choice,
    choose,
    cut_at,
    fixed_thresholds,
)
from ticketintel_pipelines.learning.bands.judging import ANOMALY
from ticketintel_pipelines.learning.bands.planting import DROP, SPIKE, Planted, plant
from ticketintel_pipelines.learning.bands.streams import Family, Streams, judge_streams
from ticketintel_pipelines.learning.examples import DAY, Flags, Floats, Integers, TooFewExamplesError

LATER_SHARE = 1 / 3
"""Of the days: those that are judged."""
LEAST_DAYS = 6
LEAST_PLANTED = 20
ENOUGH = 20_000
"""Later values that anomalies are planted among, if need be in several rounds."""
MANY_STREAMS = 20
"""From so many on, whole streams are resampled; of fewer, weeks of each."""
MOST_SLOTS = 400_000
"""Slots judged for the figures; of more, streams are drawn, whole."""
RESAMPLES = 300


@dataclass(frozen=True)
class Trial:
    """The later slots: what was planted, and what bands (`ours`) and fixed thresholds (`theirs`) make of each, (n,).

    A deviation is in units of the width that gives the fixed share of false alarms on the earlier days, by family (of bands no
    less than `NARROWEST`), so that families can be ranked together; it is below 0 where nothing is judged. `called` are
    anomalies at the widths in use.
    """

    choices: tuple[Choice, ...]
    planted: Planted
    ours: Floats
    theirs: Floats
    called: Flags
    called_theirs: Flags
    groups: Groups
    days: tuple[int, int, int]
    """The first day, the first of the later days and the day past the last, in days since 1970."""
    rounds: int
    """How often anomalies were planted into the same slots, anew each time."""


def trial(streams: Streams, families: Sequence[Family], whole_numbers: frozenset[str], seed: int) -> Trial:
    """Choose on the earlier days, and judge on the later ones with anomalies planted there.

    Raises:
        TooFewExamplesError: there are too few days, or values, to choose and to judge on.
    """
    streams = _bounded(streams, seed)
    if not len(streams):
        raise TooFewExamplesError("there are no slots of streams on the days to learn from")
    day = streams.at // DAY
    first, past = int(day.min()), int(day.max()) + 1
    if past - first < LEAST_DAYS:
        raise TooFewExamplesError(f"there are {past - first} days of streams, and {LEAST_DAYS} are needed to judge bands")
    split = past - max(2, round((past - first) * LATER_SHARE))
    earlier, later = day < split, day >= split
    choices = choose(streams.take(earlier), families, whole_numbers, seed)
    planted = plant(streams, later, whole_numbers, seed + 1, ENOUGH)
    count, rounds = int(planted.anomalous.sum()), len(planted.row) // len(streams)
    if count < LEAST_PLANTED:
        raise TooFewExamplesError(
            f"the later days have room for {count} anomalies, and {LEAST_PLANTED} are needed to judge bands"
        )
    judged = judge_streams(planted.streams, {choice.family.name: choice.band for choice in choices})
    fixed = fixed_thresholds(streams.take(earlier), streams, families)
    ours, theirs = judged.deviation, fixed.deviation(planted.streams.values, planted.row)
    called, called_theirs = judged.verdict == ANOMALY, theirs > SIGMAS
    usual = fixed.deviation(streams.values, np.arange(len(streams)))
    for choice in choices:
        family = streams.family == choice.family.name
        here = family[planted.row]
        ours[here] /= choice.band.sigmas
        theirs[here] /= cut_at(usual[family & earlier & ~np.isnan(usual)])
    rows = np.flatnonzero(later[planted.row] & planted.usable)
    groups = streams.stream[planted.row[rows]]
    if len(np.unique(groups)) < MANY_STREAMS:
        groups = groups * 100_000 + day[planted.row[rows]] // 7
    return Trial(
        choices,
        Planted(planted.streams.take(rows), planted.kind[rows], planted.usable[rows], planted.row[rows]),
        np.where(np.isnan(ours), -1.0, ours)[rows],
        np.where(np.isnan(theirs), -1.0, theirs)[rows],
        called[rows],
        called_theirs[rows],
        groups,
        (first, split, past),
        rounds,
    )


def _bounded(streams: Streams, seed: int) -> Streams:
    if len(streams) <= MOST_SLOTS:
        return streams
    names, count = np.unique(streams.stream, return_counts=True)
    drawn = np.random.default_rng(seed).permutation(len(names))
    kept = names[drawn[np.cumsum(count[drawn]) <= MOST_SLOTS]]
    return streams.take(np.isin(streams.stream, kept))


def comparisons(tried: Trial) -> tuple[Comparison, ...]:
    """Recall at an equal rate of false alarms, which decides, and F1 at the widths in use."""
    anomalous = tried.planted.anomalous
    of = f"{int(anomalous.sum()):,} anomalies planted among {len(anomalous) // tried.rounds:,} values of the later days"
    of += f", in {tried.rounds} rounds" if tried.rounds > 1 else ""

    def recall(rows: Integers) -> tuple[float, float]:
        found = anomalous[rows]
        return _recall(tried.ours[rows], found), _recall(tried.theirs[rows], found)

    def f1(rows: Integers) -> tuple[float, float]:
        return _f1(tried.called[rows], anomalous[rows]), _f1(tried.called_theirs[rows], anomalous[rows])

    return (
        compare_rankings(f"recall at {FALSE_ALARMS:.0%} false alarms", BASELINE, of, recall, tried.groups, resamples=RESAMPLES),
        compare_rankings("F1 at the widths in use", BASELINE, of, f1, tried.groups, resamples=RESAMPLES),
    )


def _recall(deviation: Floats, anomalous: Flags) -> float:
    if not anomalous.any() or anomalous.all():
        return float("nan")
    return float((deviation[anomalous] > cut_at(deviation[~anomalous])).mean())


def _f1(called: Flags, anomalous: Flags) -> float:
    both = int(called.sum()) + int(anomalous.sum())
    return 2 * int((called & anomalous).sum()) / both if both else float("nan")


def share_found(tried: Trial, kind: int, family: str | None = None) -> tuple[int, float, float]:
    """How many anomalies of a kind were planted, and the shares that bands and fixed thresholds in use call."""
    rows = tried.planted.kind == kind
    if family is not None:
        rows &= tried.planted.streams.family == family
    if not rows.any():
        return 0, float("nan"), float("nan")
    return int(rows.sum()), float(tried.called[rows].mean()), float(tried.called_theirs[rows].mean())


def false_alarms(tried: Trial, family: str | None = None) -> tuple[int, float, float]:
    """How many values nobody planted, and the shares of them that bands and fixed thresholds in use call."""
    return share_found(tried, 0, family)


KINDS = ((SPIKE, "spikes"), (DROP, "drops"))
