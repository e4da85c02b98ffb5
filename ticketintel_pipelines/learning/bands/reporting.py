"""What a report says of bands: what was chosen, what was found, and a stream with its band."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ticketintel_pipelines.learning.bands.assessing import KINDS, Trial, false_alarms, share_found
from ticketintel_pipelines.learning.bands.choosing import FALSE_ALARMS, Choice
from ticketintel_pipelines.learning.bands.judging import ANOMALY, Band, judge
from ticketintel_pipelines.learning.bands.streams import Streams
from ticketintel_pipelines.learning.examples import DAY
from ticketintel_pipelines.learning.report_layout import Grid, Section
from ticketintel_pipelines.learning.report_pictures import LINE, OTHERS, OURS, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DRAWN = 400
"""Slots of a stream that a picture shows, the newest."""


def sections(tried: Trial, choices: Sequence[Choice], streams: Streams, units: dict[str, str]) -> tuple[Section, ...]:
    """`choices` are the bands in use, chosen on all days; `streams` are the slots as they came; `units` by family."""
    words = (
        "Of each kind of stream, the band is the one that finds most planted anomalies, and its width calls "
        f"{FALSE_ALARMS:.0%} of the values that nobody planted. A value is judged against strictly earlier ones of its stream. "
        "A logarithmic band is made of logarithms, so that what is a tenth of the usual is as far out as ten times it.",
    )
    header = ("streams", "slots", "looked back on", "half width (σ)", "least values", "planted", "values", "recall", "by kind")
    notes = (
        "Recall is that of the days chosen on, where streams with few values were planted in several times; the comparison "
        "above is on days not chosen on. By kind: the best recall of plain and of logarithmic bands, of slots in a row and of "
        "the same hour of earlier days.",
    )
    grid = Grid(header, [_row(choice) for choice in choices], notes)
    return (
        Section("Bands in use", words, (grid,), _length_picture(choices)),
        Section("What was found on the later days", _words(tried), (_found(tried),)),
        *_examples(choices, streams, units),
    )


def kind_of(band: Band) -> str:
    """Which slots a band looks back on, and on which scale, in words."""
    return f"{'same hour, ' if band.cycle else ''}{'logarithmic' if band.logarithmic else 'plain'}"


def _row(choice: Choice) -> tuple[str, ...]:
    best: dict[str, float] = {}
    for band, recall in choice.tried:
        best[kind_of(band)] = max(best.get(kind_of(band), 0.0), recall)
    return (
        choice.family.name,
        f"{choice.band.length}",
        kind_of(choice.band),
        f"{choice.band.sigmas:.2f}",
        f"{choice.band.least}",
        f"{choice.planted:,}",
        f"{choice.values:,}",
        _percent(choice.recall),
        ", ".join(f"{kind}: {recall:.0%}" for kind, recall in best.items()) or "too few to choose by: the classic band",
    )


def _words(tried: Trial) -> tuple[str, ...]:
    unjudged = float((tried.ours < 0).mean())
    return (
        "A spike adds two to six times the stream's median value, a drop leaves at most a fifth of a value that was typical "
        "or more. How often such things happen in truth is not known; what is compared is who finds them.",
        f"{unjudged:.1%} of the later values come before their stream has enough values to judge by; anomalies among them "
        "count as missed.",
    )


def _found(tried: Trial) -> Grid:
    rows = []
    for name in (None, *(choice.family.name for choice in tried.choices)):
        cells = [name or "all streams"]
        for kind, _ in KINDS:
            count, ours, theirs = share_found(tried, kind, name)
            cells += [f"{count:,}", _percent(ours), _percent(theirs)]
        _, ours, theirs = false_alarms(tried, name)
        rows.append((*cells, _percent(ours), _percent(theirs)))
    header = ["streams"]
    for _, word in KINDS:
        header += [word, "bands find", "fixed find"]
    return Grid((*header, "bands' false alarms", "fixed ones' false alarms"), rows)


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{share:.1%}"


def _length_picture(choices: Sequence[Choice]) -> tuple[tuple[str, str], ...]:
    """Recall over length, of bands of the chosen kind."""
    looks = [OURS, *OTHERS]
    lines = {
        choice.family.name: [(band.length, recall) for band, recall in choice.tried if kind_of(band) == kind_of(choice.band)]
        for choice in choices
        if choice.tried
    }
    if not lines:
        return ()

    def draw(axes: "Axes") -> None:
        for number, (name, points) in enumerate(lines.items()):
            line = ("-", "--", ":")[number // len(looks) % 3]
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name, color=looks[number % 6], linestyle=line)
        axes.set(xlabel="Length of the band (slots)", ylabel="Recall of planted anomalies", xscale="log", ylim=(0, 1.02))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    return ((drawn(draw, width=8.0), f"Recall at {FALSE_ALARMS:.0%} false alarms by length, of bands of the kind in use."),)


def _examples(choices: Sequence[Choice], streams: Streams, units: dict[str, str]) -> tuple[Section, ...]:
    """One stream of each family, the one with most values, with its band and its anomalies, as it came."""
    pictures = []
    for choice in choices:
        here = np.flatnonzero((streams.family == choice.family.name) & ~np.isnan(streams.values))
        if len(here) < 2 * choice.band.least:
            continue
        names, count = np.unique(streams.stream[here], return_counts=True)
        rows = np.flatnonzero((streams.stream == names[count.argmax()]) & (streams.family == choice.family.name))
        rows = rows[np.argsort(streams.at[rows], kind="stable")]
        pictures.append(_stream_picture(choice, streams.take(rows), units.get(choice.family.name, "")))
    if not pictures:
        return ()
    return (
        Section("Streams and their bands", ("Of each kind the stream with most values, as it came.",), (), tuple(pictures)),
    )


def _stream_picture(choice: Choice, one: Streams, unit: str) -> tuple[str, str]:
    judged = judge(one.stream, one.at, one.values, choice.band)
    shown = slice(max(0, len(one) - MOST_DRAWN), None)
    days = (one.at[shown] - one.at[shown][0]) / DAY
    outside, seen = judged.verdict[shown] == ANOMALY, one.values[shown]

    def draw(axes: "Axes") -> None:
        axes.fill_between(days, judged.lower[shown], judged.upper[shown], color=OURS, alpha=0.15, linewidth=0, label="band")
        axes.plot(days, judged.mean[shown], color=OURS, linewidth=0.8, label="mean")
        axes.plot(days, seen, color=OTHERS[1], linewidth=0.9, marker=".", markersize=2, label="value")
        axes.plot(days[outside], seen[outside], color=LINE, marker="o", markersize=4, linestyle="", label="anomaly")
        # A band just after an anomaly is so wide that it would flatten all values.
        axes.set(xlabel="Days", ylabel=unit, ylim=(0, 1.2 * float(np.nanmax(seen, initial=0.0)) or 1.0))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0)

    share = outside.mean()
    return drawn(draw, width=8.0, height=2.8), f"{choice.family.name}: {int(outside.sum())} of {len(days)} slots ({share:.1%})."
