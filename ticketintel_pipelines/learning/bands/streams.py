"""Streams of values as bands are chosen for and judged on: rows of many streams, each stream of one family."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ticketintel_pipelines.learning.bands.judging import Band, Judged, judge
from ticketintel_pipelines.learning.examples import Flags, Floats, Integers, Texts


@dataclass(frozen=True)
class Family:
    """Streams of one kind, judged with one band: what it is called, and which bands may be chosen for it.

    `lengths` are the slots that a band may look back on, by the cycle (microseconds, 0 for none). The floors and the offset are
    those of `Band`, `log_spread` the floor of logarithmic bands.
    """

    name: str
    lengths: Mapping[int, tuple[int, ...]]
    least: int = 5
    least_spread: float = 0.0
    least_share: float = 0.0
    log_spread: float = 0.0
    offset: float = 1.0

    @property
    def bands(self) -> tuple[Band, ...]:
        """Those to choose from, the plainest first, each one deviation wide."""
        plain = tuple(
            Band(length, 1.0, min(self.least, length), self.least_spread, self.least_share, cycle=cycle)
            for cycle, lengths in self.lengths.items()
            for length in lengths
        )
        return plain + tuple(
            replace(band, least_spread=self.log_spread, least_share=0.0, logarithmic=True, offset=self.offset) for band in plain
        )

    @property
    def classic(self) -> Band:
        """For streams with too little to choose by: up to 20 slots and two deviations, as in Bollinger's book."""
        length = min(20, max(self.lengths[0]))
        return Band(length, 2.0, min(self.least, length), self.least_spread, self.least_share)


@dataclass(frozen=True)
class Streams:
    """n slots: `stream` (n,) numbers the streams, `family` (n,) says of which family each is, `at` (n,) is in microseconds
    since 1970 UTC, and `values` (n,) holds NaN in slots without a value.
    """

    stream: Integers
    family: Texts
    at: Integers
    values: Floats

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: Flags | Integers) -> "Streams":
        return Streams(self.stream[rows], self.family[rows], self.at[rows], self.values[rows])

    def with_values(self, values: Floats) -> "Streams":
        return replace(self, values=values)


def judge_streams(streams: Streams, bands: Mapping[str, Band]) -> Judged:
    """Judge each slot with the band of its family; slots of families without a band are unknown."""
    rows = len(streams)
    found: dict[str, Any] = {name: np.full(rows, np.nan) for name in ("mean", "lower", "upper", "deviation")} | {
        name: np.zeros(rows, dtype=np.int64) for name in ("count", "verdict")
    }
    for name, band in bands.items():
        here = streams.family == name
        judged = judge(streams.stream[here], streams.at[here], streams.values[here], band)
        for column, values in found.items():
            values[here] = getattr(judged, column)
    return Judged(**found)
