"""From raw logs and sales lists to token movements and sales, day by day, in the lake."""

import json
from collections.abc import Callable
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
from ticketintel_pipelines.lake.engine import fetch_table, identifier, parquet
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.quality.verdict import QUARANTINE_SCHEMA, DayOutcome, RuleResult, Verdict
from ticketintel_pipelines.stages.validate import EXTRACT_STAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import LOGS, MARKET_SALES, SALES, STANDARDS, TRANSFERS
from ticketintel_pipelines.warehouse.publish import publish

UNDECODABLE = Rule("undecodable", Holds("decoded"), "the log claims a known event but does not decode as one")
LOG_COLUMNS = (*LOGS.column_names, *SOURCE_COLUMNS)


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
    unknown_by_topic: dict[str, int] = field(default_factory=dict)


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
    transfers: dict[date, Path] = {}
    sales: dict[date, Path] = {}
    outcomes: list[DayOutcome] = []
    list_outcomes: list[DayOutcome] = []
    refused: list[pa.Table] = []
    with workspace.engine() as engine, scratch_folder(lake) as scratch:
        for day in days.days:
            day_sales: list[pa.Table] = []
            if day in logs:
                rows = fetch_table(
                    engine,
                    f"SELECT {', '.join(identifier(name) for name in LOG_COLUMNS)} FROM {parquet(logs[day].paths)}",
                )
                moved, sold, quarantine = _decode(rows, day, report)
                if moved.num_rows:
                    transfers[day] = _write(moved, scratch / f"transfers-{day}.parquet")
                day_sales.append(sold)
                refused.append(quarantine)
                kept = rows.num_rows - quarantine.num_rows
                mark = ",".join(quarantine.column("row_key").to_pylist())
                outcomes.append(DayOutcome(day, logs[day].rows, kept, quarantine.num_rows, 0, f"{kept:x}-{mark}"))
            else:
                outcomes.append(DayOutcome(day, 0, 0, 0, 0, "0-"))
            listed_rows, landed_rows = 0, 0
            if day in lists:
                listed = _listed_sales(engine, lists[day].paths)
                listed_rows, landed_rows = listed.num_rows, lists[day].rows
                report.listed_sales += listed_rows
                day_sales.append(listed)
            list_outcomes.append(DayOutcome(day, landed_rows, listed_rows, 0, 0, f"{listed_rows:x}-"))
            merged = pa.concat_tables(day_sales) if day_sales else None
            if merged is not None and merged.num_rows:
                sales[day] = _write(merged, scratch / f"sales-{day}.parquet")
                report.sales += merged.num_rows
            if day in logs:
                progress(f"decode {day}: {report.logs:,} logs so far")
        swap_in(lake, EXTRACT_STAGE, TRANSFERS.name, days, transfers)
        swap_in(lake, EXTRACT_STAGE, MARKET_SALES.name, days, sales)
        verdicts = (
            _log_verdict(days, outcomes, refused, report),
            Verdict(SALES, days, {}, tuple(list_outcomes), QUARANTINE_SCHEMA.empty_table()),
        )
        # Recorded for every day: what is made of the parts is as new as the fragments that were decoded into them.
        with workspace.catalog() as catalog:
            for verdict in verdicts:
                publish(catalog.connection, engine, TICKETING, verdict, raw_sequence=raw_sequence, run_id=run_id)
    return report


def _decode(logs: pa.Table, day: date, report: DecodeReport) -> tuple[pa.Table, pa.Table, pa.Table]:
    decoded = decode_logs(logs, carried=SOURCE_COLUMNS)
    report.logs += logs.num_rows
    report.unknown += decoded.unknown
    report.undecodable += decoded.undecodable.num_rows
    report.decoded += decoded.decoded
    for topic, count in decoded.unknown_by_topic.items():
        report.unknown_by_topic[topic] = report.unknown_by_topic.get(topic, 0) + count
    tickets = decoded.transfers.filter(pc.is_in(decoded.transfers["standard"], pa.array(STANDARDS)))
    report.transfers += tickets.num_rows
    report.fungible += decoded.fungible
    return tickets, decoded.sales, _undecodable(decoded.undecodable, logs, day)


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


def _log_verdict(days: DayRange, outcomes: list[DayOutcome], refused: list[pa.Table], report: DecodeReport) -> Verdict:
    quarantine = pa.concat_tables([QUARANTINE_SCHEMA.empty_table(), *refused])
    samples = tuple(quarantine["row_key"].to_pylist()[:5])
    result = RuleResult(UNDECODABLE, report.logs, report.undecodable, samples)
    return Verdict(LOGS, days, {}, tuple(outcomes), quarantine, (result,))


def _listed_sales(engine: duckdb.DuckDBPyConnection, paths: tuple[Path, ...]) -> pa.Table:
    """A sales list in the columns of decoded sales."""
    columns = {
        "log_index": "-1::BIGINT",
        "marketplace": "'sales_list'",
        "quantity": "'1'",
    }
    picked = ", ".join(f"{columns.get(name, identifier(name))} AS {identifier(name)}" for name in MARKET_SALES.column_names)
    return fetch_table(engine, f"SELECT {picked}, source_file, source_row FROM {parquet(paths)}")


def _write(rows: pa.Table, path: Path) -> Path:
    pq.write_table(rows, path, compression="zstd")
    return path
