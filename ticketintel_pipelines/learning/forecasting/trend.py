"""The linear trend of each series by itself, and the usual week of all of them together."""

import numpy as np

from ticketintel_pipelines.learning.examples import Floats
from ticketintel_pipelines.learning.forecasting.series import WEEK, Counts, Rows, counted_on

TREND_DAYS = 14
LEAST_DAYS = 3
"""On which a line rests; with fewer the mean is taken."""


def history(counts: Counts, rows: Rows, days: int) -> Floats:
    """Counts (n, days) of the days up to the one on which each forecast is made, the newest first; NaN where not open."""
    found = [counted_on(counts, rows.series, rows.made - back) for back in range(days)]
    return np.column_stack(found) if len(rows) else np.empty((0, days))


def linear_trend(counts: Counts, rows: Rows) -> tuple[Floats, Floats]:
    """The forecast (n,) and the slope (n,), counts a day, of the least-squares line through the last `TREND_DAYS` days.

    Forecasts are not negative. A series with under `LEAST_DAYS` days has its mean and no slope, one without any day 0.
    """
    seen = history(counts, rows, TREND_DAYS)
    known = ~np.isnan(seen)
    x, y = -np.arange(TREND_DAYS, dtype=np.float64), np.nan_to_num(seen)
    n = known.sum(axis=1)
    some = np.maximum(n, 1)
    mean_x, mean_y = (known * x).sum(axis=1) / some, y.sum(axis=1) / some
    apart = (x - mean_x[:, None]) * known
    spread = (apart**2).sum(axis=1)
    enough = n >= LEAST_DAYS
    slope = np.where(enough, (apart * y).sum(axis=1) / np.where(spread > 0, spread, 1.0), 0.0)
    forecast = np.maximum(mean_y + slope * (rows.ahead - mean_x), 0.0)
    return forecast, slope


def usual_week(counts: Counts, rows: Rows, until: int) -> Floats:
    """The mean of each series' last seven days (n,), times how its weekday compares with the others over all series up to
    the day `until`; 0 without any day.
    """
    seen = history(counts, rows, WEEK)
    n = (~np.isnan(seen)).sum(axis=1)
    level = np.nansum(seen, axis=1) / np.maximum(n, 1)
    found: Floats = level * weekday_factors(counts, until)[rows.day % WEEK]
    return found


def weekday_factors(counts: Counts, until: int) -> Floats:
    """Mean total of each weekday against the mean of all (7,), by day number modulo 7, over whole weeks up to a day."""
    days = counts.days[counts.days <= until]
    days = days[len(days) % WEEK :]
    if not len(days):
        return np.ones(WEEK)
    totals = counts.counts[:, days - counts.start].sum(axis=0)
    if totals.sum() == 0:
        return np.ones(WEEK)
    means = np.bincount(days % WEEK, totals, minlength=WEEK) / np.bincount(days % WEEK, minlength=WEEK)
    found: Floats = means / totals.mean()
    return found
