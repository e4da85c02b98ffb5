"""One sale as the ledger has it, and what observations make of it."""

from datetime import UTC, date, datetime
from pathlib import Path

from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.feature_rows import read_table
from ticketintel_pipelines.stages.validate import VALIDATE_STAGE, validate_table
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.assets import source_of
from ticketintel_pipelines.ticketing.decoding import decode_days
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS
from ticketintel_pipelines.ticketing.features.observing import observe
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import TRANSACTIONS
from ticketintel_pipelines.warehouse.loading import load_parts
from ticketintel_pipelines_tests.assets.handing_in import CONTRACT, address
from ticketintel_pipelines_tests.conftest import take_in

BY_NAME = {observation.name: observation for observation in OBSERVATIONS}
SPRING = DayRange(date(2026, 1, 1), date(2026, 3, 31))


def at(day: str, time: str = "12:00:00") -> int:
    """An instant of 2026 in microseconds."""
    return int(datetime.fromisoformat(f"2026-{day}T{time}").replace(tzinfo=UTC).timestamp()) * 1_000_000


def validated(workspace: Workspace, folder: Path, days: DayRange = SPRING) -> None:
    """Take in a folder of raw files and validate the tables that it can change."""
    take_in(workspace, folder)
    chain = (folder / "logs").exists()
    if chain:
        decode_days(workspace, days, run_id="test", progress=lambda message: None)
    for table in TICKETING.validated_tables:
        if chain or (folder / f"{table.name}.csv").exists():
            validate_table(workspace, TICKETING, table, days, source_of(table), run_id="test")


def sold(workspace: Workspace, **different: object) -> None:
    """The primary sale of token 5 at noon of New Year's Day, as it stands in the ledger."""
    row = {
        "transaction_id": "sale",
        "occurred_at": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "kind": "primary_sale",
        "marketplace": "platform",
        "contract_address": CONTRACT,
        "token_id": "5",
        "quantity": "1",
        "event_id": "e1",
        "ticket_id": "t1",
        "buyer_address": address("b"),
        "buyer_source": "recorded",
        "price_wei": "1234567890123456789",
        "price_usd": "42.50",
        "order_id": "o1",
        "user_id": "u1",
        "block_number": 1,
        "log_index": 0,
        "transaction_hash": "0x" + "1".rjust(64, "0"),
    } | different
    part = workspace.lake(TICKETING).part(VALIDATE_STAGE, TRANSACTIONS.name, SPRING.first)
    part.parent.mkdir(parents=True)
    values = ", ".join(
        f"CAST({'NULL' if row.get(name) is None else repr(str(row[name]))} AS {kind}) AS {name}"
        for name, kind in TRANSACTIONS.duckdb_types.items()
    )
    with workspace.engine() as engine:
        engine.execute(f"COPY (SELECT {values}) TO '{part}' (FORMAT parquet)")
        with workspace.catalog() as catalog:
            catalog.connection.execute("DELETE FROM ticketing.transactions WHERE transaction_id = %s", (row["transaction_id"],))
            load_parts(catalog.connection, engine, TICKETING, TRANSACTIONS, {SPRING.first: part})
            catalog.connection.commit()


def seen(workspace: Workspace, name: str, days: DayRange = SPRING) -> list[dict[str, object]]:
    """The rows of an observation, worked out anew with what it observes."""
    for needed in (*BY_NAME[name].observes, name):
        observe(workspace, days, observation=BY_NAME[needed])
    table = read_table(workspace.lake(TICKETING), name, days.days)
    return [] if table is None else table.to_pylist()
