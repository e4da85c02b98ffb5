"""How segments of wallets are judged: on later days, by halves, from night to night, and beside what a simulator knows."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date

import numpy as np

from ticketintel_pipelines.lake.engine import fetch_rows
from ticketintel_pipelines.learning.assessment import Comparison
from ticketintel_pipelines.learning.examples import Flags, Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.report_layout import Grid, Section
from ticketintel_pipelines.learning.segmenting.assessing import agreement, clearness, staying
from ticketintel_pipelines.learning.segmenting.grouping import Grouped, Grouping, Quantiles, fit_grouping, fit_quantiles
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.segments import PERIOD_DAYS
from ticketintel_pipelines.ticketing.models.segments_wallets import (
    GROUPINGS,
    SEGMENTS,
    VALUE,
    Snapshot,
    snapshot,
)

LEAST_LATER = 20
"""Wallets of later days, to judge groups by."""


def judged(window: Window, days: list[date], seed: int) -> tuple[str, tuple[Comparison, ...]]:
    """Groups of the first half of the days, on wallets as they were in the second."""
    half = min(PERIOD_DAYS, len(days) // 2)
    later = snapshot(window, days[-1], half)
    earlier = snapshot(window, days[-1 - half], half)
    try:
        fitted = [fit_grouping(grouping, earlier.columns, seed) for grouping in GROUPINGS]
    except TooFewExamplesError as error:
        return f"Nothing could be judged: in the first half of the days, {error}.", ()
    if len(later) < LEAST_LATER:
        return f"Nothing could be judged: only {len(later)} wallets traded in the second half of the days.", ()
    clear = [
        clearness(one, _shares(one.grouping, earlier).assign(later.columns[VALUE.name]), later.columns, seed) for one in fitted
    ]
    stable = []
    # What needs more rows than the groups themselves is left out where they are few.
    for grouping in GROUPINGS:
        with suppress(TooFewExamplesError):
            stable.append(agreement(grouping, earlier.columns, later.columns, seed))
    with suppress(TooFewExamplesError):
        stable.append(_kept(snapshot(window, days[-2 - half], half), earlier, seed))
    words = (
        f"Groups of {len(earlier):,} wallets, by the {half} days up to {days[-1 - half]}, on {len(later):,} wallets by the "
        f"{half} days after. Nobody knows the true segments: what is measured is how clearly groups lie apart on days they "
        "were not made of, and whether they come out the same again. Clusters are made to lie apart, so that a higher "
        "silhouette is the least to expect of them. Wallets are resampled."
    )
    return words, (*clear, *stable)


def _shares(grouping: Grouping, now: Snapshot) -> Quantiles:
    return fit_quantiles(now.columns[VALUE.name], grouping.number)


def _kept(night: Snapshot, after: Snapshot, seed: int) -> Comparison:
    """Segments of one night and of the next."""
    before = fit_grouping(SEGMENTS, night.columns, seed)
    cuts = (_shares(SEGMENTS, night).cuts, _shares(SEGMENTS, after).cuts)
    return staying(before, fit_grouping(SEGMENTS, after.columns, seed, before), cuts, _both(night, after))


def _both(one: Snapshot, two: Snapshot) -> tuple[Mapping[str, Floats], Mapping[str, Floats]]:
    """The wallets of both snapshots as they were in each."""
    _, first, second = np.intersect1d(one.keys.astype(str), two.keys.astype(str), assume_unique=True, return_indices=True)
    return (
        {name: values[first] for name, values in one.columns.items()},
        {name: values[second] for name, values in two.columns.items()},
    )


def roles_section(window: Window, grouped: Grouped, now: Snapshot, groups: Integers, outside: Flags) -> tuple[Section, ...]:
    """Who the simulator says they are; nothing where the world is real."""
    if not window.has_truth:
        return ()
    role_of = dict(fetch_rows(window.engine, "SELECT wallet_address, role FROM truth_wallets"))
    roles = np.array([role_of.get(key, "unknown") for key in now.keys])
    rows = []
    for role in np.unique(roles):
        here = roles == role
        shares = (f"{(groups[here] == place).mean():.0%}" for place in range(len(grouped.ids)))
        rows.append((str(role), f"{int(here.sum()):,}", *shares, f"{outside[here].mean():.1%}"))
    words = (
        "The simulated world knows what its wallets are for. Nothing was learned from it: personas need not follow roles, and "
        "an outlier is unlike others, not guilty of anything.",
    )
    return (Section("Roles in the simulated world", words, (Grid(("role", "wallets", *grouped.ids, "outliers"), rows),)),)
