"""Extract: the raw fragments of a table and some days, held against what the catalogue says was landed."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Domain, Table
from ticketintel_pipelines.errors import UnavailableError
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.catalog import RawDay


@dataclass(frozen=True)
class Extraction:
    table: str
    days: DayRange
    raw_days: tuple[RawDay, ...]
    files: int
    rows: int

    @property
    def newest_part(self) -> Path | None:
        """The last fragment of the last day that has any."""
        return self.raw_days[-1].paths[-1] if self.raw_days else None


def check_landed(workspace: Workspace, domain: Domain, table: Table, days: DayRange) -> Extraction:
    """What was landed of a table on some days, each fragment opened and counted.

    Raises:
        UnavailableError: a fragment that the catalogue lists is not there, or holds another number of rows.
    """
    with workspace.catalog() as catalog:
        raw_days = catalog.raw_days(domain.name, table.name, days)
    files = rows = 0
    for raw_day in raw_days:
        counted = 0
        for path in raw_day.paths:
            try:
                counted += pq.read_metadata(path).num_rows
            except (OSError, ValueError) as error:
                raise UnavailableError(
                    f"the lake has lost {path.relative_to(workspace.settings.lake_root)} of {table.name} ({error}); "
                    "restore it from a backup, or withdraw its file with 'ticketintel withdraw' and import it again"
                ) from error
        if counted != raw_day.rows:
            raise UnavailableError(
                f"the lake holds {counted:,} rows of {table.name} on {raw_day.day} but {raw_day.rows:,} were landed; "
                "restore the fragments from a backup"
            )
        files += len(raw_day.paths)
        rows += counted
    return Extraction(table.name, days, tuple(raw_days), files, rows)
