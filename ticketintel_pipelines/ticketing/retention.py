"""How long ticketing keeps what has no table of its own: the observations and families of the stage `feature`."""

from ticketintel_pipelines.contract import RetentionClass
from ticketintel_pipelines.stages.retention_lake import Kept
from ticketintel_pipelines.ticketing.features.families import FAMILIES, FEATURES
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS

SHORTER_LIVED = {"located_sessions": RetentionClass.USER_SESSION}
"""Whoever holds what tells people apart keeps it no longer than the table that it came from: a session has a place."""


def _made_of() -> dict[str, tuple[str, ...]]:
    """The tables that each is made of, those of what it is made from included."""
    found: dict[str, tuple[str, ...]] = {}
    for observation in OBSERVATIONS:
        names = [*observation.reads, *(name for other in observation.observes for name in found[other])]
        found[observation.name] = tuple(dict.fromkeys(names))
    for family in (*FAMILIES, FEATURES):
        names = [name for read in family.reads for name in found[read]]
        found[family.name] = tuple(dict.fromkeys(names))
    return found


FEATURES_KEPT = {
    name: Kept(SHORTER_LIVED.get(name, RetentionClass.PREDICTION), made_of) for name, made_of in _made_of().items()
}
"""Features are kept like the scores that were made of them."""
