"""Sales as the regressions see them: relative to a level that was known before each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ticketintel_pipelines.learning.assessment import Groups
from ticketintel_pipelines.learning.examples import Flags, Floats, Integers, Texts


@dataclass(frozen=True)
class Sales:
    """n sales with m features, in order of time.

    All prices are natural logarithms. `price` (n,) is what was paid, `level` (n,) a price known before the sale, which both
    regressions predict the distance from: so a market that has doubled since they were fitted is still priced at its own
    level. `usual` (n,) is the naive price that a model must beat. `features` (n, m) holds NaN where nothing is known. `day`
    (n,) counts days since 1970 UTC, `group` (n,) says whose sales belong together.
    """

    names: tuple[str, ...]
    features: Floats
    price: Floats
    level: Floats
    usual: Floats
    day: Integers
    group: Groups
    slices: Mapping[str, Texts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError where lengths differ or a level is not known."""
        rows = len(self.price)
        for name in ("features", "level", "usual", "day", "group"):
            if len(getattr(self, name)) != rows:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows, price has {rows}")
        if self.features.shape[1:] != (len(self.names),):
            raise ValueError(f"features have shape {self.features.shape}, {len(self.names)} are named")
        if not np.isfinite(self.level).all():
            raise ValueError("a sale without a level cannot be priced")

    def __len__(self) -> int:
        return len(self.price)

    @property
    def apart(self) -> Floats:
        """How far each price lies above its level (n,)."""
        found: Floats = self.price - self.level
        return found

    def take(self, rows: Flags) -> "Sales":
        """Some of the sales, by mask."""
        return Sales(
            self.names,
            self.features[rows],
            self.price[rows],
            self.level[rows],
            self.usual[rows],
            self.day[rows],
            self.group[rows],
            {name: values[rows] for name, values in self.slices.items()},
        )
