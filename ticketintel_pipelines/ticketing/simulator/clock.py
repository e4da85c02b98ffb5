"""Time and chance: days, blocks, the daily rhythm, and one random generator per day and purpose.

Times are int64 microseconds since 1970-01-01 UTC throughout the simulator.
"""

import datetime
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

SECOND = 1_000_000
"""Microseconds."""
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
BLOCK = 12 * SECOND
BLOCKS_PER_DAY = DAY // BLOCK
GENESIS_BLOCK = 24_136_000
"""Height of the first block of the first day."""
OPENING = 1_200 * SECOND
"""Nobody orders in the first minutes of a day: on day one the first accounts are only being opened."""
CLOSING = 900 * SECOND
"""Nobody orders in the last minutes of a day, so that order, payments and block lie on one day."""


class Purpose(IntEnum):
    """What a random generator is for; the numbers are part of what a seed means."""

    GENESIS = 0
    SIGN_UPS = 1
    EVENTS = 2
    CAMPAIGNS = 3
    PRIMARY = 4
    PAYMENTS = 5
    SECONDARY = 6
    CHECK_INS = 7
    CHARGEBACKS = 8
    SESSIONS = 9
    SECURITY = 10
    REQUESTS = 11
    CHAIN = 12
    DEFECTS = 13
    RATE = 14
    TICKETS = 15
    INSTRUMENTS = 16
    TAKE_OVERS = 17
    REVIEWS = 18
    FUNDING = 19
    OUTSIDE_WALLETS = 20
    GROUP_FUNDING = 21
    WATCH_LISTS = 22


def generator(seed: int, day: int, purpose: Purpose) -> np.random.Generator:
    """The generator of one day and purpose; it knows nothing of the other days."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(day, int(purpose)))))


@dataclass(frozen=True)
class Day:
    """One simulated day. `index` counts from 0; times in microseconds."""

    index: int
    date: datetime.date
    seed: int

    @property
    def start_us(self) -> int:
        return (self.date - datetime.date(1970, 1, 1)).days * DAY

    @property
    def end_us(self) -> int:
        return self.start_us + DAY

    @property
    def opens_us(self) -> int:
        return self.start_us + OPENING

    @property
    def closes_us(self) -> int:
        return self.end_us - CLOSING

    @property
    def first_block(self) -> int:
        return GENESIS_BLOCK + self.index * BLOCKS_PER_DAY

    def generator(self, purpose: Purpose) -> np.random.Generator:
        return generator(self.seed, self.index, purpose)

    def block_after(self, times_us: np.ndarray) -> np.ndarray:
        """Heights of the first blocks made after the times, shape (n,)."""
        return self.first_block + (times_us - self.start_us) // BLOCK + 1

    def block_time(self, blocks: np.ndarray) -> np.ndarray:
        return self.start_us + (blocks - self.first_block) * BLOCK


class Rhythm:
    """The daily traffic curve, as a distribution to draw times of a day from."""

    def __init__(self, hour_weights: tuple[float, ...]) -> None:
        self._edges = np.arange(25, dtype=np.float64) * HOUR
        total = np.concatenate([[0.0], np.cumsum(hour_weights)])
        self._cumulative = total / total[-1]

    def draw(
        self, rng: np.random.Generator, day: Day, lows_us: np.ndarray | int, highs_us: np.ndarray | int, count: int
    ) -> np.ndarray:
        """`count` times of the day, each between its low and its high, denser where traffic is; shape (count,)."""
        low = np.interp(np.asarray(lows_us) - day.start_us, self._edges, self._cumulative)
        high = np.interp(np.asarray(highs_us) - day.start_us, self._edges, self._cumulative)
        place = low + (high - low) * rng.random(count)
        return day.start_us + np.interp(place, self._cumulative, self._edges).astype(np.int64)


def seconds(values: np.ndarray | float) -> np.ndarray:
    """Seconds as whole microseconds."""
    return (np.asarray(values) * SECOND).astype(np.int64)
