"""How bands are chosen for each kind of stream, and what they make of its figures."""

import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.learning.assessment import Assessment, Learnt
from ticketintel_pipelines.learning.bands.assessing import comparisons, trial
from ticketintel_pipelines.learning.bands.choosing import FALSE_ALARMS, choose
from ticketintel_pipelines.learning.bands.judging import VERDICTS, Band
from ticketintel_pipelines.learning.bands.reporting import sections
from ticketintel_pipelines.learning.bands.streams import Family, Streams, judge_streams
from ticketintel_pipelines.learning.examples import DAY, Integers, Texts
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.queries import QUERIES

STREAMS = QUERIES / "stream_bands_streams.sql"
BANDS_FILE = "bands.json"
HOURS = {0: (12, 24, 72, 168), DAY: (7, 14, 28)}
DAYS = {0: (5, 7, 14, 28)}
"""Slots that a band may look back on, in a row and at the same hour of earlier days."""


def _counted(name: str, lengths: Mapping[int, tuple[int, ...]]) -> Family:
    """One ticket more or less is nothing to look at."""
    return Family(name, lengths, least_spread=1.0, log_spread=0.25, offset=1.0)


def _priced(name: str, lengths: Mapping[int, tuple[int, ...]]) -> Family:
    """A tenth of a price is nothing to look at."""
    return Family(name, lengths, least_share=0.1, log_spread=0.1, offset=0.001)


FAMILIES = (
    _counted("sales by the hour of an event", HOURS),
    _priced("resale_price_eth by the hour of an event", HOURS),
    _counted("sales by the hour of the market", HOURS),
    _priced("resale_price_eth by the hour of the market", HOURS),
    _priced("volume_eth by the hour of the market", HOURS),
    _counted("sales by the day of the market", DAYS),
    _priced("resale_price_eth by the day of the market", DAYS),
    _priced("volume_eth by the day of the market", DAYS),
)
COUNTS = frozenset(family.name for family in FAMILIES if family.name.startswith("sales"))
UNITS = {family.name: "tickets" if family.name in COUNTS else "ETH" for family in FAMILIES}


def learn(window: Window, seed: int) -> Learnt:
    """Choose the bands on the window's days; they do not depend on the bands in use."""
    rows = window.rows(STREAMS)
    streams = _streams(rows)
    tried = trial(streams, FAMILIES, COUNTS, seed)
    choices = choose(streams, FAMILIES, COUNTS, seed)
    kept = {choice.family.name: asdict(choice.band) for choice in choices}
    first, split, past = tried.days
    words = (
        f"The bands were chosen on the first {split - first} days and judged on the {past - split} after them, with anomalies "
        f"planted into the streams as they came; the widths of both sides call {FALSE_ALARMS:.0%} of the other values."
    )
    compared = comparisons(tried)
    figures = {"recall": compared[0].model, "f1": compared[1].model}
    assessment = Assessment(words, compared, figures, sections(tried, choices, streams, UNITS))
    return Learnt({BANDS_FILE: json.dumps(kept, indent=1, sort_keys=True).encode()}, assessment, len(streams))


def score(files: Mapping[str, bytes], window: Window) -> pa.Table:
    """The verdicts on the window's days: a band looks back over days before them."""
    rows = window.rows(STREAMS)
    known = {name: Band(**settings) for name, settings in json.loads(files[BANDS_FILE]).items()}
    # A kind of stream that was not there when the bands were chosen is judged with the classic band.
    used = {family.name: known.get(family.name, family.classic) for family in FAMILIES}
    judged = judge_streams(_streams(rows), used)
    families, place = _encoded(rows["family"])
    slots = np.array([used[name].length for name in families], dtype=np.int64)
    columns = {
        "stream": rows["stream"],
        "started_at": rows["started_at"],
        "measure": rows["measure"],
        "event_id": rows["event_id"],
        "value": rows["value"],
        **{name: pa.array(getattr(judged, name), from_pandas=True) for name in ("mean", "lower", "upper")},
        "band_slots": pa.array(slots[place]),
        "band_values": pa.array(judged.count),
        "verdict": pa.array(np.array(VERDICTS, dtype=object)[judged.verdict], pa.string()),
    }
    return pa.table(columns).filter(pc.and_(_scored(rows, window), pc.is_valid(rows["value"])))


def _streams(rows: pa.Table) -> Streams:
    _, stream = _encoded(rows["stream"])
    families, family = _encoded(rows["family"])
    return Streams(
        stream,
        families[family],
        rows["at"].to_numpy().astype(np.int64),
        rows["value"].fill_null(np.nan).to_numpy().astype(np.float64),
    )


def _encoded(column: pa.ChunkedArray) -> tuple[Texts, Integers]:
    """The different texts of a column (n,), and which one each row has."""
    if not len(column):
        return np.zeros(0, dtype=object), np.zeros(0, dtype=np.int64)
    coded = pc.dictionary_encode(column).combine_chunks()
    return np.array(coded.dictionary.to_pylist(), dtype=object), np.asarray(coded.indices).astype(np.int64)


def _scored(rows: pa.Table, window: Window) -> pa.ChunkedArray:
    return pc.greater_equal(pc.cast(pc.cast(rows["started_at"], pa.timestamp("us", "UTC")), pa.date32()), window.days.first)
