"""View: what analysts read, refreshed when what it reads has changed."""

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.catalog import Catalog
from ticketintel_pipelines.warehouse.migrations import SQL_FOLDER
from ticketintel_pipelines.warehouse.roles import ANALYST
from ticketintel_pipelines.warehouse.views import Refresh, View, is_current, read_views, refresh_view


def views_of(domain: Domain) -> list[View]:
    """The views of a domain, one SQL file each."""
    return read_views(domain.name, SQL_FOLDER / domain.name / "views")


def bring_up_to_date(workspace: Workspace, domain: Domain, view: View) -> Refresh:
    with workspace.catalog() as catalog:
        return refresh_view(catalog.connection, view, _state(catalog, domain, view), ANALYST)


def outdated_views(workspace: Workspace, domain: Domain) -> list[View]:
    """The views that a refresh would change."""
    with workspace.catalog() as catalog:
        return [view for view in views_of(domain) if not is_current(catalog.connection, view, _state(catalog, domain, view))]


def _state(catalog: Catalog, domain: Domain, view: View) -> str:
    return catalog.state(domain.name, view.reads)
