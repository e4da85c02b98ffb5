"""Files of a simulated world: one Parquet file per table and day, and the truth beside them."""

import datetime
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3
TRUTH_FOLDER = "truth"


def write_day(out: Path, date: datetime.date, tables: dict[str, pa.Table]) -> None:
    """Writes `<out>/<table>/<date>.parquet` for every table, empty ones included: an empty delivery is a delivery."""
    for name, table in tables.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            table.combine_chunks(),
            folder / f"{date.isoformat()}.parquet",
            compression=COMPRESSION,
            compression_level=COMPRESSION_LEVEL,
        )


class TruthFiles:
    """The truth of who did what, which grows by one row group per day in `<out>/truth/<name>.parquet`."""

    def __init__(self, out: Path) -> None:
        self._folder = out / TRUTH_FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writers: dict[str, pq.ParquetWriter] = {}

    def append(self, name: str, table: pa.Table) -> None:
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(
                self._folder / f"{name}.parquet",
                table.schema,
                compression=COMPRESSION,
                compression_level=COMPRESSION_LEVEL,
            )
        self._writers[name].write_table(table)

    def __enter__(self) -> "TruthFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for writer in self._writers.values():
            writer.close()
