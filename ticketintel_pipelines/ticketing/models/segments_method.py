"""How wallets are grouped: by their last 90 days, with ids that go on from the version in use."""

import io
import json
from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa

from ticketintel_pipelines.lake.engine import fetch_rows
from ticketintel_pipelines.learning.assessment import Assessment, Learnt
from ticketintel_pipelines.learning.examples import TooFewExamplesError
from ticketintel_pipelines.learning.segmenting.assessing import elbow
from ticketintel_pipelines.learning.segmenting.grouping import Grouped, changed_meaning, fit_grouping, from_state
from ticketintel_pipelines.learning.segmenting.outliers import Density, fit_density
from ticketintel_pipelines.learning.segmenting.reporting import groups_section, map_section, number_section, outlier_section
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.segments_judged import judged, roles_section
from ticketintel_pipelines.ticketing.models.segments_wallets import (
    GROUPINGS,
    PERSONAS,
    Snapshot,
    snapshot,
)

GROUPS_FILE, CORES_FILE = "groups.json", "cores.npz"
LEAST_DAYS = 4
RULES = (
    "The view user_segments is another thing: it sorts every wallet that ever traded into VIP, Regular, New and Casual by "
    "thresholds that somebody wrote (20 purchases or 10 ETH ever, 5 purchases in 90 days, a first transaction within 7 days), "
    "and says the same of a wallet whatever all others do. Segments are learned from the wallets of the last 90 days, are "
    "relative to each other, and count what was received in resales beside what was paid; a new wallet is no segment."
)


def learn(window: Window, seed: int) -> Learnt:
    """Group the wallets of the window's last 90 days; ids go on from those of the version that scores."""
    days = _days(window)
    if len(days) < LEAST_DAYS:
        raise TooFewExamplesError(f"there are {len(days)} days of transactions, and {LEAST_DAYS} are needed")
    now = snapshot(window, window.days.last)
    previous = window.previous or {}
    last = _groups(previous) if GROUPS_FILE in previous else {}
    groups = [fit_grouping(grouping, now.columns, seed, last.get(grouping.name)) for grouping in GROUPINGS]
    scaled = groups[1].scaled(now.columns)
    density = fit_density(scaled, seed)
    assigned = [one.assign(now.columns) for one in groups]
    outside = density.outliers(scaled)
    words, comparisons = judged(window, days, seed)
    sections = (
        groups_section(groups[0], now.columns, assigned[0][0], (*_moved(groups[0], last), RULES)),
        number_section(groups[0], elbow(groups[0].scaled(now.columns), seed)),
        groups_section(groups[1], now.columns, assigned[1][0], _moved(groups[1], last)),
        number_section(groups[1], elbow(scaled, seed)),
        map_section(groups[1], scaled, assigned[1][0], outside, seed),
        outlier_section(density, groups[1], now.columns, now.keys, outside, assigned[1][1]),
        *roles_section(window, groups[1], now, assigned[1][0], outside),
    )
    figures = {"silhouette": comparisons[0].model} if comparisons else {}
    return Learnt(_files(groups, density), Assessment(words, comparisons, figures, sections), len(now))


def _days(window: Window) -> list[date]:
    """The days to learn from, from the first with a transaction on."""
    ((first,),) = fetch_rows(window.engine, "SELECT min(occurred_at)::DATE FROM transactions")
    return [day for day in window.days.days if first is not None and day >= first]


def _moved(grouped: Grouped, last: Mapping[str, Grouped]) -> tuple[str, ...]:
    if not len(grouped.moved):
        return ("Ids were given for the first time.",)
    changed = changed_meaning(grouped, last[grouped.grouping.name])
    if changed:
        return (
            f"Ids go on from the version in use, but {', '.join(changed)} moved further than half the way to its neighbour: it "
            "may not mean what it meant.",
        )
    far = f"{grouped.moved.max():.2f} standard deviations"
    return (f"Ids go on from the version in use; every centre stayed near its own, the furthest by {far}.",)


def _files(groups: list[Grouped], density: Density) -> dict[str, bytes]:
    state = {one.grouping.name: one.state() for one in groups}
    written = io.BytesIO()
    np.savez(written, cores=density.cores, groups=density.groups, radius=density.radius, neighbours=density.neighbours)
    return {GROUPS_FILE: json.dumps(state, indent=1, sort_keys=True).encode(), CORES_FILE: written.getvalue()}


def _groups(files: Mapping[str, bytes]) -> dict[str, Grouped]:
    state = json.loads(files[GROUPS_FILE])
    return {grouping.name: from_state(grouping, state[grouping.name]) for grouping in GROUPINGS if grouping.name in state}


def _density(files: Mapping[str, bytes]) -> Density:
    with np.load(io.BytesIO(files[CORES_FILE]), allow_pickle=False) as file:
        return Density(file["cores"], file["groups"], float(file["radius"]), int(file["neighbours"]), np.zeros(0))


def score(files: Mapping[str, bytes], window: Window) -> pa.Table:
    """The groups of each wallet at the end of each of the window's days."""
    groups, density = _groups(files), _density(files)
    return pa.concat_tables([_scored(groups, density, snapshot(window, day), day) for day in window.days.days])


def _scored(groups: Mapping[str, Grouped], density: Density, now: Snapshot, day: date) -> pa.Table:
    rows = len(now)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "wallet_address": now.table["wallet_address"],
        "day": pa.array([day] * rows, pa.date32()).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
    }
    for name, grouped in groups.items():
        place, distance = grouped.assign(now.columns)
        columns[name] = pa.array(np.array(grouped.ids, dtype=object)[place], pa.string())
        columns[f"{name}_name"] = pa.array(np.array(grouped.names, dtype=object)[place], pa.string())
    columns["is_outlier"] = pa.array(density.outliers(groups[PERSONAS.name].scaled(now.columns)))
    columns["distance"] = pa.array(distance)
    for name in ("value_eth", "trades", "recency_days", "resale_share", "markup_ratio", "hold_days", "events"):
        column = now.table[name]
        columns[name] = column.cast(pa.int64()) if name in ("trades", "events") else column
    return pa.table(columns)
