"""All definitions on one set of transfers, and the verdict on what they found."""

from dataclasses import dataclass, replace

import numpy as np

from ticketintel_pipelines.learning.examples import Flags
from ticketintel_pipelines.learning.rings.cycles import closed_trips, riskless, trip_flags
from ticketintel_pipelines.learning.rings.flags import Found, joined
from ticketintel_pipelines.learning.rings.funding import Money, common_exits, common_funders, first_funders
from ticketintel_pipelines.learning.rings.groups import strong_components
from ticketintel_pipelines.learning.rings.paths import Transfers, came_by, through_custody
from ticketintel_pipelines.learning.rings.repeats import repeated_routes, repeated_trades
from ticketintel_pipelines.learning.rings.settings import Settings
from ticketintel_pipelines.learning.rings.verdict import Judged, judged
from ticketintel_pipelines.learning.rings.volume import volume_matches


@dataclass(frozen=True)
class Funding:
    """Movements of value among the wallets of the transfers and others; `hubs` (w,) marks those that are known as hubs.

    Every wallet that a transfer or a movement names has a place in `hubs`.
    """

    money: Money
    hubs: Flags


def find_rings(transfers: Transfers, settings: Settings, funding: Funding | None = None) -> Judged:
    """Every flag of every definition, judged. Without `funding` nothing is known of common funders and exits.

    Everything is found at once; what is flagged on a day depends on nothing after it, and on nothing more than twice
    `window_days` before its end, but for first fundings and for who is a hub.
    """
    owners, rows = through_custody(transfers, settings.window)
    found = search(owners, settings, funding)
    result = judged(owners, found, settings)
    flags = result.flags
    named = Found(flags.definition, flags.at, flags.bounds, rows[flags.proof], flags.money_bounds, flags.money)
    giver = transfers.giver.copy()
    giver[rows] = owners.giver
    return Judged(replace(transfers, giver=giver), named, result.score, result.is_wash)


def search(transfers: Transfers, settings: Settings, funding: Funding | None = None) -> Found:
    """The flags of all definitions, the verdict apart."""
    window = settings.window
    came = came_by(transfers)
    trips = closed_trips(transfers, came, window, settings.longest)
    found = [
        *trip_flags(transfers, trips),
        *repeated_trades(transfers, window),
        repeated_routes(transfers, came, window, settings.longest),
        strong_components(transfers, settings.window_days),
        riskless(transfers, trips, settings.price_tolerance),
        volume_matches(transfers, window, settings.volume_tolerance, settings.volume_sales),
    ]
    if funding is not None and len(funding.money):
        links = first_funders(funding.money, len(funding.hubs))
        found.append(common_funders(transfers, funding.money, links, settings.hub, funding.hubs))
        found.append(common_exits(transfers, funding.money, window, settings.hub, funding.hubs))
    return joined(found)


def no_hubs(transfers: Transfers, money: Money) -> Flags:
    """Marks for every wallet that is named, none of them set."""
    wallets = [transfers.giver, transfers.taker, money.giver, money.taker]
    return np.zeros(1 + max(int(part.max(initial=0)) for part in wallets), dtype=np.bool_)
