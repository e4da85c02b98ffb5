"""What is kept under the reports of a home: what each version was judged by, and what came of the last training."""

from datetime import UTC, datetime
from pathlib import Path

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.stages.workspace import Workspace

OUTCOME_FILE = "outcome.txt"


def evidence_folder(workspace: Workspace, domain: Domain, model: str, version: str = "") -> Path:
    """Of a version, where its tests, its evaluation and its report are kept; without one, of the model."""
    return workspace.reports / domain.name / model / version


def keep_outcome(workspace: Workspace, domain: Domain, model: str, version: str | None, words: str) -> None:
    """Keep what came of a training, for those who ask before the next one."""
    kept = evidence_folder(workspace, domain, model) / OUTCOME_FILE
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(f"version {version}: {words}" if version else words)


def outcome(workspace: Workspace, domain: Domain, model: str) -> str | None:
    """What came of the last training, in a sentence; None before the first."""
    kept = evidence_folder(workspace, domain, model) / OUTCOME_FILE
    return kept.read_text() if kept.exists() else None


def last_training(workspace: Workspace, domain: Domain, model: str) -> datetime | None:
    """When the last training ended, whatever came of it; None before the first."""
    kept = evidence_folder(workspace, domain, model) / OUTCOME_FILE
    return datetime.fromtimestamp(kept.stat().st_mtime, UTC) if kept.exists() else None
