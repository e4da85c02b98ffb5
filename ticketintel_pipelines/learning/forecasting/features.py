"""What is known of a row of a forecast at the end of the day on which it is made."""

import numpy as np

from ticketintel_pipelines.learning.examples import Floats
from ticketintel_pipelines.learning.forecasting.series import (
    OPEN,
    REACH,
    UNKNOWN,
    WEEK,
    Counts,
    Rows,
    last_week,
    trailing,
)
from ticketintel_pipelines.learning.forecasting.trend import history, linear_trend

FLOOR = 0.3
"""Added to each level, whose logarithm is taken."""

NAMES = (
    "days ahead",
    "weekday",
    "days since first",
    "days to last",
    "first day",
    "last day",
    "days counted",
    "level",
    *(f"{back} days back" for back in range(WEEK)),
    "mean of 3 days",
    "same weekday last week",
    "linear trend",
    "slope",
    "counted so far",
    "left",
    "left a day",
    "its share of all",
    "limit",
    "share taken",
    "open series",
    "share of what is left",
    "opening that day",
)


def features_of(counts: Counts, rows: Rows) -> tuple[Floats, Floats]:
    """Features (n, len(NAMES) + k), NaN where unknown, and the logarithm of a level (n,) that a forecast starts from.

    Counts are told in levels, so that a series that has doubled looks like it did.

    The level is the mean of the last seven days; before the first, the series' share of what is left in all open series, or an
    equal share where it has no limit, of what they count together a day.
    """
    place, series = rows.made - counts.start, rows.series
    first, last = (edge[series].astype(np.float64) for edge in (counts.first, counts.last))
    first[counts.first[series] == UNKNOWN] = np.nan
    last[counts.last[series] == OPEN] = np.nan
    seen = history(counts, rows, WEEK)
    n = (~np.isnan(seen)).sum(axis=1)
    mean = np.where(n > 0, np.nansum(seen, axis=1) / np.maximum(n, 1), np.nan)
    nearest = (~np.isnan(seen[:, :3])).sum(axis=1)
    mean_3 = np.where(nearest > 0, np.nansum(seen[:, :3], axis=1) / np.maximum(nearest, 1), np.nan)
    trend, slope = linear_trend(counts, rows)
    left = counts.limit[series] - trailing(counts.taken, place, series, REACH)
    total = trailing(counts.counts.sum(axis=0, keepdims=True), place, np.zeros(len(rows), np.int64), WEEK) / WEEK
    open_series, all_left, opening = _together(counts, rows)
    share = left / np.maximum(all_left, 1.0)
    spread = np.where(np.isnan(last), np.nan, left / np.maximum(last - rows.made, 1))
    begun = total * np.where(np.isnan(share), 1.0 / np.maximum(open_series, 1.0), share)
    level = np.where(np.isnan(mean), begun, mean) + FLOOR
    target = rows.day
    columns = [
        rows.ahead,
        target % WEEK,
        target - first,
        last - target,
        target == first,
        target == last,
        n,
        level,
        *(seen / level[:, None]).T,
        mean_3 / level,
        np.where(n > 0, last_week(counts, rows), np.nan) / level,
        trend / level,
        slope / level,
        trailing(counts.counts, place, series, REACH) / level,
        left / level,
        spread / level,
        begun / level,
        counts.limit[series],
        1 - left / counts.limit[series],
        open_series,
        share,
        opening / np.maximum(all_left, 1.0),
        *counts.facts[series].T,
    ]
    return np.column_stack([np.asarray(one, np.float64) for one in columns]), np.log(level)


def _together(counts: Counts, rows: Rows) -> tuple[Floats, Floats, Floats]:
    """Of all series known when each forecast is made (n,): how many are open on its day, what is left in them, how many of
    their places go on sale for the first time on it.

    A series whose first day is unknown is known while it has counted anything in the days reached, as for `rows_of`.
    """
    pairs, place = np.unique(np.column_stack([rows.made, rows.ahead]), axis=0, return_inverse=True)
    found = np.zeros((len(pairs), 3))
    every = np.arange(len(counts.names))
    for number, (made, ahead) in enumerate(pairs.tolist()):
        target = made + ahead
        place_made = np.full(len(every), made - counts.start)
        is_open = (counts.known <= made) & (counts.first <= target) & (target <= counts.last)
        is_open &= (counts.first != UNKNOWN) | (trailing(counts.counts, place_made, every, REACH) > 0)
        taken = trailing(counts.taken, place_made, every, REACH)
        left = np.nan_to_num(counts.limit - taken)
        opens = is_open & (counts.first == target)
        found[number] = is_open.sum(), left[is_open].sum(), np.nan_to_num(counts.limit)[opens].sum()
    return found[place, 0], found[place, 1], found[place, 2]
