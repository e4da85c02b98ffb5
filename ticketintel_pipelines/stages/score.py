"""Score: the champion's probability and decision for each row of a day's features, in the lake and in Postgres.

A row keeps the score it was given: a day is scored again only when its features have changed, and then only those rows whose
own features did. Days that lie within what the champion has learned from are left alone: a score of them would be hindsight.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg import sql

from ticketintel_pipelines.contract import Column, Domain, Table
from ticketintel_pipelines.lake.layout import DayRange, Lake
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.examples import Features, Integers
from ticketintel_pipelines.learning.matrix import matrix, row_hashes
from ticketintel_pipelines.learning.trained import Trained
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE, content_hash
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.warehouse.feature_days import FeatureDay, FeatureDays
from ticketintel_pipelines.warehouse.loading import load_parts

SCORE_STAGE = "score"
FEATURES_HASH = "features_hash"
TOP_FEATURES = "top_features"
REASONS = 3


@dataclass(frozen=True)
class Scoring:
    """What is scored: rows of a domain's feature table, by a model, into a table.

    The table has a key and `occurred_at`, which are columns of the feature table, and of what scoring gives those columns that
    it declares: score and decision under their names here, `confidence`, `top_features`, `scored_at`, `model_version`.
    """

    domain: Domain
    model: Model
    features: str
    table: Table
    score: str
    decision: str = "decision"

    @property
    def key(self) -> str:
        (key,) = self.table.key
        return key


@dataclass(frozen=True)
class Champion:
    """The model that scores: its version, the model itself, and the last day it has learned from."""

    version: str
    trained: Trained
    last_day: date


@dataclass
class ScoreReport:
    """What scoring some days came to."""

    champion: str | None
    scored: dict[date, int] = field(default_factory=dict)
    kept: int = 0
    learned_from: list[date] = field(default_factory=list)
    rows_by_day: dict[date, int] = field(default_factory=dict)
    decisions: Counter[str] = field(default_factory=Counter)


def score_days(
    workspace: Workspace,
    scoring: Scoring,
    champion: Champion | None,
    days: DayRange,
    *,
    run_id: str,
    now: datetime | None = None,
) -> ScoreReport:
    """Score what has no score among some days, and whatever was scored before and has other features now.

    A late row changes features of later days too, which nobody may have asked for.
    """
    report = ScoreReport(champion.version if champion else None)
    now = now or datetime.now(UTC)
    with workspace.catalog() as catalog:
        catalog.lock_table(scoring.domain.name, f"{SCORE_STAGE}/{scoring.table.name}")
        records = FeatureDays(catalog.connection, scoring.domain.name)
        described, known = records.of(scoring.features), records.of(scoring.table.name)
        changed = {day for day, was in known.items() if day in described and was.inputs_hash != described[day].content_hash}
        frozen_before = records.retained_from().get(scoring.table.name, date.min)
        for day in sorted(day for day in {*days.days, *changed} if day >= frozen_before):
            inputs = described.get(day)
            if champion is None or inputs is None or (day in known and known[day].inputs_hash == inputs.content_hash):
                continue
            if day not in known and not inputs.rows:
                continue
            if day not in known and day <= champion.last_day:
                report.learned_from.append(day)
                continue
            rows = _score_day(workspace.lake(scoring.domain), scoring, champion, day, now, report)
            _publish(workspace, scoring, catalog.connection, records, day, rows, inputs, run_id)
        recorded = records.of(scoring.table.name)
    report.rows_by_day = {day: recorded[day].rows for day in days.days if day in recorded}
    return report


def _score_day(lake: Lake, scoring: Scoring, champion: Champion, day: date, now: datetime, report: ScoreReport) -> pa.Table:
    """The rows of a day's predictions, with a hash of the features of each; earlier ones where that is the same."""
    part = lake.part(FEATURE_STAGE, scoring.features, day)
    columns = [scoring.key, "occurred_at", *scoring.model.feature_names]
    rows = pq.read_table(part, columns=columns, partitioning=None) if part.exists() else None
    fresh = predictions(scoring, champion, rows, now) if rows is not None else _nothing(scoring.table)
    before = lake.part(SCORE_STAGE, scoring.table.name, day)
    if before.exists() and len(fresh):
        fresh, kept = _keeping(pq.read_table(before, partitioning=None), fresh, (scoring.key, FEATURES_HASH))
        report.kept += kept
        report.scored[day] = len(fresh) - kept
    else:
        report.scored[day] = len(fresh)
    report.decisions.update(fresh[scoring.decision].to_pylist())
    return fresh


def predictions(scoring: Scoring, champion: Champion, rows: pa.Table, now: datetime) -> pa.Table:
    """Predictions of rows of features, in their order."""
    from ticketintel_pipelines.learning.scoring import score

    features = matrix(rows, champion.trained.names)
    scored = score(champion.trained, features, scoring.model.decisions)
    names = np.array([decision.name for decision in scoring.model.decisions], dtype=object)
    made = {
        scoring.key: rows[scoring.key],
        "occurred_at": rows["occurred_at"],
        "scored_at": pa.array([now] * len(rows), pa.timestamp("us", "UTC")),
        scoring.score: pa.array(scored.probability),
        scoring.decision: pa.array(names[scored.decision], pa.string()),
        "confidence": pa.array(scored.confidence),
        "model_version": pa.array([champion.version] * len(rows), pa.string()),
    }
    declared = set(scoring.table.column_names)
    if TOP_FEATURES in declared:
        looked_at = np.flatnonzero(scored.decision < len(names) - 1)
        made[TOP_FEATURES] = pa.array(_words(scoring, champion, features, looked_at), pa.string())
    kept = {name: values for name, values in made.items() if name in declared}
    return pa.table({**kept, FEATURES_HASH: pa.array(row_hashes(features))})


def _words(scoring: Scoring, champion: Champion, features: Features, looked_at: Integers) -> list[str | None]:
    """Why each of the rows that are looked at has its score, as JSON; null for the others."""
    from ticketintel_pipelines.learning.scoring import reasons

    words: list[str | None] = [None] * len(features)
    columns = {column.name: column for column in scoring.model.features}
    found = reasons(champion.trained, features, looked_at, REASONS)
    for place, row in enumerate(looked_at):
        moved = zip(found.feature[place], found.value[place], found.contribution[place], strict=True)
        listed = [(columns[champion.trained.names[feature]], value, weight) for feature, value, weight in moved if feature >= 0]
        words[row] = json.dumps([_reason(column, float(value), float(weight)) for column, value, weight in listed])
    return words


def _reason(column: Column, value: float, weight: float) -> dict[str, str | float | None]:
    known = None if np.isnan(value) else round(value, 4)
    return {"feature": column.name, "value": known, "weight": round(weight, 3), "words": in_words(column, value)}


def in_words(column: Column, value: float) -> str:
    """A feature's value as a person reads it: what it means, up to its first full stop, and what it was."""
    meaning = column.description.split(". ")[0].split("; ")[0].rstrip(".")
    if np.isnan(value):
        return f"{meaning}: not known"
    if column.type.duckdb == "BOOLEAN":
        return meaning if value else f"Not so: {meaning[0].lower()}{meaning[1:]}"
    unit = f" {column.unit}" if column.unit and column.unit not in ("count", "ratio", "0 to 1") else ""
    return f"{meaning}: {value:,.4g}{unit}"


def _keeping(before: pa.Table, fresh: pa.Table, key: tuple[str, str]) -> tuple[pa.Table, int]:
    """The fresh rows, with the earlier row in place of each that has the same features as it had; and how many those are."""
    earlier = {pair: place for place, pair in enumerate(zip(*(before[name].to_pylist() for name in key), strict=True))}
    pairs = list(zip(*(fresh[name].to_pylist() for name in key), strict=True))
    places = [earlier.get(pair) for pair in pairs]
    kept = sum(place is not None for place in places)
    both = pa.concat_tables([before.select(fresh.column_names).cast(fresh.schema), fresh])
    order = [len(before) + row if place is None else place for row, place in enumerate(places)]
    return both.take(pa.array(order, pa.int64())), kept


def _nothing(table: Table) -> pa.Table:
    names = [*(column.name for column in table.columns), FEATURES_HASH]
    return pa.table({name: pa.array([], pa.string()) for name in names})


def _publish(
    workspace: Workspace,
    scoring: Scoring,
    connection: psycopg.Connection,
    records: FeatureDays,
    day: date,
    rows: pa.Table,
    inputs: FeatureDay,
    run_id: str,
) -> None:
    """The lake first, then Postgres and the record in one transaction: killed in between, the day is done again."""
    lake, table = workspace.lake(scoring.domain), scoring.table
    with scratch_folder(lake) as scratch, workspace.engine() as engine:
        part = scratch / f"{day}.parquet"
        by_month = _by_month(rows, scratch)
        if len(rows):
            pq.write_table(rows, part, compression="zstd")
        swap_in(lake, SCORE_STAGE, table.name, DayRange(day, day), {day: part} if len(rows) else {})
        clear = sql.SQL("DELETE FROM {} WHERE occurred_at >= %s AND occurred_at < %s").format(
            sql.Identifier(scoring.domain.name, table.name)
        )
        with connection.transaction():
            connection.execute(clear, (f"{day} 00:00:00+00", f"{day + timedelta(days=1)} 00:00:00+00"))
            for month, file in by_month.items():
                load_parts(connection, engine, scoring.domain, table, {month: file})
            figures = FeatureDay(len(rows), content_hash(rows) if len(rows) else "", inputs.content_hash)
            records.record(table.name, {day: figures}, run_id)


def _by_month(rows: pa.Table, scratch: Path) -> Mapping[date, Path]:
    """Rows by the month they were scored in, which is their partition in Postgres."""
    if not len(rows):
        return {}
    months = pc.strftime(rows["scored_at"], "%Y-%m-01")
    files: dict[date, Path] = {}
    for month in pc.unique(months).to_pylist():
        file = scratch / f"scored-{month}.parquet"
        pq.write_table(rows.filter(pc.equal(months, month)), file, compression="zstd")
        files[date.fromisoformat(month)] = file
    return files


def decisions_in_words(report: ScoreReport, names: Sequence[str]) -> str:
    """How many rows of the days just scored fell to each decision."""
    return ", ".join(f"{report.decisions[name]:,} {name}" for name in names) or "none"
