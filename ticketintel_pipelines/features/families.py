"""Feature families, declared: which rows ask, what is folded for them, which SQL makes features of the answers."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ticketintel_pipelines.contract import Column
from ticketintel_pipelines.features.folds import Fold


class Rhythm(Enum):
    """How often a family is brought up to date."""

    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True)
class Graph:
    """Centrality in the graph of who gave to whom, over the trailing days before each day.

    `of` names the table of movements with its columns `giver` and `receiver`; the asking rows' wallet is in `asked_key`.
    It answers the wallet's centrality as `score`, null for one that is not in the graph.
    """

    name: str
    of: str
    giver: str
    receiver: str
    asked_key: str
    days: int

    @property
    def score(self) -> str:
        """The column that it answers."""
        return f"{self.name}_score"


@dataclass(frozen=True)
class Family:
    """One row of features for each row of the table `asked_by`.

    `formula` is an SQL file over the relation `asked` (the asking rows with the answers of the folds, or of the graph) and one
    relation for each family in `joins`; its columns are those of `columns`, and rows stay in their order. `features` are those
    columns that describe a ticket transaction; the others serve later families.
    """

    name: str
    description: str
    asked_by: str
    formula: Path
    columns: tuple[Column, ...]
    folds: tuple[Fold, ...] = ()
    graph: Graph | None = None
    joins: tuple[str, ...] = ()
    rhythm: Rhythm = Rhythm.DAILY
    features: tuple[Column, ...] = field(default=())

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables whose rows the family needs, the asking one first."""
        names = [self.asked_by, *(fold.of for fold in self.folds), *self.joins]
        if self.graph is not None:
            names.append(self.graph.of)
        return tuple(dict.fromkeys(names))

    @property
    def looks_back_days(self) -> int:
        """Days before a day whose rows it reads again; the folds need none, they have states."""
        return self.graph.days if self.graph is not None else 0
