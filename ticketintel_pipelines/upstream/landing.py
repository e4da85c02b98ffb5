"""From the rows of one table as they arrived to fragments of the lake: typed, each taken once, a part per day.

Cells are read by the rules of raw files. Where a file would be refused, an increment goes on, since one bad row must not keep
the others back every night: an address or hash of another form lands as it is, and any other cell that does not fit lands as
null, for validation to set the row aside; a row without a day in the lake is left out, noted, and comes with its next change.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import ColumnType
from ticketintel_pipelines.intake.addresses import keep_wrong_checksums
from ticketintel_pipelines.intake.casting import EXPECTED, Cast, plan_casts
from ticketintel_pipelines.intake.landing import RAW_STAGE, Fragment, LandedFile, staged_part
from ticketintel_pipelines.lake.engine import fetch_row, fetch_rows, identifier, parquet, stream, text
from ticketintel_pipelines.lake.layout import Lake
from ticketintel_pipelines.upstream.drift import SourceTable

BATCH_ROWS = 100_000
KEY_SEPARATOR = ":"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JUDGED_BY_FORM = (ColumnType.ADDRESS, ColumnType.HASH)
"""Types whose cells have a rule about their form in every table."""
FIRST_DAY_RULE = "first_day"
FUTURE_RULE = "not_in_the_future"


@dataclass(frozen=True)
class Arrival:
    """The rows of one table as they were read: texts under the declared names, addresses of clients already hidden."""

    found: SourceTable
    path: Path


@dataclass(frozen=True)
class LeftOut:
    """A row that belongs to no day, and the rule that says so."""

    row_key: str
    updated_at: datetime | None
    rule: str


@dataclass(frozen=True)
class Counts:
    """Arrived rows by what becomes of them: `arrived = landed + known + too_early + left_out`.

    `emptied` counts, by column, the cells that landed as null since they were not of the column's type; `ahead` the rows whose
    `updated_at` is ahead of the source's own clock.
    """

    arrived: int
    landed: int
    known: int
    too_early: int
    left_out: int
    ahead: int
    emptied: Mapping[str, int]


class Landing:
    """The rows of one arrival, typed, as the table `arrived_rows` of a DuckDB connection."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        arrival: Arrival,
        taken_before: Path,
        read_at: datetime,
        first_day: date,
        now: datetime,
    ) -> None:
        """`taken_before` is a Parquet file of the digests of rows that were landed before, in the column `row_digest`.

        `read_at` is the source's clock, `now` this side's.
        """
        self.connection = connection
        self.arrival = arrival
        self.table = arrival.found.table
        self.version = identifier(arrival.found.version)
        self.read_at = _literal(read_at)
        names = pq.read_schema(arrival.path).names
        casts = plan_casts(self.table, dict.fromkeys(names, "VARCHAR"), self.table.name)
        self.casts = keep_wrong_checksums(connection, parquet([arrival.path]), casts)
        self.is_known = "false"
        if pq.read_metadata(taken_before).num_rows:
            self.is_known = f"{self._digest()} IN (SELECT row_digest FROM {parquet([taken_before])})"
        self._make_table(first_day, now)
        self.counts = self._count()

    def _make_table(self, first_day: date, now: datetime) -> None:
        columns = [f"{_value(cast)} AS {identifier(cast.column.name)}" for cast in self.casts]
        columns += [f"coalesce({cast.misfit}, false) AS {_misfit_name(cast)}" for cast in self._emptying]
        typed = f"(SELECT {', '.join(columns)}, {self.version} AS version_text FROM {parquet([self.arrival.path])})"
        key = ", ".join(identifier(name) for name in self.table.key)
        time = identifier(self.table.time)
        rule = (
            f"CASE WHEN {time} IS NULL THEN {text(f'{self.table.time}_present')} "
            f"WHEN {time} < TIMESTAMPTZ '{first_day} 00:00:00+00' THEN {text(FIRST_DAY_RULE)} "
            f"WHEN {time} > {_literal(now)} + INTERVAL 1 DAY THEN {text(FUTURE_RULE)} END"
        )
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE arrived_rows AS SELECT *, {rule} AS broken_rule, "
            f"CAST({time} AT TIME ZONE 'UTC' AS DATE) AS day, concat_ws({text(KEY_SEPARATOR)}, {key}) AS row_key FROM {typed}"
        )

    @property
    def _emptying(self) -> list[Cast]:
        return [cast for cast in self.casts if cast.misfit and cast.column.type not in JUDGED_BY_FORM]

    def _digest(self) -> str:
        """SQL of a digest of a row's compared columns; each value behind its length, so that none runs into the next."""
        values = (f"CAST({identifier(name)} AS VARCHAR)" for name in self.table.compared_columns)
        pieces = ", ".join(f"coalesce(length({value}) || ':' || {value}, '-')" for value in values)
        return f"unhex(md5(concat({pieces})))"

    def _count(self) -> Counts:
        wanted = [
            "count(*)",
            f"count(*) FILTER (WHERE broken_rule IS NULL AND {self.is_known})",
            f"count(*) FILTER (WHERE broken_rule = {text(FIRST_DAY_RULE)})",
            f"count(*) FILTER (WHERE broken_rule <> {text(FIRST_DAY_RULE)})",
            f"count(*) FILTER (WHERE {self.version} > {self.read_at})",
            *(f"count(*) FILTER (WHERE {_misfit_name(cast)})" for cast in self._emptying),
        ]
        arrived, known, too_early, left_out, ahead, *emptied = fetch_row(
            self.connection, f"SELECT {', '.join(wanted)} FROM arrived_rows"
        )
        cells = {cast.column.name: count for cast, count in zip(self._emptying, emptied, strict=True) if count}
        return Counts(arrived, arrived - known - too_early - left_out, known, too_early, left_out, ahead, cells)

    @property
    def notes(self) -> Iterator[str]:
        """What became of rows and cells that do not fit, in sentences without anything of their content."""
        for name, count in self.counts.emptied.items():
            yield f"{count:,} cells of {name} are not {EXPECTED[self.table.column(name).type]}, and landed as null"
        if self.counts.too_early:
            yield f"{self.counts.too_early:,} rows of days before the first day of the pipeline were not taken"
        if self.counts.left_out:
            yield (
                f"{self.counts.left_out:,} rows without a {self.table.time}, or with one in the future, belong to no day: "
                "left out and listed in ops.platform_left_out"
            )
        if self.counts.ahead:
            yield f"{self.counts.ahead:,} rows carry an updated_at ahead of the platform's own clock"

    def newest(self) -> tuple[datetime, str] | None:
        """The greatest (updated_at, key) of the arrived rows, apart from those ahead of the source's clock."""
        rows = fetch_rows(
            self.connection,
            f"SELECT epoch_us({self.version}), row_key FROM arrived_rows WHERE {self.version} <= {self.read_at} "
            f"ORDER BY {self.version} DESC, row_key DESC LIMIT 1",
        )
        return (_moment(rows[0][0]), rows[0][1]) if rows else None

    def left_out(self) -> list[LeftOut]:
        """The rows that belong to no day of the pipeline, those before its first day excepted."""
        rows = fetch_rows(
            self.connection,
            f"SELECT row_key, epoch_us({self.version}), broken_rule FROM arrived_rows "
            f"WHERE broken_rule <> {text(FIRST_DAY_RULE)}",
        )
        return [LeftOut(key, None if microseconds is None else _moment(microseconds), rule) for key, microseconds, rule in rows]

    def keys_among(self, keys: Sequence[str]) -> list[str]:
        """Those of some keys that a row arrived with which belongs to a day."""
        if not keys:
            return []
        self.connection.register("asked_keys", pa.table({"row_key": pa.array(keys, pa.string())}))
        rows = fetch_rows(
            self.connection,
            "SELECT DISTINCT row_key FROM arrived_rows SEMI JOIN asked_keys USING (row_key) WHERE broken_rule IS NULL",
        )
        self.connection.unregister("asked_keys")
        return [row[0] for row in rows]

    def save_digests(self, since: datetime | None, path: Path) -> None:
        """Write the digests of the arrived rows that an increment asking from `since` will meet again; None asks for all."""
        again = "true"
        if since is not None:
            # A moment that is none (infinity) is later than any.
            again = f"version_text IS NOT NULL AND ({self.version} IS NULL OR {self.version} >= {_literal(since)})"
        self.connection.execute(
            f"COPY (SELECT DISTINCT {self._digest()} AS row_digest FROM arrived_rows WHERE broken_rule IS NULL AND {again}) "
            f"TO {text(str(path))} (FORMAT parquet)"
        )

    def write(self, name: str, staged: Path, lake: Lake) -> LandedFile:
        """Write the new rows to `staged`, a part per day, in order of their versions; `name` says where they came from."""
        staged.mkdir()
        columns = ", ".join(identifier(column) for column in self.table.column_names)
        rows = stream(
            self.connection,
            f"SELECT day, {columns}, {text(name)} AS source_file FROM arrived_rows "
            f"WHERE broken_rule IS NULL AND NOT ({self.is_known}) ORDER BY day, {self.version} NULLS FIRST, row_key",
            BATCH_ROWS,
        )
        counts = _write_days(rows, staged)
        parts = [staged_part(staged, day) for day in counts]
        content_hash = _hash(name, parts)
        return LandedFile(
            name=name,
            table=self.table.name,
            content_hash=content_hash,
            bytes=sum(part.stat().st_size for part in parts),
            rows=sum(counts.values()),
            fragments=tuple(
                Fragment(
                    self.table.name,
                    day,
                    lake.partition(RAW_STAGE, self.table.name, day) / f"{content_hash[:16]}.parquet",
                    count,
                )
                for day, count in counts.items()
            ),
            ignored_columns=self.arrival.found.left_out,
        )


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _literal(moment: datetime) -> str:
    return f"TIMESTAMPTZ {text(moment.isoformat())}"


def _misfit_name(cast: Cast) -> str:
    return identifier(f"{cast.column.name} misfit")


def _value(cast: Cast) -> str:
    if not cast.misfit:
        return cast.sql
    other = cast.raw if cast.column.type in JUDGED_BY_FORM else f"CAST(NULL AS {cast.column.type.duckdb})"
    return f"CASE WHEN {cast.misfit} THEN {other} ELSE {cast.sql} END"


def _write_days(rows: pa.RecordBatchReader, folder: Path) -> dict[date, int]:
    """Write rows that come in order of their `day` to a file per day, one open at a time; returns the rows of each."""
    counts: dict[date, int] = {}
    writer: pq.ParquetWriter | None = None
    written = 0
    try:
        for batch in rows:
            for day, slice_ in _by_day(batch):
                numbers = np.arange(written + 1, written + slice_.num_rows + 1)
                slice_ = slice_.drop_columns(["day"]).append_column("source_row", pa.array(numbers, pa.int64()))
                if day not in counts:
                    if writer is not None:
                        writer.close()
                    writer = pq.ParquetWriter(staged_part(folder, day), slice_.schema, compression="zstd")
                assert writer is not None
                writer.write_batch(slice_)
                counts[day] = counts.get(day, 0) + slice_.num_rows
                written += slice_.num_rows
    finally:
        if writer is not None:
            writer.close()
    return counts


def _by_day(batch: pa.RecordBatch) -> Iterator[tuple[date, pa.RecordBatch]]:
    days = batch.column("day").to_numpy(zero_copy_only=False)
    starts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1), len(days)]
    for start, end in itertools.pairwise(starts):
        if end > start:
            yield batch.column("day")[int(start)].as_py(), batch.slice(int(start), int(end - start))


def _hash(name: str, parts: Sequence[Path]) -> str:
    """SHA-256 of the name and the parts' bytes: two increments without rows are still two."""
    digest = hashlib.sha256(name.encode())
    for part in parts:
        with part.open("rb") as stream_:
            digest.update(hashlib.file_digest(stream_, "sha256").digest())
    return digest.hexdigest()
