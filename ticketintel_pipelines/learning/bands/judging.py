"""Bands around the mean of a stream's last values, for all streams at once.

Source: J. Bollinger, "Bollinger on Bollinger Bands", 2001: the mean of the last n values, k standard deviations (of the
population, divisor n) to both sides. There the judged value is one of the n, which hides a spike behind the width it makes
itself: of n values none lies further out than √(n−1) deviations. Here a band is made of strictly earlier values, unless asked
for in the classic form.
"""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.learning.examples import Flags, Floats, Integers

UNKNOWN, NORMAL, ANOMALY = 0, 1, 2
VERDICTS = ("UNKNOWN", "NORMAL", "ANOMALY")
"""Words of a verdict, by its number."""
PART = 65_536
"""Rows worked on together: their columns fit into the processor's cache."""


@dataclass(frozen=True)
class Band:
    """How a value is judged.

    `length` is how many slots of the stream the band looks back on; a slot without a value takes its place and counts as
    nothing. `sigmas` is the half width in standard deviations. Under `least` values nothing is judged. The deviation counts as
    at least `least_spread`, and as at least `least_share` of the mean's size: with both 0, any change of a flat stream is an
    anomaly. `classic` lets the judged value, and those of the same instant, be part of the band.

    With a `cycle` (microseconds) only slots at the same place of it are looked back on: with a day, the same hour of earlier
    days. `logarithmic` bands are those of log(value + offset), so that a tenth of what is usual is as far out as ten times it;
    `least_spread` is then one of logarithms, mean and edges are given back as values, and values under 0 are none.
    """

    length: int
    sigmas: float
    least: int = 5
    least_spread: float = 0.0
    least_share: float = 0.0
    classic: bool = False
    cycle: int = 0
    logarithmic: bool = False
    offset: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError for lengths, widths or floors that mean nothing."""
        if not 1 <= self.least <= self.length:
            raise ValueError(f"a band of {self.length} slots cannot ask for {self.least} values")
        if not self.sigmas > 0 or not min(self.least_spread, self.least_share, self.cycle) >= 0:
            raise ValueError("a band is wider than nothing, and its floors and its cycle are not negative")
        if self.logarithmic and (self.least_share or not self.offset > 0):
            raise ValueError("a logarithmic band has no least share of the mean, and an offset over 0")

    def places(self, stream: Integers, at: Integers) -> Integers:
        """Numbers (n,) of what is looked back on together: streams, or their places in the cycle."""
        if not self.cycle:
            return stream
        return (
            np.unique(np.column_stack([stream, at % self.cycle]), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
        )

    def raised(self, values: Floats) -> Floats:
        """The values (n,) as they are averaged; NaN for slots without a value."""
        known = np.where(np.isfinite(values), values, np.nan)
        return np.log(np.where(known >= 0, known, np.nan) + self.offset) if self.logarithmic else known

    def lowered(self, values: Floats) -> Floats:
        """The way back."""
        return np.maximum(np.exp(values) - self.offset, 0.0) if self.logarithmic else values


@dataclass(frozen=True)
class Judged:
    """n values judged, in the order in which they were given.

    `mean`, `lower` and `upper` are NaN where there are too few values; `count` is how many the band is made of. `deviation` is
    how many standard deviations a value lies from the mean, infinite beside a flat stream, NaN where it is not judged.
    `verdict` is UNKNOWN, NORMAL or ANOMALY; a value on the edge of its band is normal.
    """

    mean: Floats
    lower: Floats
    upper: Floats
    count: Integers
    deviation: Floats
    verdict: Integers


def judge(stream: Integers, at: Integers, values: Floats, band: Band) -> Judged:
    """Judge n values, each a slot of a stream (n,) at an instant (n,); NaN and infinities are slots without a value.

    The rows come in any order. Of one stream, values of the same instant do not see each other; where only some of them lie in
    a later band, those are the greater ones. Every band is summed by itself, from its newest value back and as distances from
    it: sums do not drift, whole numbers are exact, and a value's band is the same bits however many rows are judged with it.
    """
    known, stream = band.raised(values), band.places(stream, at)
    order = np.lexsort((known, at, stream))
    begin, end = _windows(stream[order], at[order], band)
    found = [
        _part(known[order], begin[start : start + PART], end[start : start + PART], slice(start, start + PART), band)
        for start in range(0, len(values), PART)
    ]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    columns = [np.concatenate([part[number] for part in found])[place] if found else np.zeros(0) for number in range(6)]
    mean, lower, upper, count, deviation, verdict = columns
    mean, lower, upper = (band.lowered(edge) for edge in (mean, lower, upper))
    return Judged(mean, lower, upper, count.astype(np.int64), deviation, verdict.astype(np.int64))


def _windows(stream: Integers, at: Integers, band: Band) -> tuple[Integers, Integers]:
    """The first row and the row past the last of every row's band, for rows in order of stream and time."""
    rows = np.arange(len(stream))
    new_stream = np.diff(stream, prepend=stream[:1] - 1) != 0
    new_instant = new_stream | (np.diff(at, prepend=at[:1]) != 0)
    stream_start = np.maximum.accumulate(np.where(new_stream, rows, 0))
    end = np.maximum.accumulate(np.where(new_instant, rows, 0))
    if band.classic:
        starts = np.flatnonzero(new_instant)
        end = np.append(starts[1:], len(stream))[np.cumsum(new_instant) - 1]
    return np.maximum(end - band.length, stream_start), end


def _part(known: Floats, begin: Integers, end: Integers, rows: slice, band: Band) -> tuple[Floats, ...]:
    """Mean, lower, upper, count, deviation and verdict of some rows."""
    value, size = known[rows], len(begin)
    newest = np.full(size, np.nan)
    for back in range(band.length):
        missing = np.isnan(newest) & (end - 1 - back >= begin)
        if not missing.any():
            break
        newest[missing] = known[end[missing] - 1 - back]
    count, total, squared = np.zeros(size), np.zeros(size), np.zeros(size)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for back in range(band.length):
            apart, there = _slot(known, begin, end, back, newest)
            total += np.where(there, apart, 0.0)
            count += there
        shift = total / count
        for back in range(band.length):
            apart, there = _slot(known, begin, end, back, newest)
            squared += np.where(there, (apart - shift) ** 2, 0.0)
        mean = np.where(count >= band.least, newest + shift, np.nan)
        spread = np.maximum(np.sqrt(squared / count), np.maximum(band.least_spread, band.least_share * np.abs(mean)))
        distance = np.abs(value - mean)
        # A flat stream has no deviation to divide by: the same value is none away, any other one infinitely many.
        deviation = np.where(distance == 0, 0.0, distance / spread)
        lower, upper = mean - band.sigmas * spread, mean + band.sigmas * spread
        outside = (value < lower) | (value > upper)
    judged = ~np.isnan(value) & np.isfinite(mean) & np.isfinite(spread)
    verdict = np.where(judged, np.where(outside, ANOMALY, NORMAL), UNKNOWN)
    return mean, lower, upper, count, np.where(judged, deviation, np.nan), verdict


def _slot(known: Floats, begin: Integers, end: Integers, back: int, newest: Floats) -> tuple[Floats, Flags]:
    """How far the slot so many places back lies from the newest value, and whether it holds a value of the band."""
    row = end - 1 - back
    apart = known[np.maximum(row, 0)] - newest
    return apart, (row >= begin) & ~np.isnan(apart)
