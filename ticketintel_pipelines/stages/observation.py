"""Observe: what the validated tables tell, as rows in order of the instant from which on each was known."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.lake.layout import DayRange, contiguous_ranges
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.feature_days import FeatureDay, FeatureDays, inputs_by_day
from ticketintel_pipelines.warehouse.frozen import first_workable


@dataclass(frozen=True)
class Observed:
    """One day of an observation in the lake: its rows, and a hash of them."""

    rows: int
    content_hash: str


@dataclass(frozen=True)
class Observing:
    """How an observation is made: `work_out` puts the rows seen on some days into the lake, `reads` names the published tables
    and `observes` the other observations whose days from `looks_back_days` before on decide whether a day is stale, as does
    `definition`, the text that says what the rows are, and of the tables in `sees_late` any day that has rows which became
    known on the day. A day is frozen once retention took away what is read of the `joins_days` before it.
    """

    name: str
    reads: tuple[str, ...]
    work_out: Callable[[Workspace, DayRange], dict[date, Observed]]
    observes: tuple[str, ...] = ()
    looks_back_days: int = 0
    definition: str = ""
    joins_days: int = 0
    sees_late: tuple[str, ...] = ()


@dataclass
class ObservationReport:
    """What bringing an observation up to date came to."""

    worked_out: list[date] = field(default_factory=list)
    changed: list[date] = field(default_factory=list)
    rows_by_day: dict[date, int] = field(default_factory=dict)


def bring_observation_up_to_date(
    workspace: Workspace, domain: Domain, observing: Observing, days: DayRange, *, run_id: str
) -> ObservationReport:
    """Work out the days up to the last of some days whose inputs have changed."""
    report = ObservationReport()
    with workspace.catalog() as catalog:
        catalog.lock_table(domain.name, f"{FEATURE_STAGE}/{observing.name}")
        records = FeatureDays(catalog.connection, domain.name)
        known = records.of(observing.name)
        hashes = _inputs(records, observing, days, known)
        for together in contiguous_ranges(_workable(records, observing, _outdated(hashes, known))):
            observed = observing.work_out(workspace, together)
            figures = {}
            for day in together.days:
                found = observed.get(day, Observed(0, ""))
                figures[day] = FeatureDay(found.rows, found.content_hash, hashes[day])
                if day not in known or known[day].content_hash != found.content_hash:
                    report.changed.append(day)
            records.record(observing.name, figures, run_id)
            catalog.connection.commit()
            report.worked_out += together.days
        recorded = records.of(observing.name)
    report.rows_by_day = {day: recorded[day].rows if day in recorded else 0 for day in days.days}
    return report


def stale_observation_days(records: FeatureDays, observing: Observing, days: DayRange) -> list[date]:
    """The days up to the last of some days that are to be worked out."""
    known = records.of(observing.name)
    return _workable(records, observing, _outdated(_inputs(records, observing, days, known), known))


def _workable(records: FeatureDays, observing: Observing, days: list[date]) -> list[date]:
    """Those of some days that are not frozen: what was seen of the others stays as it is."""
    made_of = [*observing.reads, *(f"{FEATURE_STAGE}/{name}" for name in observing.observes)]
    own = f"{FEATURE_STAGE}/{observing.name}"
    first = first_workable(records.retained_from(), own, made_of, observing.joins_days)
    return [day for day in days if first is None or day >= first]


def _outdated(hashes: dict[date, str], known: dict[date, FeatureDay]) -> list[date]:
    return [day for day in hashes if day not in known or known[day].inputs_hash != hashes[day]]


def _inputs(records: FeatureDays, observing: Observing, days: DayRange, known: dict[date, FeatureDay]) -> dict[date, str]:
    # In the order of the declaration: that of the records is up to the database, and the hashes follow the order.
    inputs: dict[str, dict[date, str]] = {table: {} for table in observing.reads}
    for day, contents in records.published(observing.reads).items():
        for table, content in contents.items():
            inputs[table][day] = content
    for name in observing.observes:
        inputs[name] = {day: row.content_hash for day, row in records.of(name).items() if row.rows}
    seen = [day for contents in inputs.values() for day in contents]
    if not seen:
        return {}
    reach = DayRange(min(seen), max([days.last, *known]))
    definition = hashlib.sha256(observing.definition.encode()).hexdigest()[:16]
    hashes = inputs_by_day(inputs, reach, observing.looks_back_days, records.late(observing.sees_late))
    return {day: f"{definition}{content}" for day, content in hashes.items()}
