"""The commands around models: train, list, roll back, and work past scores out again. Each parses nothing, calls, prints."""

import shutil
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ticketintel_pipelines.errors import EXIT_RUN_FAILED, BadInputError
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from collections.abc import Collection

    from ticketintel_pipelines.contract import Domain
    from ticketintel_pipelines.stages.learning import Learning
    from ticketintel_pipelines.stages.score import Scoring
    from ticketintel_pipelines.stages.workspace import Workspace


def train_models(workspace: "Workspace", domain: "Domain", console: Console) -> int:
    """`ticketintel train`."""
    from ticketintel_pipelines.nights import train

    train(workspace, domain, console)
    return 0


def is_trained(workspace: "Workspace", domain: "Domain") -> bool:
    """Whether every model was trained, or could not be for a reason that was said."""
    from ticketintel_pipelines.stages.evidence import outcome

    return all(outcome(workspace, domain, name) for name in _titles(domain))


def list_models(workspace: "Workspace", domain: "Domain", console: Console) -> int:
    """`ticketintel models`."""
    from ticketintel_pipelines.stages.evidence import evidence_folder, outcome
    from ticketintel_pipelines.warehouse.model_registry import list_versions, versions_of

    with workspace.catalog() as catalog:
        for model, title in _titles(domain).items():
            console.say(f"{domain.name}.{model}: {title}")
            for line in list_versions(catalog.connection, domain.name, model):
                console.say(f"  {line}")
            versions = versions_of(catalog.connection, domain.name, model)
            if versions:
                console.say(f"  report: {evidence_folder(workspace, domain, model, versions[0].version) / 'report.html'}")
            else:
                console.say(f"  no version yet: {outcome(workspace, domain, model) or 'ticketintel train makes one'}")
    return 0


def roll_back_model(workspace: "Workspace", domain: "Domain", model: str, console: Console) -> int:
    """`ticketintel rollback`: refuses to go back to a version whose files are damaged."""
    from ticketintel_pipelines.learning.registry import Registry
    from ticketintel_pipelines.warehouse.model_registry import roll_back

    _require(model, _titles(domain), domain)
    registry = Registry(workspace.models, domain.name)
    with workspace.catalog() as catalog:
        started = time.perf_counter()
        version = roll_back(
            catalog.connection,
            domain.name,
            model,
            check=lambda back: registry.verify(model, back),
        )
    console.say(f"{domain.name}.{model}: version {version} scores again ({time.perf_counter() - started:.2f} s)")
    return 0


def rescore(workspace: "Workspace", domain: "Domain", model: str, day: date, console: Console) -> int:
    """`ticketintel rescore`: work a day's scores out again from the manifests and compare them bit for bit."""
    from ticketintel_pipelines.stages.rescore import rescore_day

    learning, scoring = _of_name(domain, model)
    found = rescore_day(workspace, learning, scoring, day)
    if not found.rows:
        console.say(f"{day}: {model} scored nothing on this day")
        return 0
    console.say(
        f"{day}: {found.rows:,} scores, {found.equal:,} equal bit for bit, {found.changed:,} whose features have changed since "
        f"and {found.different:,} that differ"
    )
    return EXIT_RUN_FAILED if found.different else 0


def keep_truth(workspace: "Workspace", domain: "Domain", folder: Path, console: Console) -> None:
    """Keep the truth of a simulated world for the reports, which then state ceilings; nothing that scores reads it."""
    truth = folder / "truth"
    if not truth.is_dir():
        return
    kept = workspace.truth(domain)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(truth, kept)
    console.say("simulated world: its truth is kept for the reports on models")


def _titles(domain: "Domain") -> dict[str, str]:
    """The models of a domain by name."""
    from ticketintel_pipelines.ticketing.models.learning import LEARNINGS, WINDOW_LEARNINGS

    titles = {one.model.name: one.model.title for one, _ in LEARNINGS if one.domain.name == domain.name}
    return titles | {one.model.name: one.model.title for one in WINDOW_LEARNINGS if one.domain.name == domain.name}


def _of_name(domain: "Domain", model: str) -> "tuple[Learning, Scoring]":
    from ticketintel_pipelines.ticketing.models.learning import LEARNINGS

    pairs = {pair[0].model.name: pair for pair in LEARNINGS if pair[0].domain.name == domain.name}
    _require(model, pairs, domain)
    return pairs[model]


def _require(model: str, known: "Collection[str]", domain: "Domain") -> None:
    if model not in known:
        raise BadInputError(f"{domain.name} has no model {model} for this; it has {', '.join(known) or 'none'}")
