"""What is measured of a visit to tell bots from people: each figure rises with how much it looks like one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.learning.behaviour.access_log import log_rows
from ticketintel_pipelines.learning.behaviour.regularity import SECOND, busiest, gap_entropy, partners, variation
from ticketintel_pipelines.learning.columns import codes_of
from ticketintel_pipelines.learning.examples import Features, Floats, Integers
from ticketintel_pipelines.ticketing.models.bots import SHARING_DAYS
from ticketintel_pipelines.ticketing.models.queries import QUERIES

if TYPE_CHECKING:
    from ticketintel_pipelines.learning.window import Window

MEASURES: Mapping[str, str] = {
    "requests_per_minute": "requests per minute of the visit, of at least one minute",
    "busiest_minute": "most requests within a minute",
    "requests_per_page": "requests per page seen",
    "evenness": "how even the intervals between requests are: 1 / (1 + their coefficient of variation)",
    "gap_order": "1 − the entropy of the intervals over the most that so many can have",
    "write_share": "share of requests that write",
    "error_share": "share of requests that are answered with an error",
    "path_repetition": "1 − different paths per request",
    "accounts_per_address": "accounts seen at the address in two days",
    "accounts_per_device": "accounts seen on the device in two days",
    "agents_per_address": "clients seen at the address in two days",
    "agent_rarity": "−log10 of the share of visits in two days with the same client",
    "visits_per_address_of_agent": "visits in two days with the client, per address",
    "tickets": "tickets ordered",
    "order_hurry": "how soon after the visit began it ordered: −log10 of the seconds",
    "on_sale_hurry": "how soon after the sale opened it ordered: −log10 of the seconds",
}
BASELINE = "requests_per_minute"
LEAST_REQUESTS = 4
"""Intervals and repetition say nothing of fewer."""


@dataclass(frozen=True)
class Visits:
    """n visits of the window's days, in order of their start, with their measures (n, m) and the requests they made."""

    rows: pa.Table
    features: Features
    requests: Mapping[str, np.ndarray]
    visit: Integers
    """Of each request, the place of its visit."""

    @property
    def day(self) -> Integers:
        found: Integers = self.rows["day"].to_numpy()
        return found

    def column(self, name: str) -> Floats:
        found: Floats = self.features[:, list(MEASURES).index(name)].astype(np.float64)
        return found


def visits_of(window: "Window") -> Visits:
    """The visits of a window, each measured with what was known at the end of its day."""
    reached = window.rows(QUERIES / "bot_sessions.sql")
    first = int(np.datetime64(window.days.first, "D").astype(np.int64))
    scored = np.flatnonzero(reached["day"].to_numpy() >= first)
    rows = reached.take(pa.array(scored))
    requests = window.rows(QUERIES / "bot_requests.sql")
    visit = _places(rows["session_id"], requests["session_id"])
    kept = np.flatnonzero(visit >= 0)
    requests, visit = requests.take(pa.array(kept)), visit[kept]
    agents = rows["user_agent"].combine_chunks().take(pa.array(visit))
    log = log_rows(
        requests["requested_us"].to_numpy(),
        requests["method"].combine_chunks(),
        requests["path"].combine_chunks(),
        requests["status_code"].to_numpy(),
        agents,
    )
    measured = {
        **_of_requests(rows, log, visit),
        **_of_sharing(reached, scored),
        **_of_orders(rows, window.rows(QUERIES / "bot_orders.sql")),
    }
    return Visits(rows, np.column_stack([measured[name] for name in MEASURES]).astype(np.float32), log, visit)


def _of_requests(rows: pa.Table, log: Mapping[str, np.ndarray], visit: Integers) -> dict[str, Floats]:
    count = rows.num_rows
    requests = np.bincount(visit, minlength=count)
    started = rows["started_us"].to_numpy()
    ended = rows["ended_us"].fill_null(0).to_numpy().copy()
    np.maximum.at(ended, visit, log["at"])
    minutes = np.maximum((ended - started) / (60 * SECOND), 1.0)
    gap_count = np.maximum(requests - 1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        pages = rows["page_views"].cast(pa.float64()).to_numpy()
        enough = np.where(requests >= LEAST_REQUESTS, 1.0, np.nan)
        return {
            "requests_per_minute": requests / minutes,
            "busiest_minute": busiest(visit, log["at"], count, 60.0)[0].astype(np.float64),
            "requests_per_page": requests / np.maximum(pages, 1.0),
            "evenness": enough / (1 + variation(visit, log["at"], count)),
            "gap_order": enough * (1 - gap_entropy(visit, log["at"], count) / np.log2(gap_count)),
            "write_share": np.bincount(visit[log["is_write"]], minlength=count) / requests,
            "error_share": np.bincount(visit[log["is_error"]], minlength=count) / requests,
            "path_repetition": enough * (1 - partners(visit, log["path"], count) / requests),
        }


def _of_sharing(reached: pa.Table, scored: Integers) -> dict[str, Floats]:
    """Counted for each day apart, over the visits of it and of the day before."""
    day = reached["day"].to_numpy()
    codes = {name: codes_of(reached[name]) for name in ("ip_hash", "device_id", "user_id", "user_agent")}
    names = ("accounts_per_address", "accounts_per_device", "agents_per_address", "agent_rarity", "visits_per_address_of_agent")
    found = {name: np.full(len(scored), np.nan) for name in names}
    for today in np.unique(day[scored]):
        near = np.flatnonzero((day > today - SHARING_DAYS) & (day <= today))
        address, device, user, agent = (codes[name][near] for name in codes)
        here = np.flatnonzero(day[scored] == today)
        whose = {name: codes[name][scored[here]] for name in codes}
        seen = np.bincount(agent[agent >= 0], minlength=int(codes["user_agent"].max()) + 1)
        addresses = partners(agent, address, len(seen))
        found["accounts_per_address"][here] = _at(partners(address, user, int(codes["ip_hash"].max()) + 1), whose["ip_hash"])
        found["accounts_per_device"][here] = _at(partners(device, user, int(codes["device_id"].max()) + 1), whose["device_id"])
        found["agents_per_address"][here] = _at(partners(address, agent, int(codes["ip_hash"].max()) + 1), whose["ip_hash"])
        with np.errstate(divide="ignore", invalid="ignore"):
            found["agent_rarity"][here] = _at(-np.log10(seen / len(near)), whose["user_agent"])
            found["visits_per_address_of_agent"][here] = _at(seen / addresses, whose["user_agent"])
    return found


def _of_orders(rows: pa.Table, orders: pa.Table) -> dict[str, Floats]:
    place = _places(rows["session_id"], orders["session_id"])
    kept = np.flatnonzero(place >= 0)
    tickets = np.zeros(rows.num_rows)
    tickets[place[kept]] = orders["tickets"].cast(pa.float64()).to_numpy()[kept]
    found = {"tickets": tickets}
    for name, column in (("order_hurry", "seconds_to_order"), ("on_sale_hurry", "seconds_since_on_sale")):
        hurry = np.full(rows.num_rows, np.nan)
        hurry[place[kept]] = -np.log10(np.maximum(orders[column].cast(pa.float64()).to_numpy()[kept], 1.0))
        found[name] = hurry
    return found


def _places(keys: pa.ChunkedArray, wanted: pa.ChunkedArray) -> Integers:
    found: Integers = pc.index_in(wanted, value_set=keys.combine_chunks()).fill_null(-1).to_numpy().astype(np.int64)
    return found


def _at(values: np.ndarray, places: Integers) -> Floats:
    """The value at each place, NaN at unknown ones."""
    if not len(values):
        return np.full(len(places), np.nan)
    return np.where(places >= 0, values[np.maximum(places, 0)], np.nan)
