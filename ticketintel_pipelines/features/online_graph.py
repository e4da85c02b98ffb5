"""A graph's centrality for one row at a time: scored once for each day that is asked about, from transfers held in memory."""

from collections.abc import Mapping

import numpy as np

from ticketintel_pipelines.features.families import Graph
from ticketintel_pipelines.features.folds import DAY
from ticketintel_pipelines.features.graph import Centrality, centrality
from ticketintel_pipelines.features.rows import MISSING, SEEN, Rows


class OnlineGraph:
    """A graph over single rows.

    Args:
        moves: the transfers of the trailing days as they lie in the lake: `seen`, giver and receiver, 24 bytes a transfer.
    """

    def __init__(self, graph: Graph, moves: Rows) -> None:
        self.graph = graph
        self._moves = np.stack([moves[name] for name in (SEEN, graph.giver, graph.receiver)])
        self._learned: list[tuple[int, int, int]] = []
        self._scored: tuple[int, Centrality] | None = None
        """The day last asked about, in days since 1970, and the graph as of the end of the day before."""

    def learn(self, row: Mapping[str, int | None]) -> None:
        """A transfer was seen; it counts from the next day on. Transfers come in order of `seen`."""
        giver, receiver = row[self.graph.giver], row[self.graph.receiver]
        seen = row[SEEN]
        if seen is not None and giver is not None and receiver is not None:
            self._learned.append((seen, giver, receiver))

    def ask(self, row: Mapping[str, int | None]) -> dict[str, float | None]:
        """The score of the row's key as of the day before the row's; None for no key, and for one that is not in the graph.

        The first question of a day scores the whole graph.
        """
        key, seen = row[self.graph.asked_key], row[SEEN]
        assert seen is not None
        (score,) = self._as_of(seen // DAY).scores_of(np.array([MISSING if key is None else key]))
        return {self.graph.score: None if np.isnan(score) else float(score)}

    def _as_of(self, day: int) -> Centrality:
        if self._scored is None or self._scored[0] != day:
            if self._learned:
                self._moves = np.concatenate([self._moves, np.array(self._learned, np.int64).T], axis=1)
                self._learned.clear()
            first, past = np.searchsorted(self._moves[0], [(day - self.graph.days) * DAY, day * DAY]).tolist()
            _, giver, receiver = self._moves[:, first:past]
            self._scored = (day, centrality(giver, receiver))
            self._moves = self._moves[:, first:]
        return self._scored[1]


def no_moves(graph: Graph) -> Rows:
    """The transfers of a graph where nothing was passed on yet."""
    return Rows({name: np.empty(0, np.int64) for name in (SEEN, graph.giver, graph.receiver)})
