"""Conformal bounds: how far a prediction must be widened so that what happens lies inside as often as was asked for."""

import numpy as np

from ticketintel_pipelines.learning.assessment import SEED, Groups
from ticketintel_pipelines.learning.examples import Flags, Floats
from ticketintel_pipelines.learning.intervals import Measured, measured, resampled_days


def conformal_quantile(scores: Floats, level: float) -> float:
    """The value that a further score does not exceed with probability `level` or more, if it is exchangeable with these (n,).

    It is the ⌈level · (n + 1)⌉-th smallest, or the largest where there are too few to say.
    Source: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005.

    Raises:
        ValueError: no scores.
    """
    if not len(scores):
        raise ValueError("no scores to take a quantile of")
    # Rounded first: 0.9 · 10 is 9.000000000000002 in some orders of multiplication, and would ask for one more.
    rank = int(np.ceil(round(level * (len(scores) + 1), 9)))
    return float(np.sort(scores)[min(max(rank, 1), len(scores)) - 1])


def share_measured(flags: Flags, groups: Groups) -> Measured:
    """The share of rows (n,) that are flagged, with its interval by resampling whole groups; NaN without rows."""
    if not len(flags):
        return Measured(float("nan"))
    _, place = np.unique(groups, return_inverse=True)
    count = int(place.max()) + 1
    weights = resampled_days(count, SEED)
    drawn = (weights @ np.bincount(place, flags.astype(np.float64), minlength=count)) / (
        weights @ np.bincount(place, minlength=count)
    )
    return measured(float(flags.mean()), drawn, count)


def coverage_words(covered: Measured, asked: float) -> str:
    """Whether an interval holds as much as it should, in a sentence."""
    said = f"The interval holds {covered.value:.1%} of what came; {asked:.0%} were asked for"
    if covered.high < asked:
        return f"{said}: it is too narrow."
    if covered.low > asked:
        return f"{said}: it is wider than it need be."
    return f"{said}."
