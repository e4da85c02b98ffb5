"""The traces that a deployment leaves, as retention finds them."""

from ticketintel_pipelines.retention.dagster_traces import DagsterRuns
from ticketintel_pipelines.retention.log_files import LogFiles
from ticketintel_pipelines.retention.model_files import ModelFiles
from ticketintel_pipelines.retention.quarantine import Quarantine
from ticketintel_pipelines.retention.traces import Traces
from ticketintel_pipelines.stages.workspace import Workspace


def traces_of(workspace: Workspace) -> list[Traces]:
    """Rows in quarantine, models that nobody uses, logs of steps, records of runs."""
    dagster = workspace.server.dagster.set(drivername="postgresql").render_as_string(hide_password=False)
    return [
        Quarantine(),
        ModelFiles((workspace.models, workspace.reports)),
        LogFiles(workspace.settings.compute_logs),
        DagsterRuns(dagster),
    ]
