"""The jobs, selected by stage: what is added to a stage is part of its job."""

from typing import TYPE_CHECKING

import dagster as dg

from ticketintel_pipelines.catalog import LIVE_TAGS, RHYTHM_TAG, asset_key
from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.features.families import Rhythm

if TYPE_CHECKING:
    # Dagster exports the function that makes one, but not its type.
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

ETL_STAGES = ("extract", "validate", "feature", "score", "view")
TRAINING_STAGES = ("model", "report")


def stages_of(domain: Domain, *stages: str) -> dg.AssetSelection:
    """All assets of some stages of a domain."""
    selection = dg.AssetSelection.tag("stage", stages[0])
    for stage in stages[1:]:
        selection = selection | dg.AssetSelection.tag("stage", stage)
    return selection & dg.AssetSelection.groups(domain.name)


def etl_job_name(domain: Domain) -> str:
    return f"{domain.name}_etl"


def refresh_job_name(domain: Domain) -> str:
    return f"{domain.name}_refresh_views"


def hourly_features_job_name(domain: Domain) -> str:
    return f"{domain.name}_hourly_features"


def training_job_name(domain: Domain) -> str:
    return f"{domain.name}_train_all"


def increment_job_name(domain: Domain) -> str:
    return f"{domain.name}_increment"


def archive_job_name(domain: Domain) -> str:
    return f"{domain.name}_archive"


def purge_job_name(domain: Domain) -> str:
    return f"{domain.name}_purge"


def etl_job(domain: Domain, partitions: dg.PartitionsDefinition) -> "UnresolvedAssetJobDefinition":
    """Take what is new from the live sources; extract, validate and publish some days; features; scores; then the views."""
    return dg.define_asset_job(
        etl_job_name(domain),
        selection=stages_of(domain, *ETL_STAGES),
        description=f"Extract, validate and publish days of {domain.name}, work out features, score them, refresh the views.",
        partitions_def=partitions,
        tags={"domain": domain.name},
    )


def training_job(domain: Domain) -> "UnresolvedAssetJobDefinition":
    """Train every model of a domain on what is known by now, and write their reports."""
    return dg.define_asset_job(
        training_job_name(domain),
        selection=stages_of(domain, *TRAINING_STAGES),
        description=f"Train, test and judge the models of {domain.name}; promote those that beat their champion.",
        tags={"domain": domain.name},
    )


def increment_job(domain: Domain) -> "UnresolvedAssetJobDefinition":
    """Take what the live sources of a domain have that was not taken yet."""
    (tag,) = LIVE_TAGS.items()
    return dg.define_asset_job(
        increment_job_name(domain),
        selection=dg.AssetSelection.tag(*tag) & dg.AssetSelection.groups(domain.name),
        description=f"Land what the chain and the platform have of {domain.name} that was not landed yet.",
        tags={"domain": domain.name},
    )


def hourly_features_job(domain: Domain, partitions: dg.PartitionsDefinition) -> "UnresolvedAssetJobDefinition":
    """Bring the hourly feature families, and what they are made of, up to date with what was published."""
    hourly = dg.AssetSelection.tag(RHYTHM_TAG, Rhythm.HOURLY.value) & dg.AssetSelection.groups(domain.name)
    return dg.define_asset_job(
        hourly_features_job_name(domain),
        selection=hourly.upstream() & stages_of(domain, "feature"),
        description=f"Work out the hourly features of the running day of {domain.name} from last night's states.",
        partitions_def=partitions,
        tags={"domain": domain.name},
    )


def archive_job(domain: Domain) -> "UnresolvedAssetJobDefinition":
    """Archive what is past its time in Postgres, and report."""
    return dg.define_asset_job(
        archive_job_name(domain),
        selection=_retention(domain, "archive", "report"),
        description=f"Keep months of {domain.name} that are past their time in Postgres as files. A dry run by default.",
        tags={"domain": domain.name},
    )


def purge_job(domain: Domain) -> "UnresolvedAssetJobDefinition":
    """Take out what is past its time, and report."""
    return dg.define_asset_job(
        purge_job_name(domain),
        selection=_retention(domain, "purge", "report"),
        description=f"Drop and delete what is past its time in {domain.name}. A dry run by default.",
        tags={"domain": domain.name},
    )


def _retention(domain: Domain, *names: str) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(asset_key(domain, "retention", name) for name in names))


def refresh_job(domain: Domain) -> "UnresolvedAssetJobDefinition":
    """Refresh the views of a domain."""
    return dg.define_asset_job(
        refresh_job_name(domain),
        selection=stages_of(domain, "view"),
        description=f"Refresh the views of {domain.name} that read something new.",
        tags={"domain": domain.name},
    )
