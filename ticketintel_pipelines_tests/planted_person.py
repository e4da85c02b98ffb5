"""A small simulated world in which one person has values that can be recognised wherever they come to lie."""

import json
from collections.abc import Set
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg import sql

from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.simulator import simulate
from ticketintel_pipelines.warehouse.server import connect

FIRST_DAY = date(2026, 1, 1)
DAYS = 1
DAILY_EVENTS = 1_500
PLANTED = {
    "user_id": "planted-account-4711",
    "email": "planted.zoë@recognisable.example",
    "full_name": "Zoë Recognisable-Name",
    "device_id": "planted-device-0815",
    "user_agent": "PlantedAgent/9.9 (recognisable; person)",
    "instrument_id": "planted-instrument-12",
    "session_id": "planted-session",
}
"""Visits of the person carry a number behind the text."""
RELATIONS = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
)


@dataclass(frozen=True)
class PlantedPerson:
    """Who was planted: their wallet, the day on which their account was opened, and their visits."""

    wallet: str
    signed_up: str
    sessions: frozenset[str]

    @property
    def values(self) -> set[str]:
        """The planted values as they stand in files; not the wallet, which is public."""
        return {value for name, value in PLANTED.items() if name != "session_id"} | self.sessions


def plant(folder: Path) -> PlantedPerson:
    """Write a world to a new folder, and put the planted values in the place of those of one of its people.

    They are the one with most orders. One visit of theirs breaks a rule, so that quarantine has something of them.
    """
    simulate(folder, days=DAYS, daily_events=DAILY_EVENTS, seed=23, start=FIRST_DAY)
    orders = pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("orders/*.parquet")))
    paid = orders.filter(pc.is_valid(orders["transaction_hash"]))
    counts = paid.group_by("user_id").aggregate([("order_id", "count")]).sort_by([("order_id_count", "descending")])
    chosen = counts["user_id"][0].as_py()
    sessions: dict[str, str] = {}
    for path in sorted(folder.glob("sessions/*.parquet")):
        rows = pq.read_table(path)
        mine = pc.equal(rows["user_id"], chosen)
        for name in rows.filter(mine)["session_id"].to_pylist():
            sessions.setdefault(name, f"{PLANTED['session_id']}-{len(sessions)}")
    broken = f"{PLANTED['session_id']}-0"
    wallet, signed_up = "", ""
    for table in ("users", "sessions", "orders", "payments", "security_events", "api_requests"):
        for path in sorted(folder.glob(f"{table}/*.parquet")):
            rows = pq.read_table(path)
            mine = pc.fill_null(pc.equal(rows["user_id"], chosen), False)
            if table == "users" and pc.any(mine).as_py():
                wallet, signed_up = rows.filter(mine)["wallet_address"][0].as_py(), path.stem
            for name in set(PLANTED).intersection(rows.column_names) - {"session_id"}:
                rows = _set(rows, name, pc.if_else(mine, pa.scalar(PLANTED[name]), rows[name]))
            if "session_id" in rows.column_names:
                rows = _set(rows, "session_id", pa.array([sessions.get(x, x) for x in rows["session_id"].to_pylist()]))
            if table == "sessions":
                breaks = pc.equal(rows["session_id"], broken)
                rows = _set(rows, "page_views", pc.if_else(breaks, pa.scalar(-1, pa.int64()), rows["page_views"]))
            pq.write_table(rows, path)
    return PlantedPerson(wallet.lower(), signed_up, frozenset(sessions.values()))


def _set(rows: pa.Table, name: str, values: pa.ChunkedArray | pa.Array) -> pa.Table:
    place = rows.column_names.index(name)
    return rows.set_column(place, rows.schema.field(place), values.cast(rows.schema.field(place).type))


def everything_naming(workspace: Workspace, values: Set[str]) -> dict[str, set[str]]:
    """Every table, view and file of a deployment in which any of some texts stands, as it is or as JSON writes it."""
    forms = {value: {form.encode() for form in (value, json.dumps(value)[1:-1], value.lower())} for value in values}

    def among(content: bytes) -> set[str]:
        return {value for value, spelt in forms.items() if any(form in content for form in spelt)}

    found = {}
    for url in (workspace.server.warehouse, workspace.server.dagster):
        with connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
            for schema, name in connection.execute(RELATIONS).fetchall():
                query = sql.SQL("COPY (SELECT t::text FROM {} AS t) TO STDOUT (FORMAT csv)")
                with connection.cursor() as cursor, cursor.copy(query.format(sql.Identifier(schema, name))) as copy:
                    # JSON in a column of a row is quoted once more.
                    here = among(b"".join(map(bytes, copy)).replace(b'""', b'"'))
                if here:
                    found[f"{schema}.{name}"] = here
    for path in workspace.settings.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content = "\n".join(map(str, pq.ParquetFile(path).read().to_pydict().values())).encode()
            if here := among(content):
                found[str(path.relative_to(workspace.settings.home))] = here
    return found
