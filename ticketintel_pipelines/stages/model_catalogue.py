"""The model catalogue: one page that lists every model, the version in use, what it learned from and how it was judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.stages.evidence import evidence_folder, last_training, outcome
from ticketintel_pipelines.stages.report import PAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse import model_registry

CATALOGUE_PAGE = "models.html"
HEADER = ("Model", "In use", "Learned from", "Rows", "Last trained", "What came of it")
ABOUT = ("Name", "Purpose", "Scores into", "Report")
FIGURES = ("Model", "Figure", "Value and 95 % interval")


@dataclass(frozen=True)
class Listed:
    """A model as the catalogue names it, and the table that it scores into."""

    name: str
    title: str
    purpose: str
    table: str


@dataclass(frozen=True)
class Catalogued:
    """The page, how many models it lists, and how many of them are in use."""

    path: Path
    models: int
    in_use: int


def write_catalogue(workspace: Workspace, domain: Domain, models: Sequence[Listed]) -> Catalogued:
    """Write the page anew from the registry."""
    from ticketintel_pipelines.learning.report_layout import Grid, Section, page

    rows, figures, about, in_use = [], [], [], 0
    with workspace.catalog() as catalog:
        for model in models:
            versions = model_registry.versions_of(catalog.connection, domain.name, model.name)
            champion = next((one for one in versions if "champion" in one.aliases), None)
            in_use += champion is not None
            shown = champion or (versions[0] if versions else None)
            words = outcome(workspace, domain, model.name) or "never trained"
            words = words.split(": ", 1)[1] if words.startswith("version ") else words
            trained = _day(last_training(workspace, domain, model.name))
            rows.append((model.title, *_version(champion), *_data(shown), trained, words))
            figures += [(model.title, *one) for one in _figures(shown)]
            report = f"{model.name}/{versions[0].version}/{PAGE}" if versions else "none yet"
            about.append((model.name, model.purpose, f"{domain.name}.{model.table}", report))
    learned = "What a version learned from is that of the one in use, or of the newest."
    judged = "On days that the version in use, or else the newest, had not seen."
    sections = [
        Section("Models", (learned,), (Grid(HEADER, rows),)),
        Section("What they are for", ("Reports lie beside this page.",), (Grid(ABOUT, about),)),
        Section("Figures", (judged,), (Grid(FIGURES, figures),)),
    ]
    verdict = (f"{in_use} of {len(models)} models are in use.",)
    target = evidence_folder(workspace, domain, "") / CATALOGUE_PAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(".unfinished")
    beside.write_text(page(f"Models of {domain.name}", "Every model of the domain.", verdict, sections))
    beside.replace(target)
    return Catalogued(target, len(models), in_use)


def _version(champion: model_registry.ModelVersion | None) -> tuple[str]:
    return ("none" if champion is None else champion.version[:12],)


def _data(shown: model_registry.ModelVersion | None) -> tuple[str, str]:
    if shown is None:
        return ("–", "–")
    data: Mapping[str, Any] = shown.manifest["data"]
    return (f"{data['first_day']} to {data['last_day']}", f"{data['rows']:,}")


def _figures(shown: model_registry.ModelVersion | None) -> list[tuple[str, str]]:
    metrics: Mapping[str, Any] = shown.manifest.get("metrics", {}) if shown else {}
    return [(name, model_registry.figure_in_words(one)) for name, one in sorted(metrics.items())]


def _day(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d}" if instant else "–"
