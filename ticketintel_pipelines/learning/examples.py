"""Examples: rows to learn from, in order of time, each with the instant from which on it was known to be positive."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.errors import BadInputError

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

NEVER = np.iinfo(np.int64).max
"""The instant of what never became known."""
DAY = 86_400_000_000
"""Microseconds."""
NO_ENTITY = -1


class TooFewExamplesError(BadInputError):
    """The history is too short, or holds too few positives, to learn from or to judge by."""


@dataclass(frozen=True)
class Examples:
    """n rows with m features, in order of `at`.

    `features` (n, m) holds NaN where nothing is known. `at` is when each row happened and `known_at` from when on it was known
    as positive, `NEVER` where it was not; both microseconds since 1970 UTC. `entity` is who is behind the row (a wallet, a
    card), `NO_ENTITY` where unknown; `amount` is what is lost if a positive is missed. `slices` names groups for the report.
    What only a simulator knows: `truth` is 1 for positives, `kind` names their kind ("" for none), `hidden` marks positives
    that nothing observable sets apart.
    """

    names: tuple[str, ...]
    features: Features
    ids: Texts
    at: Integers
    known_at: Integers
    entity: Integers
    amount: Floats
    slices: Mapping[str, Texts] = field(default_factory=dict)
    truth: Integers | None = None
    kind: Texts | None = None
    hidden: Flags | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where lengths differ or rows are out of order."""
        rows = len(self.at)
        for name in ("features", "ids", "known_at", "entity", "amount"):
            if len(getattr(self, name)) != rows:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows, at has {rows}")
        if self.features.shape[1:] != (len(self.names),):
            raise ValueError(f"features have shape {self.features.shape}, {len(self.names)} are named")
        if rows > 1 and bool((np.diff(self.at) < 0).any()):
            raise ValueError("the rows are not in order of time")

    def __len__(self) -> int:
        return len(self.at)

    @property
    def day(self) -> Integers:
        """Days since 1970 UTC, one for each row."""
        return self.at // DAY

    def labels(self, instant: int) -> Integers:
        """1 for each row that was known as positive at an instant, else 0."""
        return (self.known_at <= instant).astype(np.int64)

    def column(self, name: str) -> Features:
        """The values of one feature.

        Raises:
            ValueError: it is none of `names`.
        """
        return self.features[:, self.names.index(name)]

    def take(self, rows: Integers | Flags) -> "Examples":
        """Some of the rows, by place or by mask."""
        taken: dict[str, Any] = {
            name: getattr(self, name)[rows] for name in ("features", "ids", "at", "known_at", "entity", "amount")
        }
        for name in ("truth", "kind", "hidden"):
            values = getattr(self, name)
            taken[name] = None if values is None else values[rows]
        return replace(self, **taken, slices={name: values[rows] for name, values in self.slices.items()})

    def with_features(self, names: tuple[str, ...], features: Features) -> "Examples":
        """The same rows described by other features."""
        return replace(self, names=names, features=features)
