"""Signals: what speaks for a candidate, each the product of a matrix of the users and one of the candidates."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.examples import Floats, Integers
from ticketintel_pipelines.learning.recommending.attributes import unit_rows
from ticketintel_pipelines.learning.recommending.factors import factorise
from ticketintel_pipelines.learning.recommending.known import Known, Matrix, Sparse
from ticketintel_pipelines.learning.recommending.neighbours import similarities

CONTENT, COLLABORATIVE, POPULAR = "content", "collaborative", "popular"
POPULARITY, NEIGHBOURS, FACTORS = "popularity", "neighbours", "factors"
HOME = "home_"
"""Before the name of a block: where the user is at home in it."""
LEAST_SPREAD = 1e-9


@dataclass(frozen=True)
class Settings:
    """What is tuned: half-life of a purchase's weight in popularity, neighbours of an item and their shrinkage, and ALS."""

    half_life_days: float = 2.0
    neighbours: int = 50
    shrink: float = 10.0
    factors: int = 16
    regularization: float = 0.1
    confidence: float = 10.0
    """How much more a purchase weighs than its absence (alpha of Hu, Koren and Volinsky, 2008)."""
    rounds: int = 10

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Signal:
    """`users` (n, d), dense or sparse, times `items` (d, c) says how much speaks for each candidate."""

    name: str
    source: str
    users: Matrix | Sparse
    items: Matrix

    def of(self, rows: Integers) -> Matrix:
        """The values for some users (r, c)."""
        found: Matrix = np.asarray(self.users[rows] @ self.items, dtype=np.float32)
        return found


def popularity(known: Known, half_life_days: float = float("inf")) -> Floats:
    """Buyers of each item (m,), each half as heavy for every half-life that passed since."""
    weight = np.exp2(-known.age_days / half_life_days)
    found: Floats = np.bincount(known.item, weight, minlength=known.items).astype(np.float64)
    return found


def same_for_all(known: Known, name: str, values: Floats) -> Signal:
    """A figure of the items (m,), brought to mean 0 and spread 1 over the candidates."""
    chosen = values[known.candidates]
    spread = chosen.std() if len(chosen) else 0.0
    scaled = (chosen - chosen.mean()) / spread if spread > LEAST_SPREAD else np.zeros(len(chosen))
    return Signal(name, POPULAR, np.ones((known.users, 1), np.float32), scaled[None, :].astype(np.float32))


def popular_signal(known: Known, half_life_days: float) -> Signal:
    return same_for_all(known, POPULARITY, np.log1p(popularity(known, half_life_days)))


def content_signals(known: Known) -> list[Signal]:
    """For each block the cosine of a candidate to the sum of what the user bought, and to where the user is at home."""
    bought = known.bought()
    found = []
    for name, block in known.blocks.items():
        items = np.ascontiguousarray(block[known.candidates].T)
        found.append(Signal(name, CONTENT, unit_rows(bought @ block), items))
        if name in known.homes:
            found.append(Signal(HOME + name, CONTENT, known.homes[name], items))
    return found


def neighbours_signal(known: Known, neighbours: int, shrink: float) -> Signal:
    """The mean similarity of a candidate to what the user bought."""
    from scipy.sparse import diags

    bought = known.bought()
    # The square root keeps a little of how much is known of a user.
    scale = 1 / np.sqrt(np.maximum(np.diff(bought.indptr), 1))
    users = (diags(scale.astype(np.float32)) @ bought).tocsr()
    return Signal(NEIGHBOURS, COLLABORATIVE, users, similarities(bought, known.candidates, neighbours, shrink))


def factors_signal(known: Known, settings: Settings, seed: int) -> Signal:
    users, items = factorise(
        known.bought(), settings.factors, settings.regularization, settings.confidence, settings.rounds, seed
    )
    return Signal(FACTORS, COLLABORATIVE, users, np.ascontiguousarray(items[known.candidates].T))


def all_signals(known: Known, settings: Settings, seed: int) -> list[Signal]:
    """Everything that is blended; the order is fixed by what is known of items, not by the data."""
    return [
        popular_signal(known, settings.half_life_days),
        *(same_for_all(known, name, values) for name, values in known.traits.items()),
        *content_signals(known),
        neighbours_signal(known, settings.neighbours, settings.shrink),
        factors_signal(known, settings, seed),
    ]
