"""Organisers, their ticket contracts, and the events they announce."""

from dataclasses import dataclass

import numpy as np

from ticketintel_pipelines.ticketing.simulator.arrays import concatenate
from ticketintel_pipelines.ticketing.simulator.clock import DAY, HOUR, OPENING, SECOND, Day, Purpose, generator
from ticketintel_pipelines.ticketing.simulator.parameters import Parameters, Season
from ticketintel_pipelines.ticketing.simulator.places import (
    ACTS,
    CATEGORIES,
    CATEGORY_SHARES,
    CITIES,
    SHOWS,
    STANDING_CATEGORIES,
    VENUE_KINDS,
    VENUE_WORDS,
)


@dataclass(frozen=True)
class Organisers:
    """One row per organiser: its contract (n, 20), home city, share of the events, and how it numbers its tokens."""

    contract: np.ndarray
    city: np.ndarray
    weight: np.ndarray
    wide_tokens: np.ndarray


@dataclass
class Events:
    """One row per event in the order of announcement; the event's number is its position + 1.

    Times in microseconds, face value of the cheapest tier in cents, capacity and sold in tickets.
    """

    created_us: np.ndarray
    on_sale_us: np.ndarray
    starts_us: np.ndarray
    capacity: np.ndarray
    sold: np.ndarray
    popularity: np.ndarray
    face_cents: np.ndarray
    organiser: np.ndarray
    city: np.ndarray
    category: np.ndarray
    standing: np.ndarray
    name: np.ndarray
    venue: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    day: np.ndarray
    serial: np.ndarray


def found_organisers(seed: int, parameters: Parameters, daily_events: int) -> Organisers:
    """The organisers of the whole world; their number follows from the size of the market alone."""
    season = parameters.season
    rng = generator(seed, 0, Purpose.GENESIS)
    count = int(
        np.clip(
            season.contracts_least + daily_events // season.records_per_contract,
            season.contracts_least,
            season.contracts_most,
        )
    )
    weight = np.exp(rng.normal(0, season.organiser_spread, count))
    wide = rng.random(count) < season.wide_token_share
    wide[:2] = (True, False)
    return Organisers(
        contract=rng.integers(0, 256, (count, 20), dtype=np.uint8),
        city=rng.integers(0, len(CITIES), count).astype(np.int16),
        weight=weight / weight.sum(),
        wide_tokens=wide,
    )


def announce(
    day: Day, parameters: Parameters, organisers: Organisers, events: Events, primary_per_day: float, size: int
) -> Events:
    """The events announced today: as many as keep the stock of unsold places at its level, and one for each evening.

    `size` is `daily_events`; `primary_per_day` the tickets sold a day in primary sales.
    """
    rng = day.generator(Purpose.EVENTS)
    season = parameters.season
    per_day = 1 + (size / 1_000) ** season.events_per_day_exponent
    mean_capacity = primary_per_day * season.mean_capacity_factor / per_day
    open_stock = float((events.capacity - events.sold)[events.starts_us > day.end_us].sum())
    # A night without an event would leave the doors without admissions.
    evenings = [day.start_us] if day.index == 0 else []
    if not ((events.starts_us >= day.end_us) & (events.starts_us < day.end_us + DAY)).any():
        evenings.append(day.end_us)
    capacity = _capacities(rng, season, mean_capacity, primary_per_day, 16 + 4 * round(season.stock_days * per_day))
    missing = season.stock_days * primary_per_day - open_stock
    needed = int(np.searchsorted(np.cumsum(capacity), missing)) + 1 if missing > 0 else 0
    regular = _events(rng, day, season, organisers, capacity[:needed], None)
    small = np.full(len(evenings), max(season.capacity_least, round(mean_capacity * season.evening_capacity)))
    extra = _events(rng, day, season, organisers, small, np.array(evenings, dtype=np.int64))
    announced = concatenate([regular, extra])
    order = np.argsort(announced.created_us, kind="stable")
    for field in announced.__dataclass_fields__:
        setattr(announced, field, getattr(announced, field)[order])
    announced.serial = np.arange(len(order), dtype=np.int32)
    return announced


def _capacities(rng: np.random.Generator, season: Season, mean: float, primary_per_day: float, count: int) -> np.ndarray:
    spread = season.capacity_spread
    draw = mean * np.exp(rng.normal(-spread * spread / 2, spread, count))
    most = max(season.capacity_least * 2.0, season.capacity_most_days * primary_per_day)
    return np.clip(draw, season.capacity_least, most).astype(np.int64)


def _events(
    rng: np.random.Generator,
    day: Day,
    season: Season,
    organisers: Organisers,
    capacity: np.ndarray,
    evenings_us: np.ndarray | None,
) -> Events:
    """Events of given capacities; with `evenings_us` they are on sale today and start on the evening of those days."""
    rows = len(capacity)
    created, on_sale = _sale_times(rng, day, season, rows, short_notice=evenings_us is not None)
    start_hour = np.array(season.start_hours)[rng.integers(0, len(season.start_hours), rows)] * HOUR
    if evenings_us is None:
        starts = on_sale - on_sale % DAY + DAY * _days_to_start(rng, season, on_sale) + start_hour
    else:
        starts = evenings_us + season.evening_hour * HOUR
    organiser = rng.choice(len(organisers.weight), rows, p=organisers.weight).astype(np.int16)
    travels = rng.random(rows) < season.touring_share
    city = np.where(travels, rng.integers(0, len(CITIES), rows), organisers.city[organiser]).astype(np.int16)
    category = rng.choice(len(CATEGORIES), rows, p=CATEGORY_SHARES).astype(np.int8)
    face = season.face_value_median * np.exp(rng.normal(0, season.face_value_spread, rows))
    popularity = np.exp(rng.normal(0, season.popularity_spread, rows))
    venue = rng.integers(0, len(VENUE_WORDS) * len(VENUE_KINDS), rows)
    # The same venue of a city stands at the same place.
    angle = venue * 2.399963
    return Events(
        created_us=created,
        on_sale_us=on_sale,
        starts_us=starts,
        capacity=capacity.astype(np.int64),
        sold=np.zeros(rows, dtype=np.int64),
        popularity=popularity if evenings_us is None else np.maximum(popularity, season.evening_popularity),
        face_cents=(np.clip(face, season.face_value_least, season.face_value_most) * 2).astype(np.int64) * 50,
        organiser=organiser,
        city=city,
        category=category,
        standing=np.isin(category, STANDING_CATEGORIES) & (rng.random(rows) < 2 * season.standing_share),
        name=rng.integers(0, len(ACTS) * len(SHOWS), rows),
        venue=venue,
        latitude=np.round(np.array([place.latitude for place in CITIES])[city] + 0.04 * np.sin(angle), 5),
        longitude=np.round(np.array([place.longitude for place in CITIES])[city] + 0.06 * np.cos(angle), 5),
        day=np.full(rows, day.index, dtype=np.int32),
        serial=np.zeros(rows, dtype=np.int32),
    )


def _sale_times(
    rng: np.random.Generator, day: Day, season: Season, rows: int, short_notice: bool
) -> tuple[np.ndarray, np.ndarray]:
    """When the events are announced and when their sale opens, microseconds."""
    hour = np.array(season.on_sale_hours)[rng.integers(0, len(season.on_sale_hours), rows)]
    lead = rng.integers(1, season.announced_days_most + 1, rows)
    announced = day.start_us + 6 * HOUR + (rng.random(rows) * 12 * HOUR).astype(np.int64)
    if day.index == 0:
        # The platform opens with a season already planned: announced in the first minute, partly on sale at once.
        announced = day.start_us + (rng.random(rows) * 60 * SECOND).astype(np.int64)
        lead = np.where(rng.random(rows) < season.opening_share, 0, lead)
    on_sale = day.start_us + lead * DAY + hour * HOUR
    at_once = lead == 0
    on_sale = np.where(at_once, day.start_us + OPENING + (rng.integers(0, 10, rows) ** 2) * HOUR // 10, on_sale)
    if short_notice:
        announced = day.start_us + (rng.random(rows) * 60 * SECOND).astype(np.int64)
        on_sale = np.full(rows, day.start_us + OPENING)
    return announced, on_sale


def _days_to_start(rng: np.random.Generator, season: Season, on_sale: np.ndarray) -> np.ndarray:
    """Days from the sale to the event, 1 or more; of two possible dates the one at the weekend is taken."""
    rows = len(on_sale)
    spread = season.start_days_median * np.exp(rng.normal(0, season.start_days_spread, (rows, 2)))
    days = np.clip(spread, 1, season.start_days_most).astype(np.int64)
    short = rng.random(rows) < season.short_notice_share
    days[short] = rng.integers(1, 3, (int(short.sum()), 2))
    # 1970-01-01 was a Thursday: weekday 0 is Monday.
    weekday = ((on_sale // DAY)[:, None] + days + 3) % 7
    second = (weekday[:, 1] >= 4) & (weekday[:, 0] < 4)
    return np.where(second, days[:, 1], days[:, 0])
