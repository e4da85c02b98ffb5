"""The commands around models: `ticketintel train`, `models`, `rollback` and `rescore`."""

import argparse
import time
from datetime import date
from typing import TYPE_CHECKING

from ticketintel_pipelines.commands.command import Commands, add_command, add_domain, open_workspace
from ticketintel_pipelines.errors import EXIT_RUN_FAILED, BadInputError
from ticketintel_pipelines.progress import Console

if TYPE_CHECKING:
    from collections.abc import Collection

    from ticketintel_pipelines.contract import Domain
    from ticketintel_pipelines.stages.learning import Learning
    from ticketintel_pipelines.stages.score import Scoring
    from ticketintel_pipelines.stages.workspace import Workspace


def declare_models(commands: Commands) -> None:
    train = add_command(
        commands, "train", _train, "train the models on what is known by now; the better one scores", "ticketintel train"
    )
    add_domain(train)
    models = add_command(
        commands, "models", _models, "list the versions of each model, which one scores, and why", "ticketintel models"
    )
    add_domain(models)
    rollback = add_command(
        commands, "rollback", _rollback, "let the model's previous version score again", "ticketintel rollback fraud"
    )
    add_domain(rollback)
    rollback.add_argument("model")
    again = add_command(
        commands,
        "rescore",
        _rescore,
        "work a day's scores out again and compare them bit for bit",
        "ticketintel rescore fraud --day 2026-01-25",
    )
    add_domain(again)
    again.add_argument("model")
    again.add_argument("--day", type=date.fromisoformat, required=True)


def is_trained(workspace: "Workspace", domain: "Domain") -> bool:
    """Whether every model was trained, or could not be for a reason that was said."""
    from ticketintel_pipelines.stages.evidence import outcome

    return all(outcome(workspace, domain, name) for name in _titles(domain))


def _train(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.nights import train

    console = Console()
    train(*open_workspace(console), console)
    return 0


def _models(options: argparse.Namespace) -> int:
    from ticketintel_pipelines.stages.evidence import evidence_folder, outcome
    from ticketintel_pipelines.warehouse.model_registry import list_versions, versions_of

    console = Console()
    workspace, domain = open_workspace(console)
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


def _rollback(options: argparse.Namespace) -> int:
    """Refuses to go back to a version whose files are damaged."""
    from ticketintel_pipelines.learning.registry import Registry
    from ticketintel_pipelines.warehouse.model_registry import roll_back

    console, model = Console(), options.model
    workspace, domain = open_workspace(console)
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


def _rescore(options: argparse.Namespace) -> int:
    """Work a day's scores out again from the manifests and compare them bit for bit."""
    from ticketintel_pipelines.stages.rescore import rescore_day

    console, model, day = Console(), options.model, options.day
    workspace, domain = open_workspace(console)
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
