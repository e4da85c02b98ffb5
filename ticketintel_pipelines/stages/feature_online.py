"""What a service loads to answer the features of single transactions of a day, once the day before is worked out."""

from collections.abc import Sequence
from datetime import date, timedelta

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines.features.families import Family, Graph
from ticketintel_pipelines.features.online import OnlineFeatures
from ticketintel_pipelines.features.rows import Rows
from ticketintel_pipelines.features.states import ReadStates, no_states
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.feature_rows import moves_of
from ticketintel_pipelines.stages.workspace import Workspace


def online_features(workspace: Workspace, domain: Domain, families: Sequence[Family], day: date) -> OnlineFeatures:
    """The features of transactions of a day, from states and transfers as of the end of the day before.

    The transfers of as many days as a graph looks back are held in memory, 24 bytes each, and scored at the first question of a
    day; states are read when a key is first met. What is seen from then on is told by `OnlineFeatures.see`.

    Raises:
        UnavailableError: the states of a family do not stand at the end of the day before.
    """
    lake, before = workspace.lake(domain), day - timedelta(days=1)

    def states(family: Family) -> ReadStates:
        if not family.folds:
            return no_states
        store = workspace.states(domain, family.name)
        if (checkpoint := store.checkpoint_before(day)) != before:
            stand = "there are none before" if checkpoint is None else f"the last ones before are of {checkpoint}"
            raise UnavailableError(
                f"no states of {family.name} at the end of {before}, {stand}: work out the features of that day"
            )
        return store.reader(checkpoint)

    def moves(graph: Graph) -> Rows:
        return moves_of(lake, graph, DayRange(day - timedelta(days=graph.days), before))

    return OnlineFeatures(families, states, moves)
