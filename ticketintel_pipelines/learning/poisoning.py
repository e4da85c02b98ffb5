"""Guards of the training data: what a person should look at before a model learns from it. Nothing is removed.

Two ways to poison a model are looked for: rows with extreme values, by which few can pull far, and labels turned over by one
reviewer. A flag is a question, not a verdict: of honest rows one in a hundred lies beyond the 99th percentile too.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.drift_reference import Matrix
from ticketintel_pipelines.learning.examples import Floats, Texts

PERCENTILE = 0.99
LEVEL = 0.01
"""Probability of one alarm or more where nothing is wrong, over all guarded features, or over all reviewers."""
MOST_ROWS = 50
"""Rows shown to a person; the shares count all."""
LEAST_OVERTURNED = 5
"""A reviewer with fewer overturned labels is not flagged, whatever the rate of the others."""


@dataclass(frozen=True)
class ExtremeRow:
    """A row beyond the percentile: in `feature` it lies furthest out, `excess` times the way from the median to `bound`."""

    id: str
    feature: str
    value: float
    bound: float
    excess: float
    amount: float | None


@dataclass(frozen=True)
class GuardedFeature:
    """How many of the new rows lie beyond the 99th percentile of the earlier ones.

    `share` is of the rows that are not null, 0 where there is none; `bound` is None without earlier values, and then nothing is
    beyond. `p_value` is the probability of so many if earlier and new rows are draws of one population; `alarming` where it is
    below `LEVEL`, shared among the guarded features.
    """

    name: str
    bound: float | None
    rows: int
    beyond: int
    share: float
    p_value: float
    alarming: bool


@dataclass(frozen=True)
class ExtremeRows:
    """The guarded features in their order, the rows furthest out first, and how many rows are beyond in any feature."""

    features: tuple[GuardedFeature, ...]
    rows: tuple[ExtremeRow, ...]
    beyond: int

    @property
    def for_a_person(self) -> bool:
        """Whether more rows lie far out than chance explains."""
        return any(feature.alarming for feature in self.features)


@dataclass(frozen=True)
class LabelEvent:
    """A label given to a row: 1 or 0, by a reviewer, None for a system; `at` in microseconds since 1970 UTC."""

    id: str
    label: int
    reviewer: str | None
    at: int


@dataclass(frozen=True)
class ReviewerRecord:
    """What a reviewer did with rows that had a label already: `reviewed` of them, `overturned` by a different label.

    `cleared` went from 1 to 0, `raised` from 0 to 1; `ids` are those overturned, in order of time. `p_value` is Fisher's exact
    test, one-sided, against all other reviewers together.
    """

    reviewer: str
    reviewed: int
    overturned: int
    cleared: int
    raised: int
    rate_of_others: float | None
    p_value: float
    flagged: bool
    ids: tuple[str, ...]


def find_extreme_rows(
    names: Sequence[str],
    earlier: Matrix,
    features: Matrix,
    ids: Texts,
    guarded: Iterable[str],
    amounts: Floats | None = None,
    most_rows: int = MOST_ROWS,
) -> ExtremeRows:
    """The rows of (n, m) `features` beyond the 99th percentile of (k, m) `earlier` ones in the guarded features.

    NaN is missing and never beyond. `ids` and `amounts` (USD, or whatever is lost) are those of the n rows; the amounts stand
    beside the rows found, and are guarded themselves only as a feature.

    Raises:
        ValueError: the shapes do not agree, or a guarded feature is none of `names`.
    """
    guarded = tuple(guarded)
    if unknown := [name for name in guarded if name not in names]:
        raise ValueError(f"guarded, but no features: {', '.join(unknown)}")
    if earlier.shape[1:] != (len(names),) or features.shape != (len(ids), len(names)):
        raise ValueError(f"{len(names)} names and {len(ids)} ids for shapes {earlier.shape} and {features.shape}")
    if amounts is not None and len(amounts) != len(ids):
        raise ValueError(f"{len(amounts)} amounts for {len(ids)} rows")
    found = []
    excesses = np.zeros((len(guarded), len(ids)))
    for place, name in enumerate(guarded):
        column = list(names).index(name)
        before = _known(earlier[:, column])
        now = features[:, column].astype(np.float64)
        bound = float(np.quantile(before, PERCENTILE, method="inverted_cdf")) if len(before) else None
        if bound is not None:
            excesses[place] = np.where(now > bound, (np.nan_to_num(now) - bound) / _scale(before, bound), 0)
        found.append(_guard(name, bound, before, _known(now), len(guarded)))
    greatest = excesses.max(axis=0, initial=0)
    beyond = np.flatnonzero(greatest > 0)
    # Ties by id, so that the order of the rows does not matter.
    shown = sorted(beyond.tolist(), key=lambda row: (-greatest[row], str(ids[row])))[:most_rows]
    rows = []
    for row in shown:
        place = int(excesses[:, row].argmax())
        value = float(features[row, list(names).index(guarded[place])])
        amount = None if amounts is None else float(amounts[row])
        bound = found[place].bound
        assert bound is not None
        rows.append(ExtremeRow(str(ids[row]), guarded[place], value, bound, float(greatest[row]), amount))
    return ExtremeRows(tuple(found), tuple(rows), len(beyond))


def _known(column: Matrix) -> Floats:
    known: Floats = column[~np.isnan(column)].astype(np.float64)
    return known


def _scale(before: NDArray[np.float64], bound: float) -> float:
    """From the median to the bound; where they are one, the bound itself, or 1."""
    return bound - float(np.median(before)) or abs(bound) or 1.0


def _guard(name: str, bound: float | None, before: Floats, now: Floats, guarded: int) -> GuardedFeature:
    """With the test of the count beyond the bound.

    The bound is the r-th smallest of k earlier values. Of one population, the number of n new values beyond it is
    beta-binomial (n, k - r + 1, r): the exceedances of Gumbel and von Schelling (1950). Ties make fewer.
    """
    from scipy.stats import betabinom

    beyond = int((now > bound).sum()) if bound is not None else 0
    p_value = 1.0
    if beyond:
        smallest = int(np.ceil(PERCENTILE * len(before)))
        p_value = float(betabinom.sf(beyond - 1, len(now), len(before) - smallest + 1, smallest))
    return GuardedFeature(
        name=name,
        bound=bound,
        rows=len(now),
        beyond=beyond,
        share=beyond / len(now) if len(now) else 0.0,
        p_value=p_value,
        alarming=p_value * guarded < LEVEL,
    )


@dataclass
class _Tally:
    reviewed: int = 0
    overturned: list[tuple[int, str, int]] = field(default_factory=list)


def find_overturning_reviewers(
    history: Iterable[LabelEvent], least_overturned: int = LEAST_OVERTURNED
) -> tuple[ReviewerRecord, ...]:
    """The record of each reviewer who looked at labelled rows, the least probable first.

    A label counts against the one the row had before, whoever gave that. Labels of systems are overturned and overturn without
    being judged. A reviewer is flagged with at least `least_overturned` overturned labels and a p-value below `LEVEL`, shared
    among the reviewers; one without others to compare with is not.
    """
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    standing: dict[str, int] = {}
    for event in sorted(history, key=lambda event: (event.at, event.id, event.reviewer or "", event.label)):
        before = standing.get(event.id)
        standing[event.id] = event.label
        if before is None or event.reviewer is None:
            continue
        tallies[event.reviewer].reviewed += 1
        if before != event.label:
            tallies[event.reviewer].overturned.append((event.at, event.id, event.label))
    records = [_record(reviewer, tallies, least_overturned) for reviewer in tallies]
    return tuple(sorted(records, key=lambda record: (record.p_value, record.reviewer)))


def _record(reviewer: str, tallies: dict[str, _Tally], least_overturned: int) -> ReviewerRecord:
    from scipy.stats import hypergeom

    own = tallies[reviewer]
    reviewed = sum(tally.reviewed for tally in tallies.values())
    overturned = sum(len(tally.overturned) for tally in tallies.values())
    others = reviewed - own.reviewed
    count = len(own.overturned)
    p_value = float(hypergeom.sf(count - 1, reviewed, overturned, own.reviewed)) if others else 1.0
    return ReviewerRecord(
        reviewer=reviewer,
        reviewed=own.reviewed,
        overturned=count,
        cleared=sum(label == 0 for _, _, label in own.overturned),
        raised=sum(label != 0 for _, _, label in own.overturned),
        rate_of_others=(overturned - count) / others if others else None,
        p_value=p_value,
        flagged=count >= least_overturned and p_value * len(tallies) < LEVEL,
        ids=tuple(row for _, row, _ in own.overturned),
    )
