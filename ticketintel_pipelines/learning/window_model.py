"""Models over windows, declared: what is read, how it is learned and scored, and against what it is judged.

They are what no row by itself shows: rings, segments, demand, taste. A new one is one such declaration, and a module with the
two functions of its `Method`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.learning.declaration import Card

if TYPE_CHECKING:
    import pyarrow as pa

    from ticketintel_pipelines.learning.assessment import Learnt
    from ticketintel_pipelines.learning.window import Window


class Scored(Enum):
    """Which of the days that a run asks for are scored."""

    EACH = "each day"
    UNSEEN = "each day after those that the champion has learned from"
    NEWEST = "the newest day"


class Method(Protocol):
    """How a model learns and scores: a module with these two functions.

    `learn` gives a version from a window, or raises `TooFewExamplesError`. `score` gives, of a version's files and a window,
    the rows of the model's `table` for the window's days, without `scored_at` and `model_version`. The rows of a day are those
    whose `table.time` lies on it. They may depend on nothing that was not known at its end.
    """

    def learn(self, window: "Window", seed: int) -> "Learnt": ...

    def score(self, files: Mapping[str, bytes], window: "Window") -> "pa.Table": ...


@dataclass(frozen=True)
class WindowModel:
    """One model over windows of days.

    `method` imports what learns and scores and gives it back. It is called when something is to be learned or scored, so that
    whoever lists the models, such as Dagster when it loads the definitions, imports nothing of what they are made with.

    `reads` are validated tables of the days reached; `whole` are read from their beginning on (tickets, events); `features`
    are tables of the stage `feature`, by the name of the view. `needs` are the views without which nothing is learned.
    `learn_days` is how far a training looks back, `reach_days` how far a scored day does, `held_back_days` how many of the
    newest days are not learned from, so that there are days to score. `sources` is code and SQL that a version depends on,
    besides that of `learning`: the declaration, the method and whatever of the domain it works with.
    """

    name: str
    title: str
    card: Card
    baseline: str
    """What it must beat, in words."""
    kind: str
    """How it learns, in a word or two: the report names it as the estimator."""
    table: Table
    method: Callable[[], Method]
    reads: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    features: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    learn_days: int = 90
    reach_days: int = 30
    held_back_days: int = 0
    scored: Scored = Scored.EACH
    seed: int = 20_260_101
    sources: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where a view is needed that is not read, or the table lacks the version's columns."""
        views = {*self.reads, *self.whole, *self.features}
        if not set(self.needs) <= views:
            raise ValueError(f"{self.name} needs {sorted(set(self.needs) - views)}, which it does not read")
        missing = {"scored_at", "model_version"} - set(self.table.column_names)
        if missing:
            raise ValueError(f"{self.name}: the table {self.table.name} has no {sorted(missing)}")

    def learn(self, window: "Window", seed: int) -> "Learnt":
        """A version of what a window shows; raises `TooFewExamplesError` where that is too little."""
        return self.method().learn(window, seed)

    def score(self, files: Mapping[str, bytes], window: "Window") -> "pa.Table":
        """The rows of a window's days, by the files of a version."""
        return self.method().score(files, window)
