"""How the values of a family's features are distributed over some days."""

from dataclasses import dataclass

from ticketintel_pipelines.contract import Column, ColumnType, Domain
from ticketintel_pipelines.features.families import Family
from ticketintel_pipelines.lake.engine import fetch_row, identifier, parquet
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.workspace import Workspace


@dataclass(frozen=True)
class Distribution:
    """One feature: the percentage of nulls, and figures of the values that are there; flags count as 0 and 1."""

    column: Column
    null_percent: float
    least: float | None
    median: float | None
    mean: float | None
    most: float | None


def distributions(workspace: Workspace, domain: Domain, family: Family, days: DayRange) -> list[Distribution]:
    """One for each feature of the family; none where these days have no rows."""
    parts = workspace.lake(domain).parts(FEATURE_STAGE, family.name, days.days)
    if not parts or not family.features:
        return []
    figures: list[str] = []
    for column in family.features:
        value = identifier(column.name)
        number = f"CAST({value} AS INTEGER)" if column.type is ColumnType.BOOLEAN else value
        figures += [
            f"100 - 100.0 * count({value}) / count(*)",
            *(f"{figure}({number})" for figure in ("min", "median", "avg", "max")),
        ]
    with workspace.engine() as engine:
        row = fetch_row(engine, f"SELECT {', '.join(figures)} FROM {parquet(parts)}")
    width = len(row) // len(family.features)
    found = []
    for place, column in enumerate(family.features):
        nulls, *values = row[place * width : (place + 1) * width]
        found.append(Distribution(column, float(nulls), *map(_number, values)))
    return found


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
