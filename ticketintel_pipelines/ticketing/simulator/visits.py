"""Visits of the shop, the security log and the API's access log."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.ticketing.simulator.arrays import concatenate, rank_in_group, row_count, select
from ticketintel_pipelines.ticketing.simulator.clock import SECOND, Day, Purpose, seconds
from ticketintel_pipelines.ticketing.simulator.people import RENTED_NETWORK, Role, home_address
from ticketintel_pipelines.ticketing.simulator.places import AGENT_SHARES, AGENTS, CITIES
from ticketintel_pipelines.ticketing.simulator.platform import country_column, event_ids, user_ids
from ticketintel_pipelines.ticketing.simulator.texts import (
    Ids,
    addresses,
    choose,
    timestamps,
    tokens_of,
)
from ticketintel_pipelines.ticketing.simulator.world import NO_TOKEN, Intrusions, Orders, Place, World

LATITUDES = np.array([city.latitude for city in CITIES])
LONGITUDES = np.array([city.longitude for city in CITIES])
KINDS = ("login_succeeded", "login_failed", "new_device", "password_reset", "two_factor_failed", "wallet_changed")
LOGIN, LOGIN_FAILED, NEW_DEVICE, PASSWORD_RESET, TWO_FACTOR_FAILED, WALLET_CHANGED = range(len(KINDS))
OTHER_KIND_SHARES = (0.0, 0.78, 0.08, 0.06, 0.06, 0.02)
"""Of the honest security events that are not plain sign-ins."""
SIGN_IN_SHARE = 0.8
EXACT_PATHS = (
    ("GET", "/v1/events"),
    ("GET", "/v1/search"),
    ("POST", "/v1/login"),
    ("GET", "/v1/cart"),
    ("POST", "/v1/cart/items"),
    ("POST", "/v1/orders"),
    ("GET", "/v1/orders"),
    ("GET", "/v1/tickets"),
    ("PATCH", "/v1/profile"),
    ("DELETE", "/v1/cart/items"),
)
EXACT_PATH_SHARES = (0.20, 0.14, 0.06, 0.12, 0.09, 0.05, 0.06, 0.08, 0.01, 0.02)
"""The rest asks for single events."""
BOT_PATH_SHARES = (0.02, 0.0, 0.03, 0.05, 0.25, 0.20, 0.0, 0.0, 0.0, 0.0)
CODES = (200, 304, 404, 401, 400, 500, 429)
CODE_SHARES = (0.90, 0.05, 0.02, 0.012, 0.008, 0.005, 0.005)
BOT_CODE_SHARES = (0.74, 0.0, 0.02, 0.01, 0.02, 0.01, 0.20)


@dataclass
class Sessions:
    """One row per visit, in the order of their start; the position is the session's number on its day."""

    started_us: np.ndarray
    ended_us: np.ndarray
    user: np.ndarray
    """NO_TOKEN when not signed in."""
    address: np.ndarray
    device: np.ndarray
    agent: np.ndarray
    city: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    page_views: np.ndarray
    place: np.ndarray


def build_sessions(
    world: World, day: Day, orders: Orders, answered_us: np.ndarray, intrusions: Intrusions, wanted: int
) -> tuple[Sessions, np.ndarray]:
    """All visits of the day, and the number of the visit behind each order.

    `answered_us` is the last answer of each order's payment (or when it was placed); about `wanted` visits in all.
    """
    rng = day.generator(Purpose.SESSIONS)
    crowd, actors = world.parameters.crowd, world.actors
    count = row_count(orders)
    is_bot = actors.role[orders.user] == Role.BOT
    lead = crowd.order_lead_median_s * np.exp(rng.normal(0, crowd.order_lead_spread, count))
    lead *= np.where(is_bot, crowd.bot_lead_factor, 1.0)
    floor = np.maximum(actors.created_us[orders.user] + SECOND, day.start_us)
    buying = np.maximum(orders.placed_us - seconds(np.minimum(lead, crowd.order_lead_most_s) + 1.0), floor)
    parts = [_visits(rng, world, day, orders.user, buying, answered_us, orders.place)]
    parts.append(
        _visits(
            rng,
            world,
            day,
            intrusions.user,
            intrusions.at_us,
            intrusions.until_us,
            np.full(row_count(intrusions), int(Place.ATTACKER)),
        )
    )
    looking = max(4, wanted - count - row_count(intrusions))
    started = world.rhythm.draw(rng, day, day.opens_us, day.end_us - 120 * SECOND, looking)
    accounts = np.flatnonzero(actors.account)
    known = np.searchsorted(actors.created_us[accounts], started - SECOND)
    user = accounts[(rng.random(looking) ** 1.2 * known).astype(np.int64)]
    user[(rng.random(looking) < crowd.anonymous_share) | (known == 0)] = NO_TOKEN
    parts.append(_visits(rng, world, day, user, started, started, np.full(looking, int(Place.HOME))))
    sessions = concatenate(parts)
    order = np.argsort(sessions.started_us, kind="stable")
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    return select(sessions, order), number[:count]


def _visits(
    rng: np.random.Generator,
    world: World,
    day: Day,
    user: np.ndarray,
    started: np.ndarray,
    busy_until: np.ndarray,
    place: np.ndarray,
) -> Sessions:
    """Visits of users (NO_TOKEN: anybody), each at least until its order is answered, all within the day."""
    crowd, actors = world.parameters.crowd, world.actors
    rows = len(user)
    person = np.where(user == NO_TOKEN, 0, user)
    nobody = user == NO_TOKEN
    stay = seconds(crowd.visit_median_s * np.exp(rng.normal(0, crowd.visit_spread, rows)))
    from_us = np.maximum(started, busy_until)
    ended = from_us + np.minimum(stay, ((day.end_us - SECOND - from_us) * rng.random(rows)).astype(np.int64))
    place = place.copy()
    traveller = (actors.role[person] == Role.TRAVELLER) & ~nobody & (place == Place.HOME)
    place[traveller & (rng.random(rows) < crowd.away_share)] = Place.AWAY
    away, attacker = place == Place.AWAY, place == Place.ATTACKER
    elsewhere = rng.integers(0, len(CITIES), rows)
    city = np.where(away | attacker | nobody, elsewhere, actors.city[person])
    roaming = home_address(rng, city, crowd.ipv6_share)
    address = np.where(away | nobody, roaming, actors.address[person])
    hour = (started - day.start_us) // (3_600 * SECOND)
    opens, closes = crowd.office_hours
    at_work = (actors.office[person] > 0) & (hour >= opens) & (hour < closes) & (place == Place.HOME)
    at_work &= rng.random(rows) < crowd.at_work_share
    address = np.where(at_work & ~nobody, actors.office[person], address)
    address = np.where(attacker, RENTED_NETWORK + rng.integers(0, 1 << 12, rows), address)
    unknown = nobody | attacker
    jitter = rng.normal(0, 0.03, (rows, 2))
    at_home = ~(away | attacker | nobody)
    return Sessions(
        started_us=started,
        ended_us=ended,
        user=user,
        address=address,
        device=np.where(unknown, rng.integers(0, 1 << 48, rows), actors.device[person]),
        agent=np.where(unknown, rng.choice(len(AGENTS), rows, p=AGENT_SHARES), actors.agent[person]).astype(np.int64),
        city=city,
        latitude=np.round(np.where(at_home, actors.latitude[person], LATITUDES[city]) + jitter[:, 0], 4),
        longitude=np.round(np.where(at_home, actors.longitude[person], LONGITUDES[city]) + jitter[:, 1], 4),
        page_views=1 + rng.poisson(np.minimum((ended - started) / (crowd.page_view_s * SECOND), 60.0)),
        place=place,
    )


def sessions_table(world: World, day: Day, ids: Ids, sessions: Sessions) -> pa.Table:
    return pa.table(
        {
            "session_id": ids.column("s", day.index, np.arange(row_count(sessions))),
            "started_at": timestamps(sessions.started_us),
            "ended_at": timestamps(sessions.ended_us),
            "user_id": user_ids(world, ids, sessions.user),
            "ip_address": addresses(sessions.address),
            "device_id": tokens_of("d-", sessions.device),
            "user_agent": choose(AGENTS, sessions.agent),
            "country_code": country_column(sessions.city),
            "latitude": pa.array(sessions.latitude),
            "longitude": pa.array(sessions.longitude),
            "page_views": pa.array(sessions.page_views.astype(np.int64)),
        }
    )


def security_table(world: World, day: Day, ids: Ids, sessions: Sessions, intrusions: Intrusions, wanted: int) -> pa.Table:
    """About `wanted` security events of visits, and those of every take-over."""
    rng = day.generator(Purpose.SECURITY)
    signed_in = np.flatnonzero(sessions.user != NO_TOKEN)
    away = signed_in[sessions.place[signed_in] == Place.AWAY]
    plain = max(1, wanted - 2 * len(away))
    visit = signed_in[rng.integers(0, len(signed_in), plain)] if len(signed_in) else signed_in
    kind = np.where(rng.random(len(visit)) < SIGN_IN_SHARE, LOGIN, rng.choice(len(KINDS), len(visit), p=OTHER_KIND_SHARES))
    at = sessions.started_us[visit] + seconds(rng.uniform(0, 1, len(visit)))
    # Travellers sign in from afar, often on a device the platform has not seen.
    visit = np.concatenate([visit, away, away[rng.random(len(away)) < world.parameters.crowd.new_device_share]])
    kind = np.concatenate([kind, np.full(len(away), LOGIN), np.full(len(visit) - len(kind) - len(away), NEW_DEVICE)])
    at = np.concatenate([at, sessions.started_us[visit[len(at) :]] + seconds(rng.uniform(0, 1, len(visit) - len(at)))])
    parts: list[tuple[np.ndarray, ...]] = [(at, sessions.user[visit], kind, sessions.address[visit], sessions.device[visit])]
    parts.append(_traces_of_intrusions(rng, day, world, sessions, intrusions))
    at, user, kind, address, device = (np.concatenate(column) for column in zip(*parts, strict=True))
    at = np.clip(at, day.start_us, day.end_us - 1)
    order = np.argsort(at, kind="stable")
    return pa.table(
        {
            "security_event_id": ids.column("x", day.index, np.arange(len(order))),
            "occurred_at": timestamps(at[order]),
            "user_id": user_ids(world, ids, user[order]),
            "kind": choose(KINDS, kind[order]),
            "ip_address": addresses(address[order]),
            "device_id": tokens_of("d-", device[order]),
        }
    )


def _traces_of_intrusions(
    rng: np.random.Generator, day: Day, world: World, sessions: Sessions, intrusions: Intrusions
) -> tuple[np.ndarray, ...]:
    """Failed sign-ins, a reset password, a new device and the sign-in, in this order, of every take-over."""
    count = row_count(intrusions)
    campaigns = world.parameters.campaigns
    failures = rng.integers(*campaigns.takeover_failures, count, endpoint=True)
    # The visit of an intrusion is the attacker's visit of that account that starts then.
    attacks = np.flatnonzero(sessions.place == Place.ATTACKER)
    visit = np.array(
        [
            attacks[(sessions.user[attacks] == user) & (sessions.started_us[attacks] == at)][0]
            for user, at in zip(intrusions.user, intrusions.at_us, strict=True)
        ],
        dtype=np.int64,
    )
    source = np.repeat(np.arange(count), failures + 3)
    place = rank_in_group(source)
    back = failures[source] + 2 - place
    kind = np.select([back == 2, back == 1, back == 0], [PASSWORD_RESET, NEW_DEVICE, LOGIN], LOGIN_FAILED)
    at = intrusions.at_us[source] - seconds(back * campaigns.takeover_step_s)
    at = np.maximum(at, world.actors.created_us[intrusions.user[source]] + SECOND)
    return at, intrusions.user[source], kind, sessions.address[visit][source], sessions.device[visit][source]


def requests_table(world: World, day: Day, ids: Ids, sessions: Sessions, session_table: pa.Table, wanted: int) -> pa.Table:
    """`wanted` API requests, spread over the visits; those of bots come at even intervals."""
    rng = day.generator(Purpose.REQUESTS)
    user = np.where(sessions.user == NO_TOKEN, 0, sessions.user)
    is_bot = (world.actors.role[user] == Role.BOT) & (sessions.user != NO_TOKEN)
    weight = (1.0 + sessions.page_views) * np.where(is_bot, world.parameters.crowd.bot_request_weight, 1.0)
    counts = rng.multinomial(wanted, weight / weight.sum())
    visit = np.repeat(np.arange(len(counts)), counts)
    even = (rank_in_group(visit) + 0.5) / counts[visit]
    place = np.where(is_bot[visit], even, rng.random(wanted))
    started = sessions.started_us[visit]
    at = started + ((sessions.ended_us[visit] - started) * place).astype(np.int64)
    order = np.argsort(at, kind="stable")
    visit, at = visit[order], at[order]
    bot = is_bot[visit]
    on_offer = np.flatnonzero((world.events.starts_us > day.start_us) & (world.events.created_us <= day.opens_us))
    paths, methods, which = _paths(rng, world, ids, on_offer, bot)
    codes = np.where(bot, _draw(rng, BOT_CODE_SHARES, wanted), _draw(rng, CODE_SHARES, wanted))
    latency = np.round(np.exp(rng.normal(4.2, 0.7, wanted)), 1)
    return pa.table(
        {
            "request_id": ids.column("r", day.index, np.arange(wanted)),
            "requested_at": timestamps(at),
            "session_id": ids.column("s", day.index, visit),
            "user_id": session_table["user_id"].combine_chunks().take(pa.array(visit)),
            "ip_address": session_table["ip_address"].combine_chunks().take(pa.array(visit)),
            "method": choose(methods, which),
            "path": choose(paths, which),
            "status_code": pa.array(np.array(CODES, dtype=np.int64)[codes]),
            "latency_ms": pa.array(latency),
        }
    )


def _draw(rng: np.random.Generator, shares: tuple[float, ...], rows: int) -> np.ndarray:
    return np.minimum(np.searchsorted(np.cumsum(shares), rng.random(rows), side="right"), len(shares) - 1)


def _paths(
    rng: np.random.Generator, world: World, ids: Ids, on_offer: np.ndarray, bot: np.ndarray
) -> tuple[pa.Array, list[str], np.ndarray]:
    """The day's paths and methods, and which of them each request asks for: popular events more often."""
    rows = len(bot)
    exact = len(EXACT_PATHS)
    single = pc.binary_join_element_wise("/v1/events/", event_ids(world, ids, on_offer), "")
    paths = pa.concat_arrays([pa.array([path for _, path in EXACT_PATHS]), single])
    methods = [method for method, _ in EXACT_PATHS] + ["GET"] * len(on_offer)
    interest = np.cumsum(world.events.popularity[on_offer])
    one_event = exact + np.minimum(np.searchsorted(interest, rng.random(rows) * interest[-1], side="right"), len(on_offer) - 1)
    draw = rng.random(rows)
    honest = np.searchsorted(np.cumsum(EXACT_PATH_SHARES), draw, side="right")
    robot = np.searchsorted(np.cumsum(BOT_PATH_SHARES), draw, side="right")
    which = np.where(bot, robot, honest)
    return paths, methods, np.where(which < exact, which, one_event)
