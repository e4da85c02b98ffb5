"""View: what analysts read, refreshed when what it reads has changed."""

import hashlib

from ticketintel_pipelines.contract import Domain, Source
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


def state_of(workspace: Workspace, domain: Domain) -> str:
    """A short text that changes whenever anything is published or scored that a view reads."""
    with workspace.catalog() as catalog:
        states = [_state(catalog, domain, view) for view in views_of(domain)]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


def _state(catalog: Catalog, domain: Domain, view: View) -> str:
    """A text that changes whenever anything is published or scored that the view reads."""
    scored = [domain.by_name[name] for name in view.reads if domain.by_name[name].source is Source.MODEL]
    return "/".join([catalog.state(domain.name, view.reads), *(catalog.scored_state(domain, table) for table in scored)])
