"""Features as clusters need them: amounts on a logarithmic scale, all in standard deviations, nothing unknown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Floats

FURTHEST = 6.0
"""Standard deviations: a value further out counts as so far, so that a single one does not make a cluster of its own."""


@dataclass(frozen=True)
class Trait:
    """A feature that segments are made of.

    `logarithmic` is for amounts that span orders of magnitude, none of them negative. `low` and `high` are words for groups
    whose mean is below and above that of all. `missing` says what an unknown value means; None stands for the mean of all.
    """

    name: str
    low: str
    high: str
    unit: str = ""
    logarithmic: bool = False
    missing: float | None = None
    offset: float = 1.0
    """Added before a logarithm is taken: about the smallest amount that means something."""

    @property
    def scale(self) -> tuple[str, bool, float, float | None]:
        """What has to be equal in two traits whose means are compared."""
        return self.name, self.logarithmic, self.offset, self.missing

    def raised(self, values: Floats) -> Floats:
        """The values (n,) on the scale on which they are averaged, NaN where they stay unknown."""
        filled = values if self.missing is None else np.where(np.isnan(values), self.missing, values)
        return np.log(np.maximum(filled, 0.0) + self.offset) if self.logarithmic else filled

    def lowered(self, values: Floats) -> Floats:
        """The way back."""
        return np.maximum(np.exp(values) - self.offset, 0.0) if self.logarithmic else values


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of m raised features."""

    mean: Floats
    spread: Floats

    def scaled(self, raised: Floats) -> Floats:
        """In standard deviations (n, m); 0 where a value is unknown, as far as `FURTHEST` where it is further out."""
        found = (raised - self.mean) / self.spread
        return np.clip(np.where(np.isnan(found), 0.0, found), -FURTHEST, FURTHEST)

    def raised(self, scaled: Floats) -> Floats:
        found: Floats = scaled * self.spread + self.mean
        return found


def raise_all(traits: Sequence[Trait], values: Floats) -> Floats:
    """Each column of values (n, m) on the scale of its trait."""
    if not len(traits):
        return np.zeros((len(values), 0))
    return np.column_stack([trait.raised(values[:, place]) for place, trait in enumerate(traits)])


def fit_scaler(raised: Floats) -> Scaler:
    """Of raised features (n, m), each known in at least one row."""
    mean, spread = np.nanmean(raised, axis=0), np.nanstd(raised, axis=0)
    # Rounding leaves a trace of a spread where all values are equal.
    flat = spread <= 1e-9 * np.maximum(np.abs(mean), 1.0)
    return Scaler(mean, np.where(flat, 1.0, spread))


def telling(traits: Sequence[Trait], values: Floats) -> list[int]:
    """The places of the traits that tell rows (n, m) apart: known in some row, and not equal in all where they are known."""
    raised = raise_all(traits, values)
    known = ~np.isnan(raised)
    kept = []
    for place in range(len(traits)):
        column = raised[known[:, place], place]
        if len(column) and float(column.min()) < float(column.max()):
            kept.append(place)
    return kept
