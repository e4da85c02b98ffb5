"""What the fraud desk and the analysts read of the scores: the queue with its reasons, and figures against their targets."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ticketintel_pipelines.stages.view import bring_up_to_date, views_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WALLET = "0x" + "ab" * 20
REASONS = json.dumps([{"words": "Many transactions: 31"}, {"words": "A new device"}])


def _insert(connection: psycopg.Connection, table: str, rows: list[Mapping[str, Any]]) -> None:
    made = connection.execute("SELECT ops.make_month_partition('ticketing', %s, '2026-03-01')", (table,)).fetchone()
    if made and made[0]:
        connection.execute("SELECT ops.attach_month_partition('ticketing', %s, '2026-03-01')", (table,))
    for row in rows:
        names, places = ", ".join(row), ", ".join(["%s"] * len(row))
        connection.execute(f"INSERT INTO ticketing.{table} ({names}) VALUES ({places})", list(row.values()))


def _transaction(number: int, **more: Any) -> dict[str, Any]:
    required = {
        "transaction_id": f"t{number}",
        "occurred_at": NOW - timedelta(hours=number),
        "kind": "resale",
        "buyer_address": WALLET,
        "price_wei": 10**18,
    }
    return {**required, **more}


def _scored(number: int, score: float, decision: str) -> dict[str, Any]:
    at = NOW - timedelta(hours=number)
    top = None if decision == "APPROVED" else REASONS
    return {
        "transaction_id": f"t{number}",
        "occurred_at": at,
        "scored_at": at,
        "fraud_score": score,
        "decision": decision,
        "top_features": top,
        "model_version": "v",
    }


@pytest.fixture
def desk(workspace: Workspace) -> Workspace:
    """Six scored transactions: three held or blocked, one of them with its verdict; two known frauds, one of them held."""
    decisions = ["BLOCKED", "MANUAL_REVIEW", "MANUAL_REVIEW", "APPROVED", "APPROVED", "APPROVED"]
    with workspace.catalog() as catalog:
        columns = catalog.connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'ticketing.transactions'::regclass AND attnum > 0 AND attnotnull"
        ).fetchall()
        filling = {name: "x" if kind == "text" else 1 for name, kind in columns}
        transactions = [{**filling, **_transaction(number)} for number in range(6)]
        _insert(catalog.connection, "transactions", transactions)
        scores = [0.9, 0.7, 0.66, 0.1, 0.05, 0.01]
        predictions = [_scored(number, *pair) for number, pair in enumerate(zip(scores, decisions, strict=True))]
        _insert(catalog.connection, "fraud_predictions", predictions)
        reviews = [
            {
                "review_id": f"r{number}",
                "decided_at": NOW,
                "transaction_id": f"t{number}",
                "verdict": verdict,
                "reviewer_id": "d",
            }
            for number, verdict in ((1, "fraud"), (3, "fraud"))
        ]
        _insert(catalog.connection, "fraud_reviews", reviews)
        catalog.connection.execute(
            "INSERT INTO ops.published_days (domain, table_name, day, rows_in, published, quarantined, duplicates, "
            "content_hash, raw_sequence, run_id) VALUES ('ticketing', 'transactions', '2026-03-20', 6, 6, 0, 0, 'c', 0, 'r')"
        )
        catalog.connection.commit()
    for view in views_of(TICKETING):
        if view.name in ("review_queue", "kpi_targets", "kpi_hourly"):
            bring_up_to_date(workspace, TICKETING, view)
    return workspace


def _rows(workspace: Workspace, query: str) -> list[tuple]:
    with workspace.catalog() as catalog:
        return catalog.connection.execute(query).fetchall()


def test_the_queue_shows_what_waits_with_its_reasons_the_most_at_stake_first(desk: Workspace) -> None:
    rows = _rows(desk, "SELECT transaction_id, reasons, at_stake_eth FROM ticketing.review_queue ORDER BY at_stake_eth DESC")
    assert [row[0] for row in rows] == ["t0", "t2"]
    assert rows[0][1] == "Many transactions: 31; A new device"
    assert float(rows[0][2]) == pytest.approx(0.9)


def test_figures_stand_beside_their_targets(desk: Workspace) -> None:
    found = {row[0]: row[1:] for row in _rows(desk, "SELECT kpi, value, target, is_met FROM ticketing.kpi_targets")}
    assert float(found["fraud detection rate"][0]) == 0.5
    assert found["fraud detection rate"][2] is False
    assert float(found["false positive rate"][0]) == 0.5
    # A day of history is no target for the next one.
    assert found["revenue per hour"][1] is None
    assert found["revenue per hour"][2] is None


def test_the_hours_show_scores_and_what_was_blocked(desk: Workspace) -> None:
    rows = _rows(
        desk, "SELECT avg_fraud_score, blocked_count FROM ticketing.kpi_hourly WHERE total_transactions > 0 ORDER BY hour DESC"
    )
    assert rows[0] == (0.9, 1)
    assert sum(row[1] for row in rows) == 1
