"""The ledger of ticket transactions: composed from decoded sales and transfers, tickets and orders by one SQL file."""

from datetime import timedelta
from pathlib import Path

from ticketintel_pipelines.chain.events import ZERO_ADDRESS
from ticketintel_pipelines.contract import ERASED, Table
from ticketintel_pipelines.lake.engine import fetch_row, fetch_rows, fetch_table, identifier, parquet, parquet_as, text
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.validate import EXTRACT_STAGE, VALIDATE_STAGE, Candidates, Step
from ticketintel_pipelines.ticketing.tables.chain import MARKET_SALES, TRANSFERS
from ticketintel_pipelines.ticketing.tables.platform import ORDERS, TICKETS
from ticketintel_pipelines.warehouse.lookups import look_up
from ticketintel_pipelines.warehouse.migrations import SQL_FOLDER

COMPOSITION = SQL_FOLDER / "ticketing" / "extract" / "transactions.sql"
TOKEN = ("contract_address", "token_id")


def composed_transactions(step: Step, table: Table, days: DayRange) -> Candidates:
    """The transactions of some days as candidates.

    The composition reads five relations, made here: `sales` and `moves` of the days, the `tickets` of their tokens, the
    `orders` they fulfilled, and the `next_sales` that tell who had bought where the contract did not say.
    """
    lake, engine = step.workspace.lake(step.domain), step.engine
    sales = lake.parts(EXTRACT_STAGE, MARKET_SALES.name, days.days)
    moves = lake.parts(EXTRACT_STAGE, TRANSFERS.name, days.days)
    _relation(step, "sales", MARKET_SALES, sales)
    # Only movements that held up are gifts: a sender who did not own the token gave nothing.
    sound = lake.parts(VALIDATE_STAGE, TRANSFERS.name, days.days)
    _relation(step, "moves", TRANSFERS, moves, among=sound)
    _find_tickets(step)
    _find_orders(step, days)
    _find_next_sales(step, days)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE composed AS {COMPOSITION.read_text().rstrip().rstrip(';')}")
    counts = fetch_rows(
        engine,
        "SELECT CAST(occurred_at AT TIME ZONE 'UTC' AS DATE) AS day, count(*) FROM composed GROUP BY day",
    )
    return Candidates("composed", dict(counts))


def _relation(step: Step, name: str, table: Table, parts: list[Path], among: list[Path] | None = None) -> None:
    """Make a table of decoded rows with where they came from; only those whose key is in the files `among`, if given."""
    columns = ", ".join(identifier(column) for column in table.column_names)
    if parts and among != []:
        rows = f"SELECT {columns}, source_file, source_row, file_index AS landing_order FROM {parquet(parts)}"
        if among is not None:
            key = ", ".join(identifier(column) for column in table.key)
            rows += f" SEMI JOIN (SELECT {key} FROM {parquet(among)}) USING ({key})"
    else:
        nulls = ", ".join(f"CAST(NULL AS {column.type.duckdb}) AS {identifier(column.name)}" for column in table.columns)
        rows = (
            f"SELECT {nulls}, CAST(NULL AS VARCHAR) AS source_file, CAST(NULL AS BIGINT) AS source_row, "
            "CAST(NULL AS BIGINT) AS landing_order LIMIT 0"
        )
    step.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {rows}")


def _find_tickets(step: Step) -> None:
    """Make `ticket_of_token`: from the run's own tickets, else from those published."""
    engine, lake = step.engine, step.workspace.lake(step.domain)
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE ticket_of_token (contract_address VARCHAR, token_id VARCHAR, ticket_id VARCHAR, "
        "event_id VARCHAR)"
    )
    token = ", ".join(TOKEN)
    traded = f"(SELECT {token} FROM sales UNION ALL SELECT {token} FROM moves)"
    if parts := lake.parts(VALIDATE_STAGE, TICKETS.name, step.run_days.days):
        engine.execute(
            f"INSERT INTO ticket_of_token SELECT {token}, ticket_id, event_id FROM {parquet(parts)} "
            f"SEMI JOIN {traded} USING ({token})"
        )
    if step.catalog.has_rows(step.domain.name, TICKETS.name, outside=step.run_days):
        wanted = f"SELECT DISTINCT {token} FROM {traded} WHERE contract_address IS NOT NULL"
        missing = fetch_table(engine, f"SELECT * FROM ({wanted}) ANTI JOIN ticket_of_token USING ({token})")
        found = look_up(
            step.catalog.connection, step.domain, TICKETS.name, TOKEN, missing, ("ticket_id", "event_id"), step.run_days
        )
        engine.register("published_tickets", found)
        engine.execute("INSERT INTO ticket_of_token SELECT * FROM published_tickets")
        engine.unregister("published_tickets")


def _find_orders(step: Step, days: DayRange) -> None:
    """Make `order_of_transaction`; an order may have been placed late on the day before it reached the chain.

    A living order goes before one that the platform deleted, which still tells who bought and for how much.
    """
    lake = step.workspace.lake(step.domain)
    nearby = [days.first - timedelta(days=1), *days.days]
    rows = (
        "SELECT NULL::VARCHAR AS order_id, NULL::VARCHAR AS user_id, NULL::VARCHAR AS event_id, "
        "NULL::VARCHAR AS transaction_hash, NULL::DECIMAL(18,2) AS price_usd LIMIT 0"
    )
    if parts := lake.parts(VALIDATE_STAGE, ORDERS.name, nearby):
        rows = (
            # The wallet of a transaction is public: it must not lead to the orders of an account whose person was erased.
            f"SELECT order_id, CASE WHEN NOT starts_with(user_id, {text(ERASED)}) THEN user_id END AS user_id, event_id, "
            "transaction_hash, "
            "CASE WHEN currency = 'USD' THEN CAST(amount / quantity AS DECIMAL(18,2)) END AS price_usd "
            f"FROM {parquet_as(step.engine, parts, ORDERS.duckdb_types)} "
            "WHERE transaction_hash IS NOT NULL AND status = 'paid' "
            "QUALIFY row_number() OVER (PARTITION BY transaction_hash ORDER BY deleted_at IS NOT NULL, order_id) = 1"
        )
    step.engine.execute(f"CREATE OR REPLACE TEMP TABLE order_of_transaction AS {rows}")


def _find_next_sales(step: Step, days: DayRange) -> None:
    """Make `next_sales`: who sold next each token whose buyer a contract left out, however much later that was."""
    engine, lake = step.engine, step.workspace.lake(step.domain)
    nameless = f"(SELECT DISTINCT {', '.join(TOKEN)} FROM sales WHERE buyer_address = '{ZERO_ADDRESS}')"
    rows = "SELECT *, NULL::VARCHAR AS next_seller FROM sales LIMIT 0"
    if fetch_row(engine, f"SELECT count(*) FROM {nameless}") != (0,):
        folder = lake.table(EXTRACT_STAGE, MARKET_SALES.name)
        later = [part for part in sorted(folder.glob("day=*/part0.parquet")) if part.parent.name >= f"day={days.first}"]
        rows = (
            "SELECT *, lead(seller_address) OVER (PARTITION BY s.contract_address, s.token_id "
            "ORDER BY block_number, log_index, transaction_hash) AS next_seller "
            f"FROM {parquet(later)} s SEMI JOIN {nameless} n ON n.token_id = s.token_id "
            "AND n.contract_address IS NOT DISTINCT FROM s.contract_address"
        )
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE next_sales AS "
        "SELECT DISTINCT transaction_hash, log_index, contract_address, token_id, next_seller "
        f"FROM ({rows}) WHERE buyer_address = '{ZERO_ADDRESS}' AND next_seller IS NOT NULL "
        # The seller cannot have sold to himself: in between the token came back by a way that left no sale.
        f"AND next_seller <> seller_address AND next_seller <> '{ZERO_ADDRESS}'"
    )
