"""Examples for the models of ticket transactions, from the lake's features and labels."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from ticketintel_pipelines.lake.engine import fetch_table, parquet_as
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.learning.examples import NEVER, NO_ENTITY, Examples, Texts
from ticketintel_pipelines.learning.matrix import matrix
from ticketintel_pipelines.learning.poisoning import LabelEvent
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.features.families import AMOUNT, FEATURES
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.tables import TICKETING

TRUTH_FILE = "transactions.parquet"
HONEST = "honest"


def fraud_examples(workspace: Workspace, days: DayRange, known_until: date) -> Examples:
    """Ticket transactions of some days with the fraud that became known of them up to the end of another day."""
    lake = workspace.lake(TICKETING)
    labelled = DayRange(days.first, max(days.last, known_until)).days
    with workspace.engine() as engine:
        _relation(engine, lake, "features", days.days, "features", {c.name: c.type.duckdb for c in FEATURES.columns})
        for name, table, wanted in (("observed", "transactions", days.days), ("labels", "labels", labelled)):
            (observation,) = (one for one in OBSERVATIONS if one.name == table)
            _relation(engine, lake, table, wanted, name, {c.name: c.type.duckdb for c in observation.columns})
        _truth(engine, workspace.truth(TICKETING) / TRUTH_FILE)
        found = fetch_table(engine, (QUERIES / "fraud_examples.sql").read_text().rstrip().rstrip(";"))
    return _examples(found)


def reviewers_verdicts(workspace: Workspace) -> list[LabelEvent]:
    """Every verdict of the fraud desk that was published."""
    with workspace.catalog() as catalog:
        rows = catalog.connection.execute(
            "SELECT transaction_id, (verdict = 'fraud')::int, reviewer_id, extract(epoch FROM decided_at) * 1000000 "
            "FROM ticketing.fraud_reviews"
        ).fetchall()
    return [LabelEvent(key, label, reviewer, int(at)) for key, label, reviewer, at in rows]


def _relation(
    engine: duckdb.DuckDBPyConnection, lake: Lake, table: str, days: Sequence[date], name: str, kinds: dict[str, str]
) -> None:
    parts = lake.parts(FEATURE_STAGE, table, days)
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in kinds.items())
    rows = parquet_as(engine, parts, kinds) if parts else f"(SELECT {nulls} LIMIT 0)"
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM {rows}")


def _truth(engine: duckdb.DuckDBPyConnection, file: Path) -> None:
    kinds = {"transaction_id": "VARCHAR", "label": "VARCHAR", "is_hidden": "BOOLEAN"}
    nothing = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in kinds.items())
    rows = parquet_as(engine, [file], kinds) if file.exists() else f"(SELECT {nothing} LIMIT 0)"
    engine.execute(f"CREATE OR REPLACE TEMP VIEW truth AS SELECT * FROM {rows}")


def _examples(rows: pa.Table) -> Examples:
    known_at = rows["known_at"].fill_null(NEVER).to_numpy()
    label = _texts(rows, "true_label")
    known_truth = bool((label != "").any())
    names = tuple(column.name for column in (*FEATURES.features, AMOUNT))
    return Examples(
        names=names,
        features=matrix(rows, list(names)),
        ids=_texts(rows, "transaction_id"),
        at=rows["seen"].to_numpy(),
        known_at=known_at,
        entity=rows["wallet_key"].fill_null(NO_ENTITY).to_numpy(),
        amount=rows["amount_eth"].to_numpy(),
        slices={"event size": _texts(rows, "event_size"), "wallet age": _texts(rows, "wallet_age")},
        truth=(label != HONEST).astype(np.int64) if known_truth else None,
        kind=np.where(label == HONEST, "", label) if known_truth else None,
        hidden=rows["is_hidden"].to_numpy(zero_copy_only=False).astype(bool) if known_truth else None,
    )


def _texts(rows: pa.Table, name: str) -> Texts:
    return np.array(rows[name].fill_null("").to_pylist(), dtype=object)
