"""Feature: what was seen becomes features by folding it in order of time, day by day, on top of the states of the day before.

A day is worked out again when the content that it is made of has changed. With folds all later days follow, since they stand on
its states; those whose rows come out the same are left as they are.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.features.carried import CarriedStates
from ticketintel_pipelines.features.families import Family
from ticketintel_pipelines.features.folds import stored_states
from ticketintel_pipelines.lake.layout import DayRange, Lake, contiguous_ranges
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE, answer, by_day, formula, hashes_by_day, read_table
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.feature_days import UNFINISHED, FeatureDay, FeatureDays, inputs_by_day
from ticketintel_pipelines.warehouse.frozen import first_workable

LONGEST_PIECE_DAYS = 366
"""Where days have few rows. A late row has those of its piece folded again, which are never more than the settings allow."""

CHECKPOINTS_BEFORE_LAST = (1, 2, 4, 8, 16, 32)
"""So many days before the last one states are kept too: a late row has at most about twice the days folded that follow it."""

STATES_CARRIED = 3_000_000
"""From so many in memory on they are written to disk, a few hundred megabytes: of a key that is met again and again, once."""


@dataclass
class FamilyReport:
    """What bringing a family up to date came to: `worked_out` were computed, `changed` of them have other rows than before."""

    family: Family
    days: DayRange
    worked_out: list[date] = field(default_factory=list)
    changed: list[date] = field(default_factory=list)
    rows_by_day: dict[date, int] = field(default_factory=dict)
    rows_asking_by_day: dict[date, int] = field(default_factory=dict)


def bring_family_up_to_date(
    workspace: Workspace,
    domain: Domain,
    family: Family,
    days: DayRange,
    *,
    run_id: str,
    progress: Callable[[str], None] = lambda message: None,
) -> FamilyReport:
    """Work out what is stale of a family up to the last of some days, and what was worked out before and follows from it."""
    report = FamilyReport(family, days)
    with workspace.catalog() as catalog:
        catalog.lock_table(domain.name, f"{FEATURE_STAGE}/{family.name}")
        records = FeatureDays(catalog.connection, domain.name)
        inputs = {name: records.of(name) for name in family.reads}
        known = records.of(family.name)
        checkpoint_before = workspace.states(domain, family.name).checkpoint_before
        stale = _workable(records, family, _stale_days(family, inputs, known, days), inputs, known, checkpoint_before)
        if stale:
            if family.folds:
                records.unfinish_from(family.name, stale[0])
            work = _Work(workspace, domain, family, inputs, known, records, run_id, report, set(stale))
            for piece in _pieces(workspace, domain, family, inputs, stale, _first_held(records, family)):
                work.work_out(piece)
                progress(f"{family.name}: {piece} done")
            work.commit()
        recorded = records.of(family.name)
    for day in days.days:
        report.rows_by_day[day] = recorded[day].rows if day in recorded else 0
        asking = inputs[family.asked_by].get(day)
        report.rows_asking_by_day[day] = asking.rows if asking else 0
    return report


def first_stale_days(records: FeatureDays, family: Family, days: DayRange) -> list[date]:
    """Days for which the family has to be asked so that all that is stale up to the last of some days is worked out."""
    inputs = {name: records.of(name) for name in family.reads}
    stale = _held(records, family, _stale_days(family, inputs, records.of(family.name), days))
    return stale[:1] if family.folds else stale


def _stale_days(
    family: Family, inputs: Mapping[str, Mapping[date, FeatureDay]], known: Mapping[date, FeatureDay], days: DayRange
) -> list[date]:
    """The days to work out, in order; none before the first row that asks, which has what came before it folded then."""
    if not known and not any(figures.rows for figures in inputs[family.asked_by].values()):
        return []
    seen = [day for recorded in inputs.values() for day, figures in recorded.items() if figures.rows]
    if not seen:
        return []
    reach = DayRange(min(seen), max([days.last, *known]))
    hashes = _inputs_hashes(family, inputs, reach)
    stale = [day for day in reach.days if day not in known or known[day].inputs_hash != hashes[day]]
    if not stale or not family.folds:
        return stale
    return DayRange(stale[0], reach.last).days


def _first_held(records: FeatureDays, family: Family) -> date | None:
    """The first day of which retention has left everything that the family reads; None where it took nothing."""
    names = [f"{FEATURE_STAGE}/{name}" for name in family.reads]
    return first_workable(records.retained_from(), f"{FEATURE_STAGE}/{family.name}", names, family.looks_back_days)


def _held(records: FeatureDays, family: Family, stale: list[date]) -> list[date]:
    """Those of some days that are not frozen."""
    first = _first_held(records, family)
    return [day for day in stale if first is None or day >= first]


def _workable(
    records: FeatureDays,
    family: Family,
    stale: list[date],
    inputs: Mapping[str, Mapping[date, FeatureDay]],
    known: Mapping[date, FeatureDay],
    checkpoint_before: Callable[[date], date | None],
) -> list[date]:
    """Those of the stale days that can be worked out from what retention has left.

    Folds begin after a checkpoint. Where days between it and the first stale one are gone, the days up to the next checkpoint
    stay as they are, and count as worked out from what there is.
    """
    first = _first_held(records, family)
    held = _held(records, family, stale)
    if first is None or not family.folds or not held:
        return held
    earliest = min((day for days in inputs.values() for day in days), default=held[0])
    begins = ((day, checkpoint_before(day)) for day in held)
    start = next((day for day, before in begins if (before + timedelta(days=1) if before else earliest) >= first), None)
    if start is None:
        # No checkpoint is left to begin at: days that were never worked out go on from what there is.
        start = next((day for day in held if day not in known), None)
    left = [day for day in held if day in known and (start is None or day < start)]
    if left:
        hashes = _inputs_hashes(family, inputs, DayRange(left[0], left[-1]))
        records.record(family.name, {day: replace(known[day], inputs_hash=hashes[day]) for day in left}, "")
        records.connection.commit()
    return [] if start is None else [day for day in held if day >= start]


def _inputs_hashes(family: Family, inputs: Mapping[str, Mapping[date, FeatureDay]], days: DayRange) -> dict[date, str]:
    contents = {name: {day: row.content_hash for day, row in recorded.items() if row.rows} for name, recorded in inputs.items()}
    hashes = inputs_by_day(contents, days, family.looks_back_days)
    # Another formula or fold makes other features of the same rows.
    definition = hashlib.sha256(f"{family.folds}{family.graph}{family.formula.read_text()}".encode()).hexdigest()[:16]
    return {day: f"{definition}{content}" for day, content in hashes.items()}


def _pieces(
    workspace: Workspace,
    domain: Domain,
    family: Family,
    inputs: Mapping[str, Mapping[date, FeatureDay]],
    stale: list[date],
    first_held: date | None,
) -> Iterator[DayRange]:
    """Runs of days with no more rows than the settings allow.

    With folds they begin on the day after the last checkpoint, or where there is none with the first day that is held, and none
    goes beyond a day whose states are to be kept.
    """
    ends: set[date] = set()
    if family.folds:
        ends = _checkpoints_up_to(stale[-1])
        checkpoint = workspace.states(domain, family.name).checkpoint_before(stale[0])
        first = checkpoint + timedelta(days=1) if checkpoint else min(day for days in inputs.values() for day in days)
        if first_held is not None:
            first = max(first, first_held)
        stale = DayRange(min(first, stale[0]), stale[-1]).days
    piece: list[date] = []
    rows = 0
    for day in stale:
        more = sum(recorded[day].rows for recorded in inputs.values() if day in recorded)
        apart = piece and day - piece[-1] > timedelta(days=1)
        full = len(piece) == LONGEST_PIECE_DAYS or rows + more > workspace.settings.chunk_rows
        if piece and (apart or full or piece[-1] in ends):
            yield DayRange(piece[0], piece[-1])
            piece, rows = [], 0
        piece.append(day)
        rows += more
    yield DayRange(piece[0], piece[-1])


def _checkpoints_up_to(last: date) -> set[date]:
    """The days at whose end states are committed when days up to some last one are worked out."""
    return {last - timedelta(days=days) for days in (0, *CHECKPOINTS_BEFORE_LAST)}


@dataclass
class _Work:
    """The pieces of one family, in order of days. States are carried along in memory and committed from time to time.

    A piece's partitions come first, then the states, then the record. Killed in between, it is still stale and is done again.
    Days before the stale ones are folded for their states; their rows stay, which may know of days that are no longer held.
    """

    workspace: Workspace
    domain: Domain
    family: Family
    inputs: Mapping[str, Mapping[date, FeatureDay]]
    known: Mapping[date, FeatureDay]
    records: FeatureDays
    run_id: str
    report: FamilyReport
    stale: set[date]
    _after: date | None = None
    """The checkpoint that the carried states stand on."""
    _carried: CarriedStates | None = None
    _figures: dict[date, FeatureDay] = field(default_factory=dict)

    def work_out(self, piece: DayRange) -> None:
        family, lake = self.family, self.workspace.lake(self.domain)
        if self._carried is None:
            store = self.workspace.states(self.domain, family.name)
            self._after = store.checkpoint_before(piece.first)
            self._carried = CarriedStates(store.reader(self._after))
        answered = answer(lake, family, piece, self._carried.read, self.workspace.settings.engine)
        table = None
        if answered.asked is not None:
            joined = {name: found for name in family.joins if (found := read_table(lake, name, piece.days)) is not None}
            with self.workspace.engine() as engine:
                table = formula(engine, family, answered.asked, joined)
        self._replace(lake, piece, table)
        for fold, states in answered.states.items():
            self._carried.keep(fold, states)
        if not family.folds or len(self._carried) >= STATES_CARRIED or piece.last in _checkpoints_up_to(max(self.stale)):
            self.commit()

    def _replace(self, lake: Lake, piece: DayRange, table: pa.Table | None) -> None:
        """Put the rows of days that changed into the lake."""
        hashes = _inputs_hashes(self.family, self.inputs, piece)
        rows, contents = by_day(table, piece), hashes_by_day(table, piece)
        figures = {
            day: FeatureDay(len(rows[day]), contents[day], hashes[day]) if day in rows else FeatureDay(0, "", hashes[day])
            for day in piece.days
            if day in self.stale
        }
        changed = [day for day, of_day in figures.items() if self._differs(day, of_day)]
        with scratch_folder(lake) as scratch:
            parts = {day: scratch / f"{day}.parquet" for day in changed if day in rows}
            for day, part in parts.items():
                pq.write_table(rows[day], part, compression="zstd")
            for together in contiguous_ranges(changed):
                swap_in(lake, FEATURE_STAGE, self.family.name, together, parts)
        self._figures |= figures
        self.report.worked_out += piece.days
        self.report.changed += changed

    def _differs(self, day: date, figures: FeatureDay) -> bool:
        before = self.known.get(day)
        # Of a day that was being worked out when a run died nobody knows which rows it has.
        return before is None or before.inputs_hash == UNFINISHED or before.content_hash != figures.content_hash

    def commit(self) -> None:
        """Make what was worked out since the last time a checkpoint, and remember its days."""
        if not self._figures:
            return
        if self.family.folds and self._carried is not None:
            store = self.workspace.states(self.domain, self.family.name)
            store.commit(max(self._figures), stored_states(self.family.folds, self._carried.states()), self._after)
        self.records.record(self.family.name, self._figures, self.run_id)
        self.records.connection.commit()
        self._carried, self._figures = None, {}
