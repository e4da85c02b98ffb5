"""Pairs of wallets that sell to each other as much as they buy from each other."""

import numpy as np

from ticketintel_pipelines.learning.examples import DAY
from ticketintel_pipelines.learning.rings.flags import Definition, Found, flagged, spans
from ticketintel_pipelines.learning.rings.paths import Transfers, pair_key


def volume_matches(transfers: Transfers, window: int, tolerance: float, least_sales: int) -> Found:
    """Pairs whose sales in one direction, within `window` microseconds up to their last sale of a day, add up to those in the
    other within `tolerance` of the larger sum, over all tokens, in `least_sales` or more.

    Source: Victor and Weintraud, "Detecting and Quantifying Wash Trading on Decentralized Cryptocurrency Exchanges", WWW 2021.
    """
    rows = np.flatnonzero(transfers.sale & (transfers.giver != transfers.taker))
    giver, taker = transfers.giver[rows], transfers.taker[rows]
    pair = pair_key(np.minimum(giver, taker), np.maximum(giver, taker))
    names, place, counts = np.unique(pair, return_inverse=True, return_counts=True)
    upwards = np.bincount(place, giver < taker, len(names))
    chosen = ((counts >= least_sales) & (upwards > 0) & (upwards < counts))[place] if len(rows) else np.zeros(0, bool)
    order = np.argsort(place[chosen], kind="stable")
    rows, pair = rows[chosen][order], place[chosen][order].astype(np.int64)
    at = transfers.at[rows]
    # Numbered by pair and instant, so that one search finds where each window begins.
    instants = np.unique(at)
    key = pair * (len(instants) + 1) + np.searchsorted(instants, at)
    last = np.flatnonzero(np.append((pair[1:] != pair[:-1]) | (at[1:] // DAY != at[:-1] // DAY), True)) if len(rows) else rows
    begin = pair[last] * (len(instants) + 1) + np.searchsorted(instants, at[last] - window)
    start = np.searchsorted(key, begin)
    lengths = last + 1 - start
    inside = spans(start, lengths)
    flag = np.repeat(np.arange(len(last)), lengths)
    price, up = transfers.price[rows[inside]], transfers.giver[rows[inside]] < transfers.taker[rows[inside]]
    # Each window is added up by itself and from its beginning: its sum does not depend on what lies around it.
    sums = [np.bincount(flag, np.where(way, price, 0.0), len(last)) for way in (up, ~up)]
    larger = np.maximum(*sums)
    matches = (np.abs(sums[0] - sums[1]) <= tolerance * larger) & (np.minimum(*sums) > 0) & (lengths >= least_sales)
    bounds = np.concatenate([[0], np.cumsum(lengths[matches])]).astype(np.int64)
    return flagged(Definition.VOLUME_MATCH, at[last[matches]], bounds, rows[spans(start[matches], lengths[matches])])
