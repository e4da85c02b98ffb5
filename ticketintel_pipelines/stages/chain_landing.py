"""Blocks and logs as they came from a node, staged as the two files of one increment."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticketintel_pipelines.chain.extraction.coverage import Covered
from ticketintel_pipelines.chain.extraction.fetch import BlockRange
from ticketintel_pipelines.chain.extraction.header_chain import Header
from ticketintel_pipelines.contract import Table
from ticketintel_pipelines.intake.landing import RAW_STAGE, Fragment, LandedFile, staged_part
from ticketintel_pipelines.lake.arrow_types import arrow_schema
from ticketintel_pipelines.lake.layout import Lake


@dataclass(frozen=True)
class StagedIncrement:
    """Blocks first..last on disk, not yet known to the catalogue. `new_headers` are those that were not stored before."""

    covered: Covered
    blocks: LandedFile
    logs: LandedFile
    new_headers: tuple[Header, ...]
    last_hash: str
    moves: tuple[tuple[Path, Path], ...]

    @property
    def source_file(self) -> str:
        return self.logs.name


def stage_increment(
    pieces: Sequence[BlockRange],
    addresses: frozenset[str],
    stored: Mapping[int, str],
    chain_id: int,
    blocks: Table,
    logs: Table,
    lake: Lake,
    folder: Path,
    first_day: date,
) -> StagedIncrement:
    """Write consecutive pieces to `folder`, a part per table and day; blocks whose hash is `stored` already are not repeated.

    Rows of days before `first_day` belong to no partition and are left out.
    """
    headers = [header for piece in pieces for header in piece.headers]
    new_headers = tuple(header for header in headers if header.number not in stored)
    covered = Covered(headers[0].number, headers[-1].number, addresses)
    # The same blocks of another branch are another increment.
    identity = f"chain:{chain_id}:{covered.first}-{covered.last}"
    mark = hashlib.sha256(f"{identity}:{headers[-1].hash}:{','.join(sorted(addresses))}".encode()).hexdigest()
    name = f"{identity}:{mark[:8]}"
    files, moves = [], []
    for table, rows in ((blocks, _block_rows(new_headers, blocks)), (logs, _log_rows(pieces, logs))):
        file, own_moves = _stage(table, rows, name, mark, lake, folder, first_day)
        files.append(file)
        moves += own_moves
    return StagedIncrement(covered, files[0], files[1], new_headers, headers[-1].hash, tuple(moves))


def _block_rows(headers: Sequence[Header], table: Table) -> pa.Table:
    seconds = np.array([header.timestamp for header in headers], dtype=np.int64)
    columns = {
        "block_number": pa.array([header.number for header in headers], pa.int64()),
        "block_hash": pa.array([header.hash for header in headers], pa.string()),
        "parent_hash": pa.array([header.parent_hash for header in headers], pa.string()),
        "block_timestamp": pa.array(seconds * 1_000_000).cast(pa.timestamp("us", "UTC")),
    }
    return pa.table(columns).select(table.column_names)


def _log_rows(pieces: Sequence[BlockRange], table: Table) -> pa.Table:
    return pa.concat_tables([piece.logs for piece in pieces]).select(table.column_names)


def _stage(
    table: Table, rows: pa.Table, name: str, mark: str, lake: Lake, folder: Path, first_day: date
) -> tuple[LandedFile, list[tuple[Path, Path]]]:
    """Write the rows to a staged part per day; the rows come in the order of their time, as a chain has them."""
    folder = folder / mark[:16] / table.name
    folder.mkdir(parents=True)
    content_hash = hashlib.sha256(f"{table.name}:{mark}".encode()).hexdigest()
    rows = rows.cast(arrow_schema(table.columns))
    rows = rows.append_column("source_file", pa.array([name] * rows.num_rows, pa.string()))
    rows = rows.append_column("source_row", pa.array(np.arange(1, rows.num_rows + 1)))
    rows = rows.filter(pc.greater_equal(rows[table.time], pa.scalar(_start_of(first_day), pa.timestamp("us", "UTC"))))
    days = rows[table.time].cast(pa.date32())
    fragments, moves, size = [], [], 0
    for day in pc.unique(days).to_pylist():
        part = staged_part(folder, day)
        of_day = rows.filter(pc.equal(days, pa.scalar(day, pa.date32())))
        pq.write_table(of_day, part, compression="zstd", compression_level=1)
        size += part.stat().st_size
        path = lake.partition(RAW_STAGE, table.name, day) / f"{content_hash[:16]}.parquet"
        fragments.append(Fragment(table.name, day, path, of_day.num_rows))
        moves.append((part, path))
    return LandedFile(name, table.name, content_hash, size, rows.num_rows, tuple(fragments)), moves


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
