"""How a model over windows was judged: against a named baseline, on days it had not seen, with intervals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.examples import Floats, Integers
from ticketintel_pipelines.learning.intervals import RESAMPLES, Difference, Measured, difference, measured, resampled_days
from ticketintel_pipelines.learning.report_layout import Section

SEED = 20_260_101
Groups = NDArray[Any]
"""What each row belongs to: a day, a user, an event. Rows of one group are drawn together."""


@dataclass(frozen=True)
class Comparison:
    """One figure of a model and of its baseline on the same rows; `apart` is positive where the model is the better one."""

    figure: str
    baseline: str
    of: str
    """Of which rows, in words: how many, and when."""
    model: Measured
    other: Measured
    apart: Difference
    higher_is_better: bool = True

    @property
    def beats(self) -> bool:
        """Whether the model is better, with an interval that excludes zero."""
        return self.apart.low > 0

    @property
    def loses(self) -> bool:
        """Whether the model is worse, with an interval that excludes zero."""
        return self.apart.high < 0

    @property
    def verb(self) -> str:
        """What stands in a sentence between the model and its baseline."""
        return "beats" if self.beats else ("is worse than" if self.loses else "cannot be told from")


@dataclass(frozen=True)
class Assessment:
    """What is said of a version. The first of the comparisons decides; there is none where nothing is known to judge by.

    `words` say what was tested and how, or why nothing could be. `figures` are kept in the manifest. `sections` are parts of
    the report, after the comparisons.
    """

    words: str
    comparisons: tuple[Comparison, ...] = ()
    figures: Mapping[str, Measured] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Learnt:
    """A version: its files by name, equal for equal data and seed and free of code, and how it was judged.

    `rows` is how many rows it learned from.
    """

    files: Mapping[str, bytes]
    assessment: Assessment
    rows: int


def compare_means(
    figure: str, baseline: str, of: str, model: Floats, other: Floats, groups: Groups, *, higher_is_better: bool = True
) -> Comparison:
    """Compare a figure that is the mean of a value of each row (n,): a loss, a hit, a recall.

    Whole groups are drawn, both values of a row together.
    """
    _, place = np.unique(groups, return_inverse=True)
    count = int(place.max()) + 1 if len(place) else 0
    weights = resampled_days(count, SEED) if count else np.zeros((0, 0))
    rows = np.bincount(place, minlength=count).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = [(weights @ np.bincount(place, one, minlength=count)) / (weights @ rows) for one in (model, other)]
    return _compared(figure, baseline, of, (model.mean(), other.mean()), (drawn[0], drawn[1]), count, higher_is_better)


def compare_rankings(
    figure: str,
    baseline: str,
    of: str,
    statistic: Callable[[Integers], tuple[float, float]],
    groups: Groups,
    *,
    higher_is_better: bool = True,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare a figure that is no mean: `statistic` gives it for model and baseline of rows by place (repeated when drawn
    twice), NaN where it is not defined.
    """
    values, place = np.unique(groups, return_inverse=True)
    members = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1]) if len(values) else []
    random = np.random.default_rng(SEED)
    drawn = np.full((resamples, 2), np.nan)
    for number in range(resamples if len(values) > 1 else 0):
        chosen = random.integers(0, len(values), len(values))
        drawn[number] = statistic(np.concatenate([members[one] for one in chosen]))
    whole = statistic(np.arange(len(place)))
    return _compared(figure, baseline, of, whole, (drawn[:, 0], drawn[:, 1]), len(values), higher_is_better)


def _compared(
    figure: str,
    baseline: str,
    of: str,
    whole: tuple[float, float],
    drawn: tuple[Floats, Floats],
    groups: int,
    higher_is_better: bool,
) -> Comparison:
    sign = 1.0 if higher_is_better else -1.0
    return Comparison(
        figure,
        baseline,
        of,
        measured(float(whole[0]), drawn[0], groups),
        measured(float(whole[1]), drawn[1], groups),
        difference(sign * float(whole[0] - whole[1]), sign * (drawn[0] - drawn[1]), groups),
        higher_is_better,
    )
