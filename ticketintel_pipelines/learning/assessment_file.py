"""Assessments as JSON, so that a report is written from what a training found, whenever it is asked for."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ticketintel_pipelines.learning.assessment import Assessment, Comparison
from ticketintel_pipelines.learning.intervals import Difference, Measured
from ticketintel_pipelines.learning.report_layout import Grid, Section


def save_assessment(file: Path, assessment: Assessment) -> None:
    """Write an assessment; its folder has to be there."""
    file.write_text(json.dumps(_finite(asdict(assessment)), indent=1))


def load_assessment(file: Path) -> Assessment:
    """The assessment of a file, equal to the one that was saved."""
    found = json.loads(file.read_text())
    return Assessment(
        found["words"],
        tuple(_comparison(one) for one in found["comparisons"]),
        {name: _measured(one) for name, one in found["figures"].items()},
        tuple(_section(one) for one in found["sections"]),
    )


def _comparison(found: dict[str, Any]) -> Comparison:
    apart = Difference(**{name: _number(value) for name, value in found["apart"].items()})
    return Comparison(**{**found, "model": _measured(found["model"]), "other": _measured(found["other"]), "apart": apart})


def _section(found: dict[str, Any]) -> Section:
    grids = tuple(Grid(tuple(one["header"]), tuple(map(tuple, one["rows"])), tuple(one["notes"])) for one in found["grids"])
    pictures = tuple((picture, caption) for picture, caption in found["pictures"])
    return Section(found["title"], tuple(found["words"]), grids, pictures)


def _measured(found: dict[str, Any]) -> Measured:
    return Measured(**{name: _number(found[name]) for name in ("value", "low", "high")})


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _finite(value: Any) -> Any:
    """JSON knows no figure that could not be worked out."""
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
