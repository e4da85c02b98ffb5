"""Promotion: when a challenger takes the champion's place, as a rule over figures of the same test days."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ticketintel_pipelines.learning.intervals import Measured


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger is promoted, and in one sentence why, or why not."""

    promoted: bool
    because: str


def decide(
    against_baseline: Measured,
    against_champion: Measured | None = None,
    slices: Mapping[str, tuple[float, float]] | None = None,
    most_worse: float = 0.0,
) -> Verdict:
    """Judge a challenger.

    `against_baseline` and `against_champion` are its average precision less theirs on the same test days, with 95 % intervals
    from pairing day by day; without a champion the baseline is what it must beat. `slices` have the average precision of
    challenger and champion by slice, NaN where a slice has no positives: nothing is judged by it. `most_worse` is how much of
    it a slice may lose.
    """
    if against_champion is None:
        return _beaten("baseline", against_baseline, "there is no champion, and ")
    found = _beaten("champion", against_champion)
    if not found.promoted:
        return found
    lost = {name: before - now for name, (now, before) in (slices or {}).items() if math.isfinite(before)}
    # A challenger that says nothing of a slice that the champion ranks has lost it.
    worse = {name: loss for name, loss in lost.items() if not loss <= most_worse}
    if worse:
        name = max(worse, key=lambda one: math.inf if math.isnan(worse[one]) else worse[one])
        now, before = (slices or {})[name]
        others = f", and {len(worse) - 1} more" if len(worse) > 1 else ""
        return Verdict(
            False,
            f"not promoted: average precision on {name} falls from {before:.3f} to {now:.3f}, "
            f"by more than the {most_worse:.3f} agreed{others}",
        )
    return found


def _beaten(whom: str, apart: Measured, given: str = "") -> Verdict:
    if not math.isfinite(apart.low):
        return Verdict(False, f"not promoted: the test days do not suffice for an interval of the difference to the {whom}")
    figures = (
        f"{apart.value:+.3f} in average precision on the same test days, 95 % interval {apart.low:+.3f} to {apart.high:+.3f}"
    )
    if apart.low <= 0:
        return Verdict(False, f"not promoted: {given}the difference to the {whom} is {figures}, which does not exclude zero")
    return Verdict(True, f"promoted: {given}it beats the {whom} by {figures}")
