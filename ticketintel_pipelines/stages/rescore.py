"""Rescore: past scores worked out again from the version that gave them, to show that they can be."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.learning.matrix import matrix, row_hashes
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.learning import Learning
from ticketintel_pipelines.stages.score import FEATURES_HASH, SCORE_STAGE, Scoring
from ticketintel_pipelines.stages.workspace import Workspace


@dataclass(frozen=True)
class Rescored:
    """Scores of a day: `changed` are those whose features are no longer what they were, so that nothing can be said of them."""

    rows: int = 0
    equal: int = 0
    changed: int = 0
    different: int = 0


def rescore_day(workspace: Workspace, learning: Learning, scoring: Scoring, day: date) -> Rescored:
    """Every score of a day against what its version says of the day's features now.

    Raises:
        DamagedModelError: a file of a version is missing or was changed.
    """
    from ticketintel_pipelines.learning.registry import Registry

    lake = workspace.lake(scoring.domain)
    part = lake.part(SCORE_STAGE, scoring.table.name, day)
    if not part.exists():
        return Rescored()
    scores = pq.read_table(part, partitioning=None)
    described = pq.read_table(lake.part(FEATURE_STAGE, scoring.features, day), partitioning=None)
    order = pc.index_in(scores[scoring.key], value_set=described[scoring.key].combine_chunks())
    known = order.is_valid().to_numpy(zero_copy_only=False)
    registry = Registry(workspace.models, learning.domain.name)
    equal = changed = 0
    for version in pc.unique(scores["model_version"]).to_pylist():
        trained = registry.load(learning.model.name, version).trained
        rows = np.flatnonzero(pc.equal(scores["model_version"], version).to_numpy(zero_copy_only=False) & known)
        features = matrix(described.take(order.take(pa.array(rows))), trained.names)
        same = row_hashes(features) == scores[FEATURES_HASH].to_numpy()[rows]
        again = trained.probabilities(features)
        given = scores[scoring.score].to_numpy()[rows]
        equal += int((same & (again == given)).sum())
        changed += int((~same).sum())
    changed += int((~known).sum())
    return Rescored(len(scores), equal, changed, len(scores) - equal - changed)
