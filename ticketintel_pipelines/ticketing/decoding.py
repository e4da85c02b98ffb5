"""From raw logs and sales lists to token movements and sales, day by day, in the lake."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.chain.decode import decode_logs
from ticketintel_pipelines.contract import Rule
from ticketintel_pipelines.contract.rules import Holds
from ticketintel_pipelines.intake.landing import SOURCE_COLUMNS
from ticketintel_pipelines.lake.arrow_types import arrow_schema
from ticketintel_pipelines.lake.engine import fetch_table, identifier, parquet
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.quality.verdict import QUARANTINE_SCHEMA, DayOutcome, RuleResult, Verdict
from ticketintel_pipelines.stages.validate import EXTRACT_STAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import LOGS, MARKET_SALES, SALES, STANDARDS, TRANSFERS
from ticketintel_pipelines.warehouse.catalog import RawDay
from ticketintel_pipelines.warehouse.publish import publish

UNDECODABLE = Rule("undecodable", Holds("decoded"), "the log claims a known event but does not decode as one")
LOG_COLUMNS = (*LOGS.column_names, *SOURCE_COLUMNS)
RAW_LOGS = arrow_schema(LOGS.columns).append(pa.field("source_file", pa.string())).append(pa.field("source_row", pa.int64()))


DAYS_AT_ONCE = 2
"""A day's logs are too few to keep two cores busy by themselves."""


@dataclass
class DecodeReport:
    """Logs by what became of them; `logs = decoded + unknown + undecodable`."""

    logs: int = 0
    decoded: int = 0
    unknown: int = 0
    undecodable: int = 0
    listed_sales: int = 0
    transfers: int = 0
    fungible: int = 0
    """Movements of ERC-20 tokens, which are no tickets; counted and left out."""
    sales: int = 0
    unknown_by_topic: Counter[str] = field(default_factory=Counter)

    def add(self, day: "DecodedDay") -> None:
        self.listed_sales += day.listed_sales
        self.transfers += day.transfers.rows
        self.sales += day.sales.rows
        self.logs += day.landed_logs
        self.decoded += day.decoded
        self.unknown += day.unknown_by_topic.total()
        self.undecodable += day.refused.num_rows
        self.fungible += day.fungible
        self.unknown_by_topic.update(day.unknown_by_topic)


@dataclass(frozen=True)
class Part:
    """Rows written for one day; no file where there are none."""

    path: Path | None
    rows: int


@dataclass(frozen=True)
class DecodedDay:
    """What one day's logs and sales lists came to: counts, and the parts that were written."""

    day: date
    landed_logs: int
    landed_sales: int
    decoded: int
    fungible: int
    unknown_by_topic: Counter[str]
    refused: pa.Table
    listed_sales: int
    transfers: Part
    sales: Part

    @property
    def outcomes(self) -> tuple[DayOutcome, DayOutcome]:
        """The account of the logs, and that of the sales lists."""
        refused = self.refused.num_rows
        kept = self.decoded + self.unknown_by_topic.total()
        mark = ",".join(self.refused.column("row_key").to_pylist())
        return (
            DayOutcome(
                self.day,
                rows_in=self.landed_logs,
                published=kept,
                quarantined=refused,
                duplicates=0,
                content_hash=f"{kept:x}-{mark}",
            ),
            DayOutcome(
                self.day,
                rows_in=self.landed_sales,
                published=self.listed_sales,
                quarantined=0,
                duplicates=0,
                content_hash=f"{self.listed_sales:x}-",
            ),
        )


def decode_days(
    workspace: Workspace, days: DayRange, *, run_id: str, progress: Callable[[str], None] = lambda message: None
) -> DecodeReport:
    """Decode the logs and sales lists of some days into the lake's parts of `transfers` and `market_sales`.

    Logs that do not decode go to quarantine under `logs`; logs of unknown events stay where they are and are counted.
    """
    report = DecodeReport()
    lake = workspace.lake(TICKETING)
    with workspace.catalog() as catalog:
        raw_sequence = catalog.newest_fragment(TICKETING.name)
        logs = {day.day: day for day in catalog.raw_days(TICKETING.name, LOGS.name, days)}
        lists = {day.day: day for day in catalog.raw_days(TICKETING.name, SALES.name, days)}
    decoded: list[DecodedDay] = []
    with workspace.engine() as engine, scratch_folder(lake) as scratch:

        def decode_one(day: date) -> DecodedDay:
            with engine.cursor() as cursor:
                return _decode_day(cursor, scratch, day, logs.get(day), lists.get(day))

        with ThreadPoolExecutor(max_workers=DAYS_AT_ONCE) as pool:
            for day in pool.map(decode_one, days.days):
                decoded.append(day)
                report.add(day)
                if day.landed_logs:
                    progress(f"decode {day.day}: {report.logs:,} logs so far")
        for table, parts in (
            (TRANSFERS, {day.day: day.transfers.path for day in decoded if day.transfers.path}),
            (MARKET_SALES, {day.day: day.sales.path for day in decoded if day.sales.path}),
        ):
            swap_in(lake, EXTRACT_STAGE, table.name, days, parts)
        # Recorded for every day: what is made of the parts is as new as the fragments that were decoded into them.
        with workspace.catalog() as catalog:
            for verdict in _verdicts(days, decoded, report):
                publish(catalog.connection, engine, TICKETING, verdict, raw_sequence=raw_sequence, run_id=run_id)
    return report


def _decode_day(
    engine: duckdb.DuckDBPyConnection, scratch: Path, day: date, logs: RawDay | None, lists: RawDay | None
) -> DecodedDay:
    columns = ", ".join(identifier(name) for name in LOG_COLUMNS)
    rows = RAW_LOGS.empty_table()
    if logs is not None:
        rows = fetch_table(engine, f"SELECT {columns} FROM {parquet(logs.paths)}")
    decoded = decode_logs(rows, carried=SOURCE_COLUMNS)
    tickets = decoded.transfers.filter(pc.is_in(decoded.transfers["standard"], pa.array(STANDARDS)))
    listed = decoded.sales.schema.empty_table()
    if lists is not None:
        listed = _listed_sales(engine, lists.paths).select(listed.schema.names).cast(listed.schema)
    return DecodedDay(
        day=day,
        landed_logs=logs.rows if logs is not None else 0,
        landed_sales=lists.rows if lists is not None else 0,
        decoded=decoded.decoded,
        fungible=decoded.fungible,
        unknown_by_topic=Counter(decoded.unknown_by_topic),
        refused=_undecodable(decoded.undecodable, rows, day),
        listed_sales=listed.num_rows,
        transfers=_write(tickets, scratch / f"transfers-{day}.parquet"),
        sales=_write(pa.concat_tables([decoded.sales, listed]), scratch / f"sales-{day}.parquet"),
    )


def _undecodable(undecodable: pa.Table, logs: pa.Table, day: date) -> pa.Table:
    origin = logs.take(undecodable["row"])
    mended = _sound_twins(logs, undecodable["row"], origin)
    rows = [
        {
            "day": day,
            "rule": UNDECODABLE.name,
            "rules": [UNDECODABLE.name],
            "reason": reason,
            "source_file": log["source_file"],
            "source_row": log["source_row"],
            "row_key": f"{log['transaction_hash']}:{log['log_index']}",
            "mended": (log["transaction_hash"], log["log_index"]) in mended,
            "content": _as_json(log),
        }
        for reason, log in zip(undecodable["reason"].to_pylist(), origin.to_pylist(), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA)


def _sound_twins(logs: pa.Table, refused_rows: pa.ChunkedArray, refused: pa.Table) -> set[tuple[object, object]]:
    """Keys of refused logs of which another file holds one that decodes."""
    suspects = pc.is_in(logs["transaction_hash"], refused["transaction_hash"].combine_chunks())
    is_refused = np.zeros(logs.num_rows, dtype=bool)
    is_refused[np.asarray(refused_rows)] = True
    sound = logs.filter(pc.and_(suspects, pa.array(~is_refused))).select(["transaction_hash", "log_index"])
    return set(zip(*(sound[name].to_pylist() for name in ("transaction_hash", "log_index")), strict=True))


def _as_json(log: dict[str, object]) -> str:
    return json.dumps({name: log[name] for name in LOGS.column_names}, default=str)


def _verdicts(days: DayRange, decoded: Sequence[DecodedDay], report: DecodeReport) -> tuple[Verdict, Verdict]:
    """What is recorded of the logs and of the sales lists."""
    log_outcomes, list_outcomes = zip(*(day.outcomes for day in decoded), strict=True)
    quarantine = pa.concat_tables([QUARANTINE_SCHEMA.empty_table(), *(day.refused for day in decoded)])
    samples = tuple(quarantine["row_key"].to_pylist()[:5])
    result = RuleResult(UNDECODABLE, report.logs, report.undecodable, samples)
    return (
        Verdict(LOGS, days, {}, log_outcomes, quarantine, (result,)),
        Verdict(SALES, days, {}, list_outcomes, QUARANTINE_SCHEMA.empty_table()),
    )


def _listed_sales(engine: duckdb.DuckDBPyConnection, paths: tuple[Path, ...]) -> pa.Table:
    """A sales list in the columns of decoded sales."""
    columns = {
        "log_index": "-1::BIGINT",
        "marketplace": "'sales_list'",
        "quantity": "'1'",
    }
    picked = ", ".join(f"{columns.get(name, identifier(name))} AS {identifier(name)}" for name in MARKET_SALES.column_names)
    return fetch_table(engine, f"SELECT {picked}, source_file, source_row FROM {parquet(paths)}")


def _write(rows: pa.Table, path: Path) -> Part:
    if not rows.num_rows:
        return Part(None, 0)
    pq.write_table(rows, path, compression="zstd")
    return Part(path, rows.num_rows)
