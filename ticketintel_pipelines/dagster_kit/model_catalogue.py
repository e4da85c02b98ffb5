"""The asset of the page that lists every model of a domain."""

from collections.abc import Sequence

import dagster as dg

from ticketintel_pipelines.catalog import OWNERS, asset_key, stage_tags
from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.stages.model_catalogue import Listed, write_catalogue
from ticketintel_pipelines.stages.workspace import Workspace


def catalogue_asset(domain: Domain, models: Sequence[Listed]) -> dg.AssetsDefinition:
    """The catalogue, written once every report is."""

    @dg.asset(
        key=asset_key(domain, "report", "catalogue"),
        deps=[asset_key(domain, "report", model.name) for model in models],
        description="Every model: the version in use, what it learned from, its figures with intervals, and when it was last "
        "trained, as one HTML page.",
        group_name=domain.name,
        owners=OWNERS["report"],
        tags=stage_tags("report"),
        kinds={"html"},
    )
    def catalogue(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        found = write_catalogue(workspace, domain, models)
        return dg.MaterializeResult(
            metadata={"page": dg.MetadataValue.path(str(found.path)), "models": found.models, "in_use": found.in_use}
        )

    return catalogue
