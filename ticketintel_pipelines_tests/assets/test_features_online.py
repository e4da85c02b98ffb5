"""A service that loads the states of a night answers the next day's transactions exactly as the batch does."""

import io
from datetime import timedelta
from pathlib import Path

import pytest

from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.nights import work_out
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.stages.feature_online import online_features
from ticketintel_pipelines.stages.feature_rows import read_table
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.features.families import DESCRIBING, FAMILIES
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.conftest import WORLD_DAYS, WORLD_START, take_in
from ticketintel_pipelines_tests.feature_world import in_order

LAST = WORLD_START + timedelta(days=WORLD_DAYS - 1)


def test_the_day_after_the_states_is_answered_as_by_the_batch(workspace: Workspace, world: Path) -> None:
    take_in(workspace, world)
    work_out(workspace, TICKETING, DayRange(WORLD_START, LAST), Console(stream=io.StringIO()))
    lake = workspace.lake(TICKETING)
    tables = {observation.name: read_table(lake, observation.name, [LAST]) for observation in OBSERVATIONS}
    batch = {family.name: read_table(lake, family.name, [LAST]).to_pylist() for family in DESCRIBING}
    online = online_features(workspace, TICKETING, FAMILIES, LAST)
    central = 0
    for table, place, row in in_order({name: found for name, found in tables.items() if found is not None}):
        if table == "transactions":
            found = online.features_for(table, row)
            expected = {
                column.name: batch[family.name][place][column.name] for family in DESCRIBING for column in family.features
            }
            assert found == expected
            central += found["wallet_centrality"] is not None
        online.see(table, row)
    assert central > 0

    with pytest.raises(UnavailableError, match=f"no states of .* at the end of {LAST + timedelta(days=1)}"):
        online_features(workspace, TICKETING, FAMILIES, LAST + timedelta(days=2))
