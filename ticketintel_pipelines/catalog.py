"""The names of the pipeline: domains, stages, asset keys, owners and tags. Jobs and schedules select by these."""

from dagster import AssetKey

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.ticketing.tables import TICKETING

DOMAINS: tuple[Domain, ...] = (TICKETING,)

STAGES = ("extract", "validate", "feature", "model", "report", "score", "view", "retention")

OWNERS = {
    "extract": ["team:data-engineering"],
    "validate": ["team:data-engineering"],
    "feature": ["team:machine-learning"],
    "model": ["team:machine-learning"],
    "report": ["team:machine-learning"],
    "score": ["team:machine-learning"],
    "view": ["team:analytics"],
    "retention": ["team:compliance"],
}


LIVE_TAGS = {"source": "live"}
"""Of the assets that take rows from where they arise, beside the tag of their stage."""


RHYTHM_TAG = "rhythm"
"""How often a feature family is brought up to date: hourly or daily."""


def asset_key(domain: Domain, stage: str, name: str) -> AssetKey:
    """`<domain>/<stage>/<name>`."""
    if stage not in STAGES:
        raise ValueError(f"{stage} is no stage; one of {', '.join(STAGES)}")
    return AssetKey([domain.name, stage, name])


def stage_tags(stage: str) -> dict[str, str]:
    return {"stage": stage}
