"""How the observations of ticketing are kept up to date, and which days of observations and families are not."""

from datetime import date
from functools import partial

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.feature import first_stale_days
from ticketintel_pipelines.stages.observation import Observing, stale_observation_days
from ticketintel_pipelines.ticketing.features.families import FAMILIES, FEATURES
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS, observe
from ticketintel_pipelines.ticketing.tables.chain import TRANSACTIONS
from ticketintel_pipelines.warehouse.feature_days import FeatureDays

OBSERVING = tuple(
    Observing(
        observation.name,
        observation.reads,
        partial(observe, observation=observation),
        observation.observes,
        observation.looks_back_days,
        observation.sql.read_text(),
        observation.joins_days,
    )
    for observation in OBSERVATIONS
)


def stale_feature_days(records: FeatureDays) -> set[date]:
    """Days to run so that every observation and family is up to date with what is published; none without transactions."""
    published = records.published((TRANSACTIONS.name,))
    if not published:
        return set()
    days = DayRange(min(published), max(published))
    stale: set[date] = set()
    for observing in OBSERVING:
        stale.update(stale_observation_days(records, observing, days))
    for family in (*FAMILIES, FEATURES):
        stale.update(first_stale_days(records, family, days))
    return stale
