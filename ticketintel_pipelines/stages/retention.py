"""Retention of one domain as a workspace has it."""

import getpass
import os

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.retention.policy import read_policy
from ticketintel_pipelines.retention.room import Room
from ticketintel_pipelines.stages.workspace import Workspace


def retention_room(workspace: Workspace, domain: Domain, *, actor: str | None = None, run_id: str = "") -> Room:
    """What retention works with; `actor` is who asks for it, without one the user of this process.

    Raises:
        BadInputError: the file of periods cannot be read.
    """
    settings = workspace.settings
    return Room(
        dsn=workspace.server.dsn,
        archive=settings.archive_root,
        domain=domain,
        policy=read_policy(settings.retention_settings),
        actor=actor or _user(),
        run_id=run_id,
        memory_limit=settings.memory_limit,
        progress=workspace.progress,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"user {os.getuid()}"
