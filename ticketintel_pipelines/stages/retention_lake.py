"""The lake of one domain as retention sees it: which tables lie in which stage, and how long they are kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ticketintel_pipelines.contract import Domain, RetentionClass, Source, Table
from ticketintel_pipelines.intake.landing import RAW_STAGE
from ticketintel_pipelines.retention.lake import purge_lake
from ticketintel_pipelines.retention.lake_plan import LakeAct, Shelf, plan_lake
from ticketintel_pipelines.retention.outcome import Report
from ticketintel_pipelines.retention.room import DEFAULT_BOUNDS, Bounds, Room
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.score import SCORE_STAGE
from ticketintel_pipelines.stages.validate import EXTRACT_STAGE, HISTORY_STAGE, VALIDATE_STAGE
from ticketintel_pipelines.stages.workspace import Workspace


@dataclass(frozen=True)
class Kept:
    """How long a table of the stage `feature` is kept, and the tables that its rows are made of."""

    retention: RetentionClass
    made_of: tuple[str, ...]


def lake_shelves(domain: Domain, features: Mapping[str, Kept]) -> list[Shelf]:
    """Every table of every stage of a domain's lake; `features` names those of the stage `feature`."""
    shelves = [shelf for table in domain.tables for shelf in _shelves_of(domain, table)]
    for name, kept in features.items():
        stored = f"{FEATURE_STAGE}/{name}"
        made_of = tuple(domain.by_name[one] for one in kept.made_of)
        writers = (f"publish {domain.name}.{stored}",)
        shelves.append(Shelf(FEATURE_STAGE, name, kept.retention, stored, writers, made_of=made_of))
    return shelves


def purge_lake_of(
    workspace: Workspace,
    domain: Domain,
    room: Room,
    features: Mapping[str, Kept],
    today: date,
    *,
    bounds: Bounds = DEFAULT_BOUNDS,
    dry_run: bool = True,
) -> Report[LakeAct]:
    """Plan the purge of a domain's lake and carry it out; in a dry run, which is the default, only plan it.

    Raises:
        BusyError: another run has the domain.
    """
    lake = workspace.lake(domain)
    return purge_lake(room, lake, plan_lake(room, lake, lake_shelves(domain, features), today), bounds=bounds, dry_run=dry_run)


def _shelves_of(domain: Domain, table: Table) -> Iterator[Shelf]:
    publishing, scoring = f"publish {domain.name}.{table.name}", f"publish {domain.name}.{SCORE_STAGE}/{table.name}"
    match table.source:
        case Source.FEATURE:
            # Its rows lie in the stage `feature`, where those are that have no table.
            return
        case Source.MODEL:
            stages: Sequence[str] = (SCORE_STAGE,)
        case Source.DERIVED:
            stages = (EXTRACT_STAGE, VALIDATE_STAGE, HISTORY_STAGE)
        case _:
            stages = (RAW_STAGE, EXTRACT_STAGE, VALIDATE_STAGE, HISTORY_STAGE)
    for stage in stages:
        yield Shelf(
            stage,
            table.name,
            table.retention,
            table.name,
            (scoring if stage == SCORE_STAGE else publishing,),
            table,
            is_raw=stage == RAW_STAGE,
            # Older versions of rows are not in Postgres, and not in the archive.
            in_archive=table.published and stage != HISTORY_STAGE,
        )
