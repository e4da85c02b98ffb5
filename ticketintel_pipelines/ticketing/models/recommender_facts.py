"""What the recommender knew at the end of a day, from purchases, events and visits of a window."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.day_numbers import day_number
from ticketintel_pipelines.learning.examples import DAY, Flags, Floats, Integers, Texts
from ticketintel_pipelines.learning.recommending.attributes import around, near_knots, one_hot, side_by_side
from ticketintel_pipelines.learning.recommending.known import Known, Matrix, Trial, make_trial
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.models.recommender import HISTORY_DAYS

ACTIVE_DAYS = 30
"""Who bought or visited in so many days is recommended something; so long, too, a visit says where somebody lives."""
HOME_KM = 50.0
"""Visits from farther than this from every city with events say nothing of the home."""
EARTH_KM = 6_371.0
PRICE_KNOTS = (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
"""Logarithms to base 2 of 8 to 1,024 USD."""
CATEGORY, CITY, COUNTRY, PRICE, TIME = "category", "city", "country", "price", "time"
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Snapshot:
    """What was known at the end of a day, with the names of users and items by position.

    `events` are columns of the items; `home` (n,) is the city of each user, "" where unknown; `active` are the users who bought
    or visited lately.
    """

    known: Known
    wallets: Texts
    events: Columns
    home: Texts
    active: Integers
    buyers: Integers
    """Of each item (m,), in all the history."""


@dataclass(frozen=True)
class Facts:
    """The window's rows as columns; wallets and events are positions in `wallets` and in the rows of `events`."""

    wallets: Texts
    events: Columns
    buyer: Integers
    event: Integers
    bought_us: Integers
    taken_event: Integers
    taken_day: Integers
    taken: Integers
    visitor: Integers
    visit_day: Integers
    visit_at: Floats
    visits: Integers
    cache: dict[int, Snapshot] = field(default_factory=dict)

    @staticmethod
    def read(window: Window) -> "Facts":
        """Read a window whose views are `transactions`, `events`, `sessions` and `users`."""
        bought = _columns(window, "purchases")
        events = _columns(window, "events")
        taken = _columns(window, "places_taken")
        visits = _columns(window, "visits")
        wallets, place = np.unique(np.concatenate([bought["wallet"], visits["wallet"]]), return_inverse=True)
        sold, given = _find(events["event_id"], bought["event_id"]), _find(events["event_id"], taken["event_id"])
        of_event = sold >= 0
        return Facts(
            wallets=wallets,
            events=events,
            buyer=place[: len(sold)][of_event],
            event=sold[of_event],
            bought_us=bought["bought_us"][of_event],
            taken_event=given[given >= 0],
            taken_day=taken["day_number"][given >= 0],
            taken=taken["places"][given >= 0],
            visitor=place[len(sold) :],
            visit_day=visits["day_number"],
            visit_at=np.column_stack([visits["latitude"], visits["longitude"]]).astype(np.float64),
            visits=visits["visits"],
        )

    def at_end_of(self, day: date) -> Snapshot:
        """What was known when a day had ended."""
        number = day_number(day)
        if number not in self.cache:
            self.cache[number] = self._snapshot(number)
        return self.cache[number]

    def _snapshot(self, number: int) -> Snapshot:
        end = (number + 1) * DAY
        events = self.events
        item_of = np.cumsum(events["known_us"] < end) - 1
        item_of[events["known_us"] >= end] = -1
        at_end = {name: values[item_of >= 0] for name, values in events.items()}
        since = end - HISTORY_DAYS * DAY
        past = (self.bought_us < end) & (self.bought_us >= since) & (item_of[self.event] >= 0)
        lately = (self.visit_day <= number) & (self.visit_day > number - ACTIVE_DAYS)
        codes = np.unique(np.concatenate([self.buyer[past], self.visitor[lately]]))
        # Days of one wallet and event are in order, so that the first of them is the first purchase.
        pair = np.searchsorted(codes, self.buyer[past]) * max(len(at_end["event_id"]), 1) + item_of[self.event[past]]
        pairs, first = np.unique(pair, return_index=True)
        user, item = np.divmod(pairs, max(len(at_end["event_id"]), 1))
        age = (end - self.bought_us[past][first]) / DAY
        home = _homes(
            at_end, np.searchsorted(codes, self.visitor[lately]), self.visit_at[lately], self.visits[lately], len(codes)
        )
        taken = (self.taken_day <= number) & (self.taken_day > number - HISTORY_DAYS)
        sold = np.zeros(len(item_of), np.int64)
        np.add.at(sold, self.taken_event[taken], self.taken[taken])
        left = at_end["capacity"] - sold[item_of >= 0]
        offered = (at_end["on_sale_us"] < end) & (at_end["starts_us"] > end) & (left > 0)
        offered &= ~(at_end["deleted_us"] < end)
        known = Known(
            users=len(codes),
            items=len(at_end["event_id"]),
            user=user,
            item=item,
            age_days=age,
            candidates=np.flatnonzero(offered),
            blocks=_blocks(at_end),
            homes=_places(home, at_end),
            traits=_traits(at_end, left, end),
        )
        active = np.union1d(user[_lately(self, past, pair, pairs, end)], np.searchsorted(codes, self.visitor[lately]))
        return Snapshot(known, self.wallets[codes], at_end, home, active, np.bincount(item, minlength=known.items))

    def purchases_on(self, day: date) -> int:
        """How many events were bought by how many wallets on a day, pairs of both."""
        low = day_number(day) * DAY
        return int(((self.bought_us >= low) & (self.bought_us < low + DAY)).sum())

    def trial(self, day: date) -> Trial:
        """What was known at the end of a day, and what was bought on the next one."""
        snapshot = self.at_end_of(day)
        low = (day_number(day) + 1) * DAY
        later = np.flatnonzero((self.bought_us >= low) & (self.bought_us < low + DAY))
        user = _find(snapshot.wallets, self.wallets[self.buyer[later]])
        item = _find(snapshot.events["event_id"], self.events["event_id"][self.event[later]])
        both = (user >= 0) & (item >= 0)
        return make_trial(snapshot.known, user[both], item[both])


def _lately(facts: Facts, past: Flags, pair: Integers, pairs: Integers, end: int) -> Flags:
    """Which pairs of wallet and event were bought in the last days, if not for the first time."""
    recent = facts.bought_us[past] >= end - ACTIVE_DAYS * DAY
    return np.isin(pairs, pair[recent])


def _columns(window: Window, name: str) -> Columns:
    rows = window.rows(QUERIES / f"recommender_{name}.sql")
    found: Columns = {}
    for column in rows.column_names:
        values = rows[column]
        if str(values.type) in ("string", "large_string"):
            found[column] = np.array([value or "" for value in values.to_pylist()], dtype=str)
        else:
            found[column] = values.to_numpy(zero_copy_only=False)
    return found


def _find(names: Texts, wanted: Texts) -> Integers:
    """Positions of texts among ascending ones, −1 for those that are none of them."""
    if not len(names):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    found: Integers = np.where(names[place] == wanted, place, -1)
    return found


def _blocks(events: Columns) -> dict[str, Matrix]:
    starts = events["starts_us"] / DAY
    # 1970-01-01 was a Thursday; where a week begins is nothing to a circle.
    when = side_by_side(around(starts % 1, 1.0), around(np.floor(starts) % 7, 7.0))
    return {
        CATEGORY: one_hot(events["category"].tolist(), sorted(set(events["category"].tolist()))),
        **_places(events["city"], events),
        PRICE: near_knots(np.log2(np.maximum(events["face_value_usd"], 1.0)), PRICE_KNOTS),
        TIME: when,
    }


def _places(cities: Texts, events: Columns) -> dict[str, Matrix]:
    """Cities with events, and their countries."""
    country = dict(zip(events["city"].tolist(), events["country_code"].tolist(), strict=True))
    countries = [country.get(city, "") for city in cities.tolist()]
    return {CITY: one_hot(cities.tolist(), sorted(country)), COUNTRY: one_hot(countries, sorted(set(country.values())))}


def _traits(events: Columns, left: Integers, end: int) -> dict[str, Floats]:
    days_on_sale = np.maximum(end - events["on_sale_us"], 0) / DAY
    days_to_start = np.maximum(events["starts_us"] - end, 0) / DAY
    return {
        "price_level": np.log1p(np.nan_to_num(events["face_value_usd"])),
        "places_left": np.log1p(np.maximum(left, 0).astype(np.float64)),
        "days_on_sale": np.log(days_on_sale + 1 / 24),
        "days_to_start": np.log1p(days_to_start),
    }


def _homes(events: Columns, visitor: Integers, at: Floats, visits: Integers, users: int) -> Texts:
    """The city from which, or from near which, each user visited most; "" where no visit was near one."""
    cities, of = np.unique(events["city"], return_inverse=True)
    home = np.full(users, "", dtype=cities.dtype if len(cities) else "<U1")
    if not len(cities) or not len(visitor):
        return home
    centre = np.array(
        [[np.median(events[name][of == place]) for name in ("latitude", "longitude")] for place in range(len(cities))]
    )
    places, which = np.unique(at, axis=0, return_inverse=True)
    apart = np.nan_to_num(_kilometres(places, centre), nan=np.inf)
    nearest = np.where(apart.min(axis=1) <= HOME_KM, apart.argmin(axis=1), -1)[which.ravel()]
    near = nearest >= 0
    pair, place = np.unique(visitor[near] * len(cities) + nearest[near], return_inverse=True)
    count = np.bincount(place, visits[near], minlength=len(pair))
    user, city = np.divmod(pair, len(cities))
    order = np.lexsort((-city, count, user))
    home[user[order]] = cities[city[order]]
    return home


def _kilometres(places: Floats, centres: Floats) -> Floats:
    """Great-circle distances (p, c) of latitudes and longitudes in degrees."""
    a, b = np.radians(places)[:, None, :], np.radians(centres)[None, :, :]
    half = np.sin((a - b) / 2) ** 2
    found: Floats = 2 * EARTH_KM * np.arcsin(np.sqrt(half[..., 0] + np.cos(a[..., 0]) * np.cos(b[..., 0]) * half[..., 1]))
    return found
