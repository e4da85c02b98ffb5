"""A recommender judged against popularity and item neighbours on trials it did not learn from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.assessment import Comparison, Groups, compare_means
from ticketintel_pipelines.learning.examples import Flags, Floats, Integers
from ticketintel_pipelines.learning.recommending.judging import COUNT, Scorer, ndcg, recall, recommended
from ticketintel_pipelines.learning.recommending.known import Matrix, Trial
from ticketintel_pipelines.learning.recommending.ranking import NONE
from ticketintel_pipelines.learning.recommending.recommender import (
    Prepared,
    Recommender,
    neighbours_scorer,
    plain_popularity_scorer,
    popularity_scorer,
)
from ticketintel_pipelines.learning.recommending.signals import POPULAR

MODEL = "the blend"
SAME_FOR_ALL = "the blend without anything personal"
RECENT, PLAIN, ITEM_KNN = "popularity, recent purchases first", "popularity", "tuned item-kNN"
BY_ITSELF = "by itself: "
BASELINES = (RECENT, PLAIN, ITEM_KNN)
RECALL, NDCG = f"Recall@{COUNT}", f"NDCG@{COUNT}"


@dataclass(frozen=True)
class Judged:
    """Recall and NDCG of n lists of users, by what ranked them; `has_history` says which users had bought before.

    Each of the `signals` that were blended ranked by itself as well. `coverage` is the share of the candidates that were
    recommended to anybody, and `offered` is how many candidates there were in each trial.
    """

    recall: Mapping[str, Floats]
    ndcg: Mapping[str, Floats]
    has_history: Flags
    coverage: Mapping[str, float]
    signals: tuple[str, ...]
    offered: tuple[int, ...]


def by_itself(signal: str) -> str:
    """The name under which a signal by itself is judged."""
    return BY_ITSELF + signal


def judge(recommender: Recommender, trials: Sequence[Trial]) -> Judged:
    """Judge the blend, the baselines and each signal by itself; the lists are those of the trials' users, trial by trial."""
    found: dict[str, list[tuple[Floats, Floats]]] = {}
    offered: list[int] = []
    used: dict[str, list[int]] = {}
    signals: tuple[str, ...] = ()
    for trial in trials:
        prepared = recommender.prepare(trial.known)
        signals = tuple(signal.name for signal in prepared.signals)
        offered.append(len(trial.known.candidates))
        for name, scorer in _scorers(prepared, recommender).items():
            lists = recommended(trial, scorer)
            found.setdefault(name, []).append((recall(lists, trial.relevant), ndcg(lists, trial.relevant)))
            used.setdefault(name, []).append(len(np.setdiff1d(lists, [NONE])))
    return Judged(
        recall={name: np.concatenate([one for one, _ in values]) for name, values in found.items()},
        ndcg={name: np.concatenate([one for _, one in values]) for name, values in found.items()},
        has_history=np.concatenate([trial.known.has_history[trial.rows] for trial in trials]),
        coverage={name: sum(values) / max(sum(offered), 1) for name, values in used.items()},
        signals=signals,
        offered=tuple(offered),
    )


def _scorers(prepared: Prepared, recommender: Recommender) -> dict[str, Scorer]:
    settings = recommender.settings
    general = [place for place, signal in enumerate(prepared.signals) if signal.source == POPULAR]

    def same_for_all(rows: Integers) -> Matrix:
        found: Matrix = sum(
            (prepared.signals[place].of(rows) * prepared.weights[rows][:, place, None] for place in general),
            np.zeros((len(rows), len(prepared.known.candidates)), np.float32),
        )
        return found

    return {
        MODEL: prepared.scores,
        RECENT: popularity_scorer(prepared.known, settings),
        PLAIN: plain_popularity_scorer(prepared.known, settings),
        ITEM_KNN: neighbours_scorer(prepared.known, settings),
        SAME_FOR_ALL: same_for_all,
        **{by_itself(signal.name): signal.of for signal in prepared.signals},
    }


def compare(judged: Judged, groups: Groups, of: Callable[[int], str]) -> tuple[Comparison, ...]:
    """Compare by NDCG and by recall, first with the baseline that has the highest NDCG on these very lists, which decides.

    `groups` (n,) says whose lists they are: users are drawn whole. `of` words their number.
    """
    order = sorted(BASELINES, key=lambda name: -float(judged.ndcg[name].mean()))
    words = of(len(groups))
    return tuple(
        compare_means(figure, other, words, values[MODEL], values[other], groups)
        for other in (*order, SAME_FOR_ALL)
        for figure, values in ((NDCG, judged.ndcg), (RECALL, judged.recall))
    )
